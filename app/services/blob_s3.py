"""Blobs in a bucket of any S3 endpoint, `prefix/ab/cdef...`."""

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.services.blob_files import StorageUnavailableError, StoredBlob, pieces, receive

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_NAME = re.compile(r"[0-9a-f]{62}")
_TOUCH_AFTER_SECONDS = 600.0
_DELETE_AT_ONCE = 1000


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
        partial = await receive(sha256, chunks, folder)
        try:
            await asyncio.to_thread(self.client.upload_file, str(partial), self.bucket, self._key(sha256))
        except (BotoCoreError, ClientError, boto3.exceptions.S3UploadFailedError) as error:
            raise StorageUnavailableError(f"the store at s3://{self.bucket} refused the blob: {error}") from error
        finally:
            await asyncio.to_thread(partial.unlink, missing_ok=True)

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in pieces."""
        answer = await self._call("get_object", Key=self._key(sha256))
        async for chunk in pieces(answer["Body"]):
            yield chunk

    async def check(self) -> str:
        """Does the bucket answer?"""
        try:
            await self._call("head_bucket")
        except KeyError:
            raise StorageUnavailableError(f"bucket {self.bucket} does not exist") from None
        return f"s3://{self.bucket}/{self.prefix}"

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        try:
            return await asyncio.to_thread(getattr(self.client, method), Bucket=self.bucket, **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise KeyError(arguments.get("Key", self.bucket)) from None
            raise StorageUnavailableError(f"the store at s3://{self.bucket} answers: {error}") from error
        except BotoCoreError as error:
            raise StorageUnavailableError(f"the store at s3://{self.bucket} does not answer: {error}") from error

    async def touch(self, sha256: str) -> bool:
        """Is it there? Then it counts as stored just now, and stays out of reach of garbage collection."""
        key = self._key(sha256)
        try:
            head = await self._call("head_object", Key=key)
        except KeyError:
            return False
        if time.time() - head["LastModified"].timestamp() > _TOUCH_AFTER_SECONDS:
            await asyncio.to_thread(self._copy_onto_itself, key)
        return True

    def _copy_onto_itself(self, key: str) -> None:
        try:
            arguments = {"MetadataDirective": "REPLACE"}
            self.client.copy({"Bucket": self.bucket, "Key": key}, self.bucket, key, ExtraArgs=arguments)
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailableError(f"the store at s3://{self.bucket} did not renew a blob: {error}") from error

    async def listing(self, prefix: str) -> list[StoredBlob]:
        """Blobs whose SHA-256 begins with these two digits."""
        try:
            return await asyncio.to_thread(self._list, prefix)
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailableError(f"the store at s3://{self.bucket} does not list: {error}") from error

    def _list(self, prefix: str) -> list[StoredBlob]:
        start = self._key(prefix + "0").removesuffix("0")
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
        return [
            StoredBlob(prefix + name, int(item["Size"]), item["LastModified"].timestamp())
            for page in pages
            for item in page.get("Contents", [])
            if _NAME.fullmatch(name := item["Key"].removeprefix(start))
        ]

    async def delete(self, sha256s: list[str]) -> None:
        """Remove blobs; those that are not there are no error."""
        for start in range(0, len(sha256s), _DELETE_AT_ONCE):
            keys = [{"Key": self._key(sha256)} for sha256 in sha256s[start : start + _DELETE_AT_ONCE]]
            answer = await self._call("delete_objects", Delete={"Objects": keys, "Quiet": True})
            if errors := answer.get("Errors"):
                raise StorageUnavailableError(f"the store at s3://{self.bucket} kept a blob: {errors[0]}")

    async def delete_partial(self, prefix: str, before: float) -> None:
        """Nothing to do: unfinished uploads are no objects (a lifecycle rule of the bucket ends them)."""
