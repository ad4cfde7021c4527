"""All errors leave as `application/problem+json`; no stack trace ever does. RFC 9457."""

from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from app.schemas import Problem
from app.services.prefect_client import PrefectError
from app.services.problems import TYPES, ProblemError

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger()
_CONNECTION_LOST = {"08", "53", "57"}
_WRONG_VALUE = {"22", "23"}

_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request was refused; the body says why.", "content": _CONTENT},
    "5XX": {"description": "The service could not answer; try again later.", "content": _CONTENT},
}


def answer(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The problem as a response."""
    problem.instance = request.url.path
    return JSONResponse(problem.model_dump(exclude_none=True), problem.status, headers, MEDIA_TYPE)


async def on_problem(request: Request, error: Exception) -> JSONResponse:
    """A problem that our own code raised."""
    assert isinstance(error, ProblemError)  # noqa: S101  registered for it alone
    problem = Problem(
        type=TYPES + error.name, title=error.title, status=error.status, detail=error.detail, errors=error.errors
    )
    return answer(request, problem, error.headers)


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """404, 405, 401, ... of the framework and of dependencies."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it alone
    title = HTTPStatus(error.status_code).phrase
    name = title.lower().replace(" ", "-")
    detail = "" if error.detail == title else str(error.detail)
    problem = Problem(type=TYPES + name, title=title, status=error.status_code, detail=detail)
    return answer(request, problem, dict(error.headers or {}))


async def on_validation(request: Request, error: Exception) -> JSONResponse:
    """A request that does not fit its schema: a pointer for each wrong field."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for it alone
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return answer(
            request, Problem(type=TYPES + "not-json", title="Not JSON", status=400, detail="The body is not JSON.")
        )
    errors = [{"pointer": _pointer(item["loc"]), "message": item["msg"]} for item in error.errors()[:100]]
    detail = f"{len(error.errors())} field(s) are wrong."
    problem = Problem(type=TYPES + "invalid", title="Invalid request", status=422, detail=detail, errors=errors)
    return answer(request, problem)


async def on_database(request: Request, error: Exception) -> JSONResponse:
    """The database is away (503), cannot hold a value (422), or refused a statement (500: ours to mend)."""
    if isinstance(error, DBAPIError) and not _is_lost(error):
        state = _sqlstate(error)
        if state[:2] not in _WRONG_VALUE:
            return await on_bug(request, error)
        _log.warning("value refused by the database", path=request.url.path, error=str(error.orig)[:300])
        detail = "The database cannot hold a value of this request (a number out of range, a NUL character)."
        return answer(request, Problem(type=TYPES + "invalid", title="Invalid request", status=422, detail=detail))
    _log.warning("database away", path=request.url.path, error=f"{type(error).__name__}: {error}"[:300])
    detail = "The database does not answer. The request had no effect; send it again in a few seconds."
    problem = Problem(type=TYPES + "database-away", title="Database away", status=503, detail=detail)
    return answer(request, problem, {"Retry-After": "3"})


async def on_prefect(request: Request, error: Exception) -> JSONResponse:
    """Prefect is away, or refused what the service asked of it (503)."""
    _log.warning("prefect away", path=request.url.path, error=str(error)[:300])
    detail = "Prefect does not answer; send the request again in a few seconds. `headrace status` shows its state."
    problem = Problem(type=TYPES + "prefect-away", title="Prefect away", status=503, detail=detail)
    return answer(request, problem, {"Retry-After": "5"})


async def on_bug(request: Request, error: Exception) -> JSONResponse:
    """Anything else: logged whole, answered without a trace."""
    _log.error("unexpected error", path=request.url.path, exc_info=error)
    detail = "This is an error of the service; its log has the details."
    problem = Problem(type=TYPES + "internal", title="Internal error", status=500, detail=detail)
    return answer(request, problem)


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(ProblemError, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    # SQLAlchemy passes asyncpg's own errors on where a connection cannot be made (starting up, too many, no such user)
    away = (PoolTimeoutError, ConnectionError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
    for kind in (DBAPIError, *away):
        app.add_exception_handler(kind, on_database)
    app.add_exception_handler(PrefectError, on_prefect)
    app.add_exception_handler(Exception, on_bug)


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _is_lost(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    state = _sqlstate(error)
    return state[:2] in _CONNECTION_LOST or (not state and isinstance(error, OperationalError | InterfaceError))


def _pointer(location: tuple[Any, ...]) -> str:
    head, *rest = location or ("body",)
    parts = rest if head == "body" else [head, *rest]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts) or "/"
