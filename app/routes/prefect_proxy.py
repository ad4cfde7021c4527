"""Prefect's API for workers, behind our own tokens: all that a worker needs is one address and one token.

Prefect's client sends `PREFECT_API_AUTH_STRING=worker:<token>` as Basic authentication on HTTP, and as the first
message of each websocket. Both are checked here and replaced by the server's own secret, which never leaves it.
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import APIRouter, FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.services.auth import authenticate_token
from app.services.work_polls import WorkPolls
from app.settings import Settings

router = APIRouter(prefix="/api/v1/prefect/api", include_in_schema=False)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "host",
    "authorization",
    "content-length",
    "cookie",
}
_POLICY_VIOLATION = 1008
_POLL = re.compile(r"work_pools/([^/]+)/get_scheduled_flow_runs/?")
_NEWS = re.compile(r".*/(create_flow_run|set_state|resume)/?")
"""Calls after which there may be work: a run was made, or one has ended and left its slot."""


@asynccontextmanager
async def prefect_upstream(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Connections to Prefect for the life of the service."""
    user, _, password = settings.prefect_auth.get_secret_value().partition(":")
    async with httpx.AsyncClient(
        base_url=settings.prefect_api_url.rstrip("/"),
        auth=(user, password) if user else None,
        timeout=httpx.Timeout(60, connect=3),
    ) as client:
        app.state.prefect_upstream = client
        yield


@router.api_route("/{path:path}", methods=_METHODS)
async def forward(path: str, request: Request) -> Response:
    """Forward one call of a worker to Prefect."""
    if not await _is_worker(request.app, _basic_password(request.headers.get("authorization", ""))):
        return Response(status_code=httpx.codes.UNAUTHORIZED, headers={"WWW-Authenticate": "Basic"})
    upstream: httpx.AsyncClient = request.app.state.prefect_upstream
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
    # The raw path keeps what is escaped in it; Prefect's own routing decides what it means.
    url = upstream.base_url.copy_with(raw_path=_raw_path(upstream, request))
    call = upstream.build_request(request.method, url, headers=headers, content=await request.body())
    polls: WorkPolls = request.app.state.work_polls
    try:
        if poll := _POLL.fullmatch(path):
            answer = await polls.ask(poll[1], lambda: upstream.send(call), lambda answer: answer.content == b"[]")
            kept = {name: value for name, value in _kept(answer).items() if name.lower() != "content-encoding"}
            return Response(answer.content, answer.status_code, kept)  # it was read, and so unpacked
        answer = await upstream.send(call, stream=True)
    except httpx.TransportError as error:
        detail = json.dumps({"detail": f"Prefect does not answer: {type(error).__name__}"})
        return Response(detail, httpx.codes.SERVICE_UNAVAILABLE, {"Retry-After": "2"}, "application/json")
    if _NEWS.fullmatch(path):
        polls.wake()
    return StreamingResponse(_drain(answer), answer.status_code, _kept(answer))


def _kept(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}


@router.websocket("/{path:path}")
async def forward_socket(path: str, websocket: WebSocket) -> None:
    """Forward a websocket (events, logs, the worker's channel) in both directions."""
    await websocket.accept(subprotocol="prefect")
    try:
        hello = await asyncio.wait_for(websocket.receive_json(), timeout=10)
        token = str(hello.get("token", "")).partition(":")[2]
    except (TimeoutError, ValueError, WebSocketDisconnect):
        await _close(websocket)
        return
    if not await _is_worker(websocket.app, token):
        await _close(websocket)
        return
    settings: Settings = websocket.app.state.settings
    upstream: httpx.AsyncClient = websocket.app.state.prefect_upstream
    url = upstream.base_url.copy_with(
        scheme={"http": "ws", "https": "wss"}[upstream.base_url.scheme], raw_path=_raw_path(upstream, websocket)
    )
    secret = settings.prefect_auth.get_secret_value()
    try:
        async with connect(str(url), subprotocols=[Subprotocol("prefect")], max_size=None, open_timeout=10) as socket:
            await socket.send(json.dumps(hello | {"token": secret}))
            await _pump(websocket, socket)
    except (OSError, ConnectionClosed, TimeoutError):
        await _close(websocket, 1011)


async def _pump(websocket: WebSocket, socket: ClientConnection) -> None:
    async def up() -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            content = message.get("text")
            await socket.send(content if content is not None else message["bytes"])

    async def down() -> None:
        async for content in socket:
            await (websocket.send_text(content) if isinstance(content, str) else websocket.send_bytes(content))

    tasks = {asyncio.create_task(up()), asyncio.create_task(down())}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        if (error := task.exception()) and not isinstance(error, ConnectionClosed | WebSocketDisconnect | RuntimeError):
            raise error
    await _close(websocket, socket.close_code or 1000)


async def _close(websocket: WebSocket, code: int = _POLICY_VIOLATION) -> None:
    try:
        await websocket.close(code)
    except RuntimeError:
        return  # closed already from the other side


async def _drain(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def _raw_path(upstream: httpx.AsyncClient, connection: Request | WebSocket) -> bytes:
    raw: bytes = connection.scope.get("raw_path") or connection.scope["path"].encode()
    tail = raw.split(b"?")[0].partition(b"/api/v1/prefect/api")[2]
    query: bytes = connection.scope.get("query_string", b"")
    path = upstream.base_url.raw_path.rstrip(b"/") + tail
    return path + b"?" + query if query else path


def _basic_password(header: str) -> str:
    scheme, _, value = header.partition(" ")
    return _decode(value) if scheme.lower() == "basic" else ""


def _decode(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (ValueError, UnicodeDecodeError):
        return ""


async def _is_worker(app: FastAPI, token: str) -> bool:
    principal = await authenticate_token(app, token) if token else None
    return principal is not None and principal.reach("worker") is None
