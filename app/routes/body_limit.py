"""No request body over its limit is read into memory: 413."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MIB = 1 << 20
LIMITS = {"/api/v1/ingest/": 64 * _MIB, "/api/v1/blobs/": None, "/api/v1/prefect/": 64 * _MIB}
DEFAULT_LIMIT = 4 * _MIB


class BodyLimit:
    """Middleware that counts the bytes of a body, whatever its Content-Length says. Blobs stream to disk: no limit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that stops at the limit."""
        limit = _limit(scope["path"]) if scope["type"] == "http" else None
        if limit is None:
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        too_large = declared.isdigit() and int(declared) > limit
        num_bytes = 0

        async def limited() -> Message:
            nonlocal num_bytes
            if too_large:
                raise _problem(limit)
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > limit:
                raise _problem(limit)
            return message

        await self.app(scope, limited, send)


def _limit(path: str) -> int | None:
    for prefix, limit in LIMITS.items():
        if path.startswith(prefix):
            return limit
    return DEFAULT_LIMIT


def _problem(limit: int) -> HTTPException:
    # an HTTPException: FastAPI passes only that on while it reads a body
    return HTTPException(413, f"The limit here is {limit // _MIB} MiB; send less at once.")
