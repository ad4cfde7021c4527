"""Blobs by their SHA-256, and files out of artifacts."""

import mimetypes
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from app.dataset_schemas import Collected, CollectRequest
from app.routes.deps import DatabaseOf, StoreOf, require
from app.services import artifacts, collection
from app.services.blobs import BlobMismatchError, StorageFullError, StorageUnavailableError

router = APIRouter(tags=["blobs"])
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the content, hex.")]
DigestPath = Annotated[str, Path(pattern=r"^(sha256:)?[0-9a-f]{64}$", description="`sha256:` and 64 hex digits.")]
_INLINE = {"text/plain", "application/json"}
_TEXT_SUFFIXES = (".txt", ".md", ".jsonl", ".yaml", ".yml", ".log", ".csv")
_BINARY = "application/octet-stream"
_READ: dict[int | str, dict[str, Any]] = {200: {"content": {_BINARY: {}}, "description": "The content."}}


@router.head("/api/v1/blobs/{sha256}", operation_id="stat_blob", dependencies=[Depends(require("worker"))])
async def stat_blob(sha256: Sha256, store: StoreOf) -> Response:
    """Is the blob there, and how large is it?"""
    return Response(headers=_headers(await _size(store, sha256), _BINARY))


@router.get(
    "/api/v1/blobs/{sha256}",
    operation_id="get_blob",
    response_class=StreamingResponse,
    responses=_READ,
    dependencies=[Depends(require("worker"))],
)
async def get_blob(sha256: Sha256, store: StoreOf) -> StreamingResponse:
    """The content of a blob."""
    size = await _size(store, sha256)
    return StreamingResponse(store.read(sha256), headers=_headers(size, _BINARY), media_type=_BINARY)


@router.put(
    "/api/v1/blobs/{sha256}",
    operation_id="put_blob",
    status_code=204,
    dependencies=[Depends(require("worker"))],
    openapi_extra={"requestBody": {"content": {_BINARY: {}}, "required": True}},
)
async def put_blob(sha256: Sha256, request: Request, store: StoreOf, database: DatabaseOf) -> None:
    """Store a blob. It appears once its content was verified; repeating it is harmless."""
    try:
        await store.write(sha256, _body(request))
        if not await collection.stored(database, store, sha256):
            raise HTTPException(503, "Garbage collection was faster. Send it again.", {"Retry-After": "1"})
    except BlobMismatchError as error:
        raise HTTPException(422, f"Not stored: {error}. Send it again.") from error
    except StorageFullError as error:
        raise HTTPException(507, f"Not stored: {error.strerror}") from error
    except StorageUnavailableError as error:
        raise HTTPException(503, str(error), {"Retry-After": "5"}) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The connection ended before the whole blob was here.") from error


@router.post(
    "/api/v1/blobs/{sha256}/touch",
    operation_id="touch_blob",
    status_code=204,
    dependencies=[Depends(require("worker"))],
)
async def touch_blob(sha256: Sha256, store: StoreOf, database: DatabaseOf) -> None:
    """The blob is about to become part of an artifact: it counts as stored just now. 404 when it is not there."""
    try:
        there = await store.touch(sha256) and await collection.stored(database, store, sha256)
    except StorageUnavailableError as error:
        raise HTTPException(503, str(error), {"Retry-After": "5"}) from error
    if not there:
        raise HTTPException(404, f"Blob {sha256} is not in the store.")


@router.post("/api/v1/gc", operation_id="collect_garbage", dependencies=[Depends(require("admin", everywhere=True))])
async def collect_garbage(body: CollectRequest, store: StoreOf, database: DatabaseOf) -> Collected:
    """One step of deleting blobs that no artifact names; without `apply` it only counts. Go on with `next_cursor`."""
    try:
        return await collection.collect(database, store, body)
    except StorageUnavailableError as error:
        raise HTTPException(503, str(error), {"Retry-After": "5"}) from error


@router.get(
    "/api/v1/artifacts/{digest}/files/{path:path}",
    operation_id="get_artifact_file",
    response_class=StreamingResponse,
    responses=_READ,
    dependencies=[Depends(require("viewer", "worker"))],
)
async def get_artifact_file(digest: DigestPath, path: str, store: StoreOf, database: DatabaseOf) -> StreamingResponse:
    """One file of an artifact. Only paths that its manifest lists exist."""
    async with database.begin() as session:
        try:
            file = await artifacts.find_file(session, store, digest, path)
        except KeyError as error:
            raise HTTPException(404, str(error.args[0])) from error
    size = await _size(store, file.sha256)
    media_type = content_type(path)
    headers = _headers(size, media_type)
    if media_type.partition(";")[0] not in _INLINE:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(path.rpartition('/')[2], safe='')}"
    # Its name is the hash of its content, so it never changes.
    headers["Cache-Control"] = "private, max-age=31536000, immutable"
    headers["ETag"] = f'"{file.sha256}"'
    return StreamingResponse(store.read(file.sha256), headers=headers, media_type=media_type)


def content_type(path: str) -> str:
    """Media type of a file that a browser may be shown: text and JSON as such, never anything that runs."""
    if path.endswith(_TEXT_SUFFIXES):
        return "text/plain; charset=utf-8"
    guessed = mimetypes.guess_type(path)[0] or _BINARY
    return guessed if guessed in _INLINE else _BINARY if guessed.startswith("text/") else guessed


def _headers(size: int, media_type: str) -> dict[str, str]:
    return {"Content-Length": str(size), "Content-Type": media_type}


async def _size(store: StoreOf, sha256: str) -> int:
    try:
        size = await store.size(sha256)
    except StorageUnavailableError as error:
        raise HTTPException(503, str(error), {"Retry-After": "5"}) from error
    if size is None:
        raise HTTPException(404, f"Blob {sha256} is not in the store.")
    return size


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk
