"""Who calls: bearer tokens, one-time login links, browser sessions.

Tokens are 32 random bytes and so need no slow hash: they are kept as SHA-256. A browser never sees a token: its login
link becomes an HttpOnly cookie, and writes under the cookie need the CSRF token, which derives from the session.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette

from app.db import Database
from app.models import Session, Token, new_id
from app.queries import tokens
from app.services import audit
from app.settings import Settings

Role = Literal["viewer", "operator", "admin", "worker"]
PREFIX = "hr_"
LOGIN_SECONDS = 600
SESSION_SECONDS = 30 * 86_400
_RANK = {"viewer": 1, "operator": 2, "admin": 3}
_BOOTSTRAP: dict[str, Role] = {"bootstrap-admin": "admin", "bootstrap-worker": "worker"}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and what it may do. `csrf` is set where a browser's cookie was used."""

    token_id: str
    name: str
    role: Role
    csrf: str | None = None

    def may(self, role: Role) -> bool:
        """Has it this role? An admin has all; an operator is a viewer too; a worker is only a worker."""
        if role == "worker" or self.role == "worker":
            return self.role in {role, "admin"}
        return _RANK[self.role] >= _RANK[role]


def new_secret() -> str:
    """32 random bytes for a URL."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """SHA-256 (hex), as secrets are kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


async def authenticate_token(app: Starlette, token: str) -> Principal | None:
    """Who has this bearer token? None: nobody. `app` is the FastAPI app, whose state holds the database."""
    database: Database = app.state.database
    async with database.begin() as session:
        return await check_token(session, token)


async def check_token(session: AsyncSession, token: str) -> Principal | None:
    """Who has this bearer token? The look-up is by hash: its timing tells nothing about the token."""
    if not token.startswith(PREFIX) or len(token) > 200:
        return None
    digest = digest_of(token)
    row = await tokens.by_hash(session, digest)
    if row is None or not hmac.compare_digest(row.hash, digest):
        return None
    await tokens.touch(session, row.id)
    return _principal(row)


async def check_cookie(session: AsyncSession, cookie: str) -> Principal | None:
    """Whose browser session is this?"""
    if not cookie or len(cookie) > 200:
        return None
    digest = digest_of(cookie)
    found = await tokens.by_session(session, digest)
    if found is None or not hmac.compare_digest(found[1].hash, digest):
        return None
    return _principal(found[0], csrf_token(cookie))


def csrf_token(cookie: str) -> str:
    """The CSRF token of a session: derived from its cookie, which scripts cannot read."""
    return hmac.new(cookie.encode(), b"headrace csrf", hashlib.sha256).hexdigest()


async def create_token(
    session: AsyncSession, name: str, role: Role, author: str, expires_at: datetime | None
) -> tuple[Token, str]:
    """A new token: its row, and the token itself, which is kept nowhere."""
    secret = PREFIX + new_secret()
    row = Token(id=new_id(), name=name, role=role, hash=digest_of(secret), created_by=author, expires_at=expires_at)
    await tokens.add(session, row)
    after = {"name": name, "role": role, "expires_at": expires_at.isoformat() if expires_at else None}
    await audit.record(session, "token.create", row.id, after=after)
    return row, secret


async def revoke_token(session: AsyncSession, token_id: str) -> bool:
    """End a token and what came from it: sessions, login codes. False when there is no such valid token."""
    row = await tokens.revoke(session, token_id)
    if row is None:
        return False
    await audit.record(session, "token.revoke", token_id, before={"name": row.name, "role": row.role})
    return True


async def create_login_code(session: AsyncSession, token_id: str) -> tuple[str, datetime]:
    """A one-time code for a browser, with the rights of the token; good for ten minutes."""
    code, expires_at = new_secret(), datetime.now(UTC) + timedelta(seconds=LOGIN_SECONDS)
    await tokens.add_login_code(session, digest_of(code), token_id, expires_at)
    await audit.record(session, "login.link", token_id, after={"expires_at": expires_at.isoformat()})
    return code, expires_at


async def log_in(session: AsyncSession, code: str, request_id: str) -> str | None:
    """Use a login code up; the new session's cookie, or None when the code is unknown, used or too old."""
    if not code or len(code) > 200:
        return None
    token_id = await tokens.use_login_code(session, digest_of(code))
    if token_id is None:
        return None
    cookie, expires_at = new_secret(), datetime.now(UTC) + timedelta(seconds=SESSION_SECONDS)
    row = Session(
        hash=digest_of(cookie), token_id=token_id, csrf_hash=digest_of(csrf_token(cookie)), expires_at=expires_at
    )
    await tokens.add_session(session, row)
    token = await tokens.by_id(session, token_id)
    await audit.record(session, "session.start", token_id, caller=audit.Caller(token_id, token.name, request_id))
    return cookie


async def log_out(session: AsyncSession, cookie: str) -> None:
    """End a browser session."""
    token_id = await tokens.end_session(session, digest_of(cookie))
    if token_id is not None:
        await audit.record(session, "session.end", token_id)


async def put_bootstrap_tokens(session: AsyncSession, settings: Settings) -> None:
    """Make the tokens of the settings valid; those of an earlier start end. Raises ValueError on a weak one."""
    given = {"bootstrap-admin": settings.admin_token, "bootstrap-worker": settings.worker_token}
    for token_id, role in _BOOTSTRAP.items():
        token = given[token_id].get_secret_value()
        if not token:
            await tokens.revoke(session, token_id)
            continue
        if not token.startswith(PREFIX) or len(token) < 35:
            name = f"HEADRACE_{role.upper()}_TOKEN"
            raise ValueError(f"{name} must begin with {PREFIX} and have at least 32 random characters after it")
        await tokens.put_bootstrap(session, token_id, role, digest_of(token))


def _principal(row: Token, csrf: str | None = None) -> Principal:
    role: Role = row.role  # type: ignore[assignment]  # the table's CHECK holds it to the four
    return Principal(token_id=row.id, name=row.name, role=role, csrf=csrf)
