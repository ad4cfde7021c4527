"""Tokens, login links, browser sessions."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app.access_schemas import BrowserSession, LoginLink, SessionInfo, TokenCreated, TokenInfo, TokenRequest
from app.routes.deps import SessionOf, SettingsOf, cookie_name, public, request_id_of, require
from app.routes.pages import plain_page
from app.schemas import Page
from app.services import logins, tokens
from app.services.auth import Principal
from app.settings import Settings

router = APIRouter(tags=["auth"])
Admin = Annotated[Principal, Depends(require("admin"))]
Viewer = Annotated[Principal, Depends(require("viewer"))]


@router.post("/api/v1/tokens", operation_id="create_token", status_code=201)
async def create_token(body: TokenRequest, caller: Admin, session: SessionOf) -> TokenCreated:
    """Make a token. It is shown in this answer only."""
    row, secret = await tokens.create_token(session, body, caller)
    return TokenCreated(id=row.id, name=row.name, role=body.role, token=secret)


@router.get("/api/v1/tokens", operation_id="list_tokens")
async def list_tokens(caller: Admin, session: SessionOf) -> Page[TokenInfo]:
    """Tokens of the caller's projects that were not revoked, without their secrets."""
    return Page(items=await tokens.list_tokens(session))


@router.delete("/api/v1/tokens/{token_id}", operation_id="revoke_token", status_code=204)
async def revoke_token(token_id: str, caller: Admin, session: SessionOf) -> None:
    """End a token and the browser sessions that came from it, at once."""
    await tokens.revoke_token(session, token_id)


@router.post("/api/v1/auth/login-link", operation_id="create_login_link", status_code=201)
async def create_login_link(request: Request, caller: Viewer, session: SessionOf, settings: SettingsOf) -> LoginLink:
    """A link that logs one browser in, once, within ten minutes, with the caller's rights."""
    return login_link(request, settings, await logins.create_code(session, caller))


def login_link(request: Request, settings: Settings, made: tuple[str, datetime]) -> LoginLink:
    """The link with this code."""
    code, expires_at = made
    base = settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return LoginLink(url=f"{base}/login?code={code}", code=code, expires_at=expires_at)


@router.get("/login", include_in_schema=False, dependencies=[Depends(public)])
async def log_in(
    request: Request, session: SessionOf, settings: SettingsOf, code: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Turn a login code into a session's cookie."""
    cookie = await logins.log_in(session, code, request.headers.get("user-agent", ""), request_id_of(request))
    if cookie is None:
        page = plain_page(
            "This login link does not work", "It was used or is older than ten minutes.", "headrace login"
        )
        return HTMLResponse(page, 400, {"Cache-Control": "no-store"})
    answer = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
    answer.set_cookie(
        cookie_name(request),
        cookie,
        max_age=logins.SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https" or settings.public_url.startswith("https://"),
    )
    return answer


@router.get("/api/v1/auth/session", operation_id="get_session")
async def get_session(caller: Annotated[Principal, Depends(require("viewer", "worker"))]) -> SessionInfo:
    """Who calls, and the CSRF token for a browser's writes."""
    return SessionInfo(name=caller.name, role=caller.role, roles=dict(caller.roles), csrf_token=caller.csrf)


@router.get("/api/v1/auth/sessions", operation_id="list_sessions")
async def list_sessions(request: Request, caller: Viewer, session: SessionOf) -> Page[BrowserSession]:
    """Browsers that are logged in as the caller; an admin of all projects sees everyone's."""
    cookie = request.cookies.get(cookie_name(request), "")
    return Page(items=await logins.list_sessions(session, caller, cookie))


@router.delete("/api/v1/auth/sessions/{session_id}", operation_id="end_session", status_code=204)
async def end_session(session_id: str, caller: Viewer, session: SessionOf) -> None:
    """Log a browser out, at once."""
    await logins.end_session(session, caller, session_id)


@router.post(
    "/api/v1/auth/logout",
    operation_id="log_out",
    status_code=204,
    dependencies=[Depends(require("viewer"))],
)
async def log_out(request: Request, response: Response, session: SessionOf) -> None:
    """End this browser's session."""
    name = cookie_name(request)
    if cookie := request.cookies.get(name):
        await logins.log_out(session, cookie)
        response.delete_cookie(name, httponly=True, samesite="strict")
