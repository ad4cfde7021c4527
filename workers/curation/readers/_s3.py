"""Objects of an S3 bucket: listing and download with time limits, bounded retries and errors that say what to do.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
"""

import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from urllib3.exceptions import HTTPError

from workers.curation.readers._files import InputError
from workers.curation.readers._shared import RejectError

_TRIES = 4
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_CHUNK_BYTES = 1 << 20
_PAGE_KEYS = 1000
_CUT = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError, HTTPError, ConnectionError, TimeoutError)
_WRONG_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidClientTokenId"}
_REFUSED = {"AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem"}
_MISSING = {"NoSuchKey", "404", "NotFound"}
_OTHER_REGION = {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}


class Bucket:
    """A bucket at an S3 service; `endpoint_url` None is AWS or what the environment says."""

    def __init__(self, name: str, endpoint_url: str | None = None) -> None:
        self.name, self.endpoint_url = name, endpoint_url

    @cached_property
    def client(self) -> Any:
        """A client whose calls end: 5 s to connect, 30 s to read, four tries."""
        import boto3  # here: it takes 0.1 s that runs without S3 save
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _TRIES, "mode": "standard"},
        )
        try:
            return boto3.session.Session().client("s3", endpoint_url=self.endpoint_url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise InputError(f"no S3 client for s3://{self.name}: {error}") from None

    def list(self, prefix: str) -> Iterator[dict[str, Any]]:
        """`Key`, `Size`, `ETag` of each object whose key begins so, by key. Raises InputError."""
        try:
            paginator = self.client.get_paginator("list_objects_v2")
            sizes = {"PageSize": _PAGE_KEYS}
            pages = paginator.paginate(Bucket=self.name, Prefix=prefix, PaginationConfig=sizes)
            for page in pages:
                yield from page.get("Contents", [])
        except (ClientError, BotoCoreError) as error:
            raise InputError(self.explain(error, "listed", "s3:ListBucket")) from None

    def download(self, key: str, etag: str, path: Path) -> None:
        """Stream an object into a file; a connection that is cut goes on where it stopped.

        Raises RejectError `s3_refused`, `s3_missing`, `s3_changed` for what concerns this object alone, InputError for
        what concerns the service.
        """
        with path.open("wb") as file:
            for attempt in range(1, _TRIES + 1):
                try:
                    self._copy(key, etag, file)
                except _CUT as error:
                    if attempt == _TRIES:
                        raise InputError(self.explain(error, "read", "s3:GetObject")) from None
                    time.sleep(0.2 * 2**attempt)
                except ClientError as error:
                    raise self._judge(error, key) from None
                except BotoCoreError as error:
                    raise InputError(self.explain(error, "read", "s3:GetObject")) from None
                else:
                    return

    def _copy(self, key: str, etag: str, file: Any) -> None:
        start = file.tell()
        part = {"Range": f"bytes={start}-"} if start else {}
        response = self.client.get_object(Bucket=self.name, Key=key, IfMatch=etag, **part)
        for chunk in response["Body"].iter_chunks(_CHUNK_BYTES):
            file.write(chunk)
            start += len(chunk)
        wanted = response["ContentLength"] if not part else int(response["ContentRange"].rpartition("/")[2])
        if start < wanted:
            raise ConnectionError(f"{start} of {wanted} bytes came")

    def _judge(self, error: ClientError, key: str) -> Exception:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            return RejectError("s3_missing", f"{key} was listed, but is not there any more")
        if code in {"PreconditionFailed", "412"}:
            return RejectError("s3_changed", f"{key} was replaced while the run was under way: start it again")
        if code in {"InvalidRange", "416"}:
            return RejectError("s3_changed", f"{key} became shorter while it was read: start the run again")
        if code in _REFUSED or code == "InvalidObjectState":
            return RejectError("s3_refused", f"{key}: {code}; the worker's keys need s3:GetObject on it")
        return InputError(self.explain(error, "read", "s3:GetObject"))

    def explain(self, error: Exception, done: str, permission: str) -> str:
        """What is wrong and what to do, for the person who started the run."""
        where = self.endpoint_url or "the S3 service of the worker's environment"
        bucket = f"s3://{self.name}"
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return (
                f"{bucket} cannot be {done}: this worker has no S3 keys. Set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) in its environment"
            )
        code = str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
        if code in _WRONG_KEYS:
            return (
                f"{bucket} cannot be {done}: {where} does not know the worker's keys ({code}). Check "
                "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN in the worker's environment"
            )
        if code in _REFUSED:
            return f"{bucket} cannot be {done}: {where} refuses the worker's keys. They need {permission} on it"
        if code == "NoSuchBucket":
            return f"there is no bucket {bucket} at {where}. Check its name, and input.endpoint_url"
        if code in _OTHER_REGION:
            return f"{bucket} is in another region: set AWS_DEFAULT_REGION in the worker's environment ({error})"
        return (
            f"{bucket} cannot be {done}: {where} does not answer as it should after {_TRIES} tries ({error}). "
            "Check input.endpoint_url and the network, and start again"
        )
