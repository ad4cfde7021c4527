"""Who calls: bearer tokens, one-time login links, browser sessions.

Tokens are 32 random bytes and so need no slow hash: they are kept as SHA-256. A browser never sees a token: its login
link becomes an HttpOnly cookie, and writes under the cookie need the CSRF token, which derives from the session.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette

from app.db import Database
from app.models import Token, User
from app.queries import sessions, tokens, users
from app.settings import Settings

Role = Literal["viewer", "operator", "admin", "worker"]
PREFIX = "hr_"
EVERYWHERE = "*"
"""In place of a project's name: all projects."""
_RANK = {"viewer": 1, "operator": 2, "admin": 3}
_BOOTSTRAP: dict[str, Role] = {"bootstrap-admin": "admin", "bootstrap-worker": "worker"}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and what it may do where. `csrf` is set where a browser's cookie was used."""

    token_id: str
    """Of the token, or of the user whose browser calls."""
    name: str
    roles: Mapping[str, Role]
    """By project; for all projects under `EVERYWHERE`."""
    csrf: str | None = None
    user_id: str | None = None

    @property
    def role(self) -> Role:
        """The highest that it has in any project."""
        return max(self.roles.values(), key=lambda role: _RANK.get(role, 0))

    def reach(self, *roles: Role) -> frozenset[str] | None:
        """Projects in which it has one of the roles; None: in all, also in those yet to come.

        An admin has all roles; an operator is a viewer too; a worker is only a worker, and always for all projects.
        """
        found = frozenset(project for project, own in self.roles.items() if any(_covers(own, role) for role in roles))
        if EVERYWHERE in found:
            return None
        return found if roles != ("worker",) else frozenset()


def _covers(own: Role, role: Role) -> bool:
    if role == "worker" or own == "worker":
        return own in {role, "admin"}
    return _RANK[own] >= _RANK[role]


def lower(first: Role, second: Role) -> Role:
    """The role of the two that may less."""
    return min(first, second, key=lambda role: _RANK.get(role, 0))


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
    return await _of_token(session, row)


async def check_cookie(session: AsyncSession, cookie: str) -> Principal | None:
    """Whose browser session is this?"""
    if not cookie or len(cookie) > 200:
        return None
    digest = digest_of(cookie)
    found = await sessions.by_hash(session, digest)
    if found is None or not hmac.compare_digest(found.session.hash, digest):
        return None
    await sessions.touch(session, digest)
    if found.user is not None:
        return await _of_user(session, found.user, csrf_token(cookie))
    return await _of_token(session, found.token, csrf_token(cookie)) if found.token else None


def csrf_token(cookie: str) -> str:
    """The CSRF token of a session: derived from its cookie, which scripts cannot read."""
    return hmac.new(cookie.encode(), b"headrace csrf", hashlib.sha256).hexdigest()


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


async def _of_token(session: AsyncSession, row: Token, csrf: str | None = None) -> Principal | None:
    """What a token may do; None: nothing at all, as for one of a user who left every project."""
    role: Role = row.role  # type: ignore[assignment]  # the table's CHECK holds it to the four
    if row.user_id is None:
        return Principal(row.id, row.name, {row.project or EVERYWHERE: role}, csrf)
    user = await users.by_id(session, row.user_id)
    owner = await _of_user(session, user) if user else None
    if owner is None:
        return None
    if EVERYWHERE in owner.roles:
        roles = {row.project or EVERYWHERE: role}
    else:
        roles = {name: lower(role, own) for name, own in owner.roles.items() if row.project in {None, name}}
    return Principal(row.id, row.name, roles, csrf, row.user_id) if roles else None


async def _of_user(session: AsyncSession, user: User, csrf: str | None = None) -> Principal | None:
    if user.disabled_at is not None:
        return None
    roles: dict[str, Role] = {EVERYWHERE: "admin"} if user.is_admin else {}
    if not roles:
        for membership in await users.memberships(session, [user.id]):
            roles[membership.project] = membership.role  # type: ignore[assignment]  # held by the table's CHECK
    return Principal(user.id, user.name, roles, csrf, user.id) if roles else None
