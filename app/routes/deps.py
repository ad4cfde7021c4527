"""Dependencies of routes: who calls, and whether it may. Every route declares `require(...)` or `public`.

`Caller` is for handlers that want to know who called.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import SCOPE, Database, database, session
from app.services import audit, auth
from app.services.auth import Principal, Role
from app.services.blobs import BlobStore, build_store
from app.settings import Settings

CSRF_HEADER = "X-CSRF-Token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Guard = Callable[[Request, str | None, str | None], Awaitable[Principal]]
Project = Annotated[str | None, Query(max_length=63, description="Only what belongs to this project.")]
Chosen = Annotated[str | None, Header(alias="X-Headrace-Project", max_length=63, include_in_schema=False)]
"""The same for the UI, whose pages are about the project that was chosen there."""


def require(*roles: Role, everywhere: bool = False) -> Guard:
    """A dependency that lets in callers with one of the roles in any project, and returns who it is.

    From here on the request sees the projects in which the caller has one of the roles, and nothing else: an id of
    another project answers 404. `everywhere` wants the role for all projects.
    401 without a valid token or session, 403 with the wrong role or, for writes of browsers, without CSRF token.
    Its short transaction is over before the handler runs, so that a long stream holds no connection.
    """

    async def guard(request: Request, project: Project = None, chosen: Chosen = None) -> Principal:
        found = await identify(request)
        if found is None:
            raise HTTPException(
                401,
                "A valid token is needed: `Authorization: Bearer hr_...`; browsers log in by `headrace login`.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        reach, project = found.reach(*roles), project or chosen
        if project is not None and not everywhere:  # else it is about no project
            reach = frozenset({project} if reach is None else reach & {project})
        if reach is not None and (everywhere or not reach):
            where = " for all projects" if everywhere else f" in {project!r}" if project else ""
            raise HTTPException(403, f"This needs the role {' or '.join(roles)}{where}; the token has {found.role}.")
        _narrow(request, reach)
        audit.CALLER.set(audit.Caller(found.token_id, found.name, request_id_of(request)))
        return found

    guard.roles = roles  # type: ignore[attr-defined]  # read by the authorization matrix
    return guard


def _narrow(request: Request, reach: frozenset[str] | None) -> None:
    """Several guards of a route: what all of them allow."""
    known: frozenset[str] | None = getattr(request.state, "reach", None)
    request.state.reach = known if reach is None else reach if known is None else reach & known
    SCOPE.set(request.state.reach)


async def public() -> None:
    """Marks a route that is open to all."""


public.roles = ()  # type: ignore[attr-defined]  # read by the authorization matrix


async def identify(request: Request) -> Principal | None:
    """Who calls? A bearer token counts before the cookie. 403 for a browser's write without its CSRF token."""
    if hasattr(request.state, "principal"):
        known: Principal | None = request.state.principal
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    cookie = request.cookies.get(cookie_name(request), "")
    found: Principal | None = None
    if scheme or cookie:
        async with database(request).begin() as opened:
            if scheme.lower() == "bearer":
                found = await auth.check_token(opened, token.strip())
            elif not scheme:
                found = await auth.check_cookie(opened, cookie)
    if found and found.csrf and request.method not in _SAFE_METHODS:
        given = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), found.csrf.encode()):
            raise HTTPException(
                403, f"A browser's write needs the header {CSRF_HEADER}; GET /api/v1/auth/session has it."
            )
    request.state.principal = found
    return found


def request_id_of(request: Request) -> str:
    """The id that the answer's header `X-Request-Id` has."""
    return str(request.scope.get("request_id", ""))


def cookie_name(request: Request) -> str:
    """Cookies know no ports, so the name holds it: two services on one host keep their own sessions."""
    return f"headrace_session_{request.url.port or request.url.scheme}"


def app_settings(request: Request) -> Settings:
    """The settings of this app."""
    found: Settings = request.app.state.settings
    return found


def blob_store(request: Request) -> BlobStore:
    """The store of this app."""
    return build_store(app_settings(request))


IfMatch = Annotated[str | None, Header(description="The ETag that GET gave: 412 when it has changed since.")]
SettingsOf = Annotated[Settings, Depends(app_settings)]
DatabaseOf = Annotated[Database, Depends(database)]
SessionOf = Annotated[AsyncSession, Depends(session, scope="function")]
StoreOf = Annotated[BlobStore, Depends(blob_store)]
