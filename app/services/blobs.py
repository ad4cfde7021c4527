"""Blobs in the store, by their SHA-256: a folder or S3. The layout is that of `workers.storage`: `ab/cdef...`.

Nothing is held whole in memory, and blocking calls run in threads. A blob appears only when its content was verified.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.settings import Settings

CHUNK = 1 << 20
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class BlobMismatchError(ValueError):
    """The content does not hash to its name."""


class StorageFullError(OSError):
    """No space is left for the blob."""


class StorageUnavailableError(OSError):
    """The store does not answer."""


class BlobStore(Protocol):
    """Where blobs live."""

    async def size(self, sha256: str) -> int | None:
        """Bytes of the blob, None when it is missing."""
        ...

    async def write(self, sha256: str, chunks: AsyncIterator[bytes]) -> None:
        """Store the content. Raises BlobMismatchError, StorageFullError, StorageUnavailableError."""
        ...

    def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in pieces of at most a MiB. Raises KeyError when it is missing."""
        ...

    async def check(self) -> str:
        """Where it is, in words. Raises OSError when it cannot be used."""
        ...


class FolderStore:
    """Blobs in a local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256[2:]

    async def size(self, sha256: str) -> int | None:
        """Bytes of the blob, None when it is missing."""
        try:
            return (await asyncio.to_thread(self._path(sha256).stat)).st_size
        except FileNotFoundError:
            return None

    async def write(self, sha256: str, chunks: AsyncIterator[bytes]) -> None:
        """Written beside, verified, flushed to disk, renamed."""
        path = self._path(sha256)
        partial = await _receive(sha256, chunks, path.parent)
        await asyncio.to_thread(_publish, partial, path)

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in pieces."""
        try:
            file = await asyncio.to_thread(self._path(sha256).open, "rb")
        except FileNotFoundError:
            raise KeyError(sha256) from None
        async for chunk in _pieces(file):
            yield chunk

    async def check(self) -> str:
        """Free space of the folder."""
        return await asyncio.to_thread(self._check)

    def _check(self) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(f"the storage folder {self.folder} is not writable")
        free = shutil.disk_usage(self.folder).free
        return f"folder {self.folder}, {free / 1e9:.1f} GB free"


class S3Store:
    """Blobs in a bucket, `s3://bucket/prefix`, of any endpoint."""

    def __init__(self, url: str, endpoint_url: str | None) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.bucket, self.prefix, self.endpoint_url = bucket, prefix.strip("/"), endpoint_url

    @cached_property
    def client(self) -> Any:
        """The boto3 client (safe for threads); made at the first use because it takes 0.2 s."""
        config = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 4, "mode": "standard"})
        return boto3.client("s3", endpoint_url=self.endpoint_url, config=config)

    def _key(self, sha256: str) -> str:
        return "/".join(part for part in (self.prefix, sha256[:2], sha256[2:]) if part)

    async def size(self, sha256: str) -> int | None:
        """Bytes of the blob, None when it is missing."""
        try:
            head = await self._call("head_object", Key=self._key(sha256))
        except KeyError:
            return None
        return int(head["ContentLength"])

    async def write(self, sha256: str, chunks: AsyncIterator[bytes]) -> None:
        """Spooled to a local file, verified there, then uploaded (in parts where it is large)."""
        folder = Path(tempfile.gettempdir()) / "headrace-uploads"
        partial = await _receive(sha256, chunks, folder)
        try:
            await asyncio.to_thread(self.client.upload_file, str(partial), self.bucket, self._key(sha256))
        except (BotoCoreError, ClientError, boto3.exceptions.S3UploadFailedError) as error:
            raise StorageUnavailableError(f"the store at s3://{self.bucket} refused the blob: {error}") from error
        finally:
            await asyncio.to_thread(partial.unlink, missing_ok=True)

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in pieces."""
        answer = await self._call("get_object", Key=self._key(sha256))
        async for chunk in _pieces(answer["Body"]):
            yield chunk

    async def check(self) -> str:
        """Does the bucket answer?"""
        try:
            await self._call("head_bucket")
        except KeyError:
            raise StorageUnavailableError(f"bucket {self.bucket} does not exist") from None
        return f"s3://{self.bucket}/{self.prefix}"

    async def _call(self, method: str, **arguments: str) -> dict[str, Any]:
        try:
            return await asyncio.to_thread(getattr(self.client, method), Bucket=self.bucket, **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise KeyError(arguments.get("Key", self.bucket)) from None
            raise StorageUnavailableError(f"the store at s3://{self.bucket} answers: {error}") from error
        except BotoCoreError as error:
            raise StorageUnavailableError(f"the store at s3://{self.bucket} does not answer: {error}") from error


def build_store(settings: Settings) -> BlobStore:
    """The store that the settings name."""
    return _store(settings.storage or str(settings.home / "storage"), settings.s3_endpoint_url)


@lru_cache(maxsize=8)
def _store(location: str, endpoint_url: str | None) -> BlobStore:
    if location.startswith("s3://"):
        return S3Store(location, endpoint_url)
    return FolderStore(Path(location).absolute())


async def read_bytes(store: BlobStore, sha256: str, max_bytes: int) -> bytes:
    """A whole small blob. Raises KeyError when it is missing, ValueError when it is larger."""
    content = bytearray()
    async for chunk in store.read(sha256):
        content += chunk
        if len(content) > max_bytes:
            raise ValueError(f"blob {sha256} is larger than {max_bytes} bytes")
    return bytes(content)


async def fetch(store: BlobStore, sha256: str, path: Path) -> None:
    """Copy a blob to a local file, written beside and renamed. Raises KeyError, BlobMismatchError."""
    partial = await _receive(sha256, store.read(sha256), path.parent)
    await asyncio.to_thread(_publish, partial, path)


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        file.close()


async def _receive(sha256: str, chunks: AsyncIterator[bytes], folder: Path) -> Path:
    """Write the chunks to a temporary file in `folder`, flush it to disk, check its hash; return its path."""
    try:
        file = await asyncio.to_thread(_open_partial, folder)
        try:
            found = await _write_all(file, chunks)
            _check_hash(found, sha256)
        except BaseException:
            _discard(file)
            raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(error.errno, f"no space is left in {folder}; free some, then try again") from error
        raise
    return Path(file.name)


async def _write_all(file: BinaryIO, chunks: AsyncIterator[bytes]) -> str:
    """Write and flush to disk; returns the SHA-256."""
    digest, buffer = hashlib.sha256(), bytearray()
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) >= CHUNK:
            await asyncio.to_thread(_append, file, digest, bytes(buffer))
            buffer.clear()
    await asyncio.to_thread(_append, file, digest, bytes(buffer))
    await asyncio.to_thread(_flush, file)
    return digest.hexdigest()


def _check_hash(found: str, sha256: str) -> None:
    if found != sha256:
        raise BlobMismatchError(f"the content hashes to {found}, not to {sha256}")


def _discard(file: BinaryIO) -> None:
    with contextlib.suppress(OSError):  # closing flushes, which fails again on a full disk
        file.close()
    Path(file.name).unlink(missing_ok=True)


def _open_partial(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    number, path = tempfile.mkstemp(dir=folder, prefix=".", suffix=".partial")
    os.close(number)
    return Path(path).open("wb")


def _append(file: BinaryIO, digest: Any, content: bytes) -> None:
    digest.update(content)
    file.write(content)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _publish(partial: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.chmod(0o644)
    partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
