"""Artifacts: folders in a content-addressed store, through the service or on S3.

A blob is a file under its SHA-256. An artifact is a manifest (itself a blob) that names the blobs of a folder, so
its digest fixes every byte and files shared by two artifacts are stored once.
"""

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx
from botocore.exceptions import ClientError

from workers.specs.events import Artifact, File

Kind = Literal["dataset", "scorer", "checkpoint", "evaluation", "release", "samples", "telemetry", "other"]
_CHUNK = 1 << 20
_TRIES = 5
_YOUNG_SECONDS = 600.0


class Storage(Protocol):
    """Blobs by their SHA-256 (hex)."""

    def has(self, sha256: str) -> bool:
        """Is the blob there?"""
        ...

    def put(self, sha256: str, path: Path) -> None:
        """Store the file. Repeating it is harmless."""
        ...

    def get(self, sha256: str, path: Path) -> None:
        """Write the blob to `path`. Raises KeyError when it is missing."""
        ...


class S3Storage:
    """Blobs in a bucket of any S3 endpoint, named by `s3://bucket/prefix`."""

    def __init__(self, url: str, endpoint_url: str | None = None) -> None:
        import boto3  # here: it takes 0.1 s that runs without S3 save
        from botocore.config import Config

        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.bucket, self.prefix = bucket, prefix.rstrip("/")
        config = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": _TRIES, "mode": "standard"})
        self.client = boto3.client("s3", endpoint_url=endpoint_url, config=config)

    def _key(self, sha256: str) -> str:
        return "/".join(part for part in (self.prefix, sha256[:2], sha256[2:]) if part)

    def has(self, sha256: str) -> bool:
        try:
            self.client.head_object(Bucket=self.bucket, Key=self._key(sha256))
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
                return False
            raise
        return True

    def put(self, sha256: str, path: Path) -> None:
        key = self._key(sha256)
        try:
            stored = self.client.head_object(Bucket=self.bucket, Key=key)["LastModified"].timestamp()
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NotFound"}:
                raise
            self.client.upload_file(str(path), self.bucket, key)
            return
        if time.time() - stored > _YOUNG_SECONDS:  # a young object is out of reach of garbage collection
            source = {"Bucket": self.bucket, "Key": key}
            self.client.copy(source, self.bucket, key, ExtraArgs={"MetadataDirective": "REPLACE"})

    def get(self, sha256: str, path: Path) -> None:
        if not self.has(sha256):
            raise KeyError(f"blob {sha256} is not in s3://{self.bucket}/{self.prefix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.client.download_file(self.bucket, self._key(sha256), str(path))

    def read(self, name: str) -> bytes | None:
        """The object of this name under the prefix; None when there is none."""
        try:
            body: bytes = self.client.get_object(Bucket=self.bucket, Key=self._named(name))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise
        return body

    def write(self, name: str, content: bytes) -> None:
        """Put an object of this name, in place of what was there."""
        self.client.put_object(Bucket=self.bucket, Key=self._named(name), Body=content)

    def delete(self, sha256: str) -> None:
        """Delete a blob. Repeating it is harmless."""
        self.client.delete_object(Bucket=self.bucket, Key=self._key(sha256))

    def _named(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


class ServiceStorage:
    """Blobs through the service's `/api/v1/blobs/{sha256}`: all a worker needs is one address and one token."""

    def __init__(self, api_url: str, token: str) -> None:
        self.client = httpx.Client(
            base_url=api_url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(120, connect=5),
            transport=httpx.HTTPTransport(retries=_TRIES),
        )

    def has(self, sha256: str) -> bool:
        response = self.client.head(f"/api/v1/blobs/{sha256}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return False
        response.raise_for_status()
        return True

    def put(self, sha256: str, path: Path) -> None:
        if self._touch(sha256):
            return
        with path.open("rb") as file:
            content = iter(lambda: file.read(_CHUNK), b"")
            self.client.put(f"/api/v1/blobs/{sha256}", content=content).raise_for_status()

    def _touch(self, sha256: str) -> bool:
        """Is it there? Then it stays: garbage collection leaves young blobs alone."""
        response = self.client.post(f"/api/v1/blobs/{sha256}/touch")
        if response.status_code == httpx.codes.NOT_FOUND:
            return False
        response.raise_for_status()
        return True

    def get(self, sha256: str, path: Path) -> None:
        with self.client.stream("GET", f"/api/v1/blobs/{sha256}") as response:
            if response.status_code == httpx.codes.NOT_FOUND:
                raise KeyError(f"blob {sha256} is not in the store")
            response.raise_for_status()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for chunk in response.iter_bytes(_CHUNK):
                    file.write(chunk)


def describe_folder(folder: Path, kind: Kind, name: str, metadata: dict[str, Any]) -> tuple[Artifact, bytes]:
    """The artifact whose digest fixes all files below `folder` and `metadata`, and its manifest."""
    files = [
        File(path=path.relative_to(folder).as_posix(), sha256=file_sha256(path), num_bytes=path.stat().st_size)
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".partial"))
    ]
    artifact = Artifact(kind=kind, name=name, digest="sha256:" + "0" * 64, files=files, metadata=metadata)
    manifest = artifact.model_dump_json(exclude={"digest", "step"}).encode()
    return artifact.model_copy(update={"digest": f"sha256:{hashlib.sha256(manifest).hexdigest()}"}), manifest


def put_folder(storage: Storage, folder: Path, kind: Kind, name: str, metadata: dict[str, Any]) -> Artifact:
    """Store all files below `folder` and return the artifact whose digest fixes them and `metadata`."""
    artifact, manifest = describe_folder(folder, kind, name, metadata)
    for file in artifact.files:
        storage.put(file.sha256, folder / file.path)
    beside = folder.with_name(f".{folder.name}.manifest.{os.getpid()}")
    beside.write_bytes(manifest)
    try:
        storage.put(artifact.digest.removeprefix("sha256:"), beside)
    finally:
        beside.unlink()
    return artifact


def get_folder(storage: Storage, digest: str, cache: Path) -> Path:
    """Bring an artifact into `cache` (once) and return its folder. Every file is checked against its digest.

    Raises KeyError when something is missing in the store, ValueError when a file is damaged.
    """
    sha256 = digest.removeprefix("sha256:")
    folder = cache / sha256
    if folder.is_dir():
        return folder
    partial = cache / f".{sha256}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest_path = partial.with_suffix(".manifest")
        _get_checked(storage, sha256, manifest_path)
        manifest = Artifact.model_validate_json(
            b'{"digest":"' + digest.encode() + b'",' + manifest_path.read_bytes().removeprefix(b"{")
        )
        manifest_path.unlink()
        for file in manifest.files:
            target = (partial / file.path).resolve()
            if not target.is_relative_to(partial.resolve()):
                raise ValueError(f"artifact {digest} names a path outside its folder: {file.path}")
            _get_checked(storage, file.sha256, target)
        try:
            partial.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _get_checked(storage: Storage, sha256: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.get(sha256, path)
    if (found := file_sha256(path)) != sha256:
        raise ValueError(f"blob {sha256} is damaged in the store: its content hashes to {found}")
