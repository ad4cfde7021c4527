"""Login links and browser sessions, of tokens and of users."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.access_schemas import BrowserSession
from app.models import Session, Token, User
from app.queries import sessions, users
from app.services import audit
from app.services.auth import EVERYWHERE, Principal, csrf_token, digest_of, new_secret
from app.services.problems import conflict, not_found

LOGIN_SECONDS = 600
SESSION_SECONDS = 30 * 86_400


async def create_code(session: AsyncSession, caller: Principal) -> tuple[str, datetime]:
    """A one-time code for a browser, with the rights of the caller; good for ten minutes."""
    if caller.token_id == caller.user_id:
        return await _add_code(session, None, caller.user_id)
    return await _add_code(session, caller.token_id, None)


async def create_code_for(session: AsyncSession, user_id: str) -> tuple[str, datetime]:
    """A one-time code for a user's browser. Raises problems: 404, 409 for a user who may not log in."""
    user = await users.by_id(session, user_id)
    if user is None:
        raise not_found("user", user_id)
    if user.disabled_at is not None:
        raise conflict("user-disabled", f"The user {user.name} is disabled: enable it first.")
    return await _add_code(session, None, user_id)


async def _add_code(session: AsyncSession, token_id: str | None, user_id: str | None) -> tuple[str, datetime]:
    code, expires_at = new_secret(), datetime.now(UTC) + timedelta(seconds=LOGIN_SECONDS)
    await sessions.add_login_code(session, digest_of(code), token_id, user_id, expires_at)
    after = {"expires_at": expires_at.isoformat()}
    await audit.record(session, "login.link", token_id or user_id or "", after=after)
    return code, expires_at


async def log_in(session: AsyncSession, code: str, agent: str, request_id: str) -> str | None:
    """Use a login code up; the new session's cookie, or None when the code is unknown, used or too old."""
    if not code or len(code) > 200:
        return None
    used = await sessions.use_login_code(session, digest_of(code))
    if used is None:
        return None
    cookie, expires_at = new_secret(), datetime.now(UTC) + timedelta(seconds=SESSION_SECONDS)
    row = Session(
        hash=digest_of(cookie),
        token_id=used.token_id,
        user_id=used.user_id,
        agent=agent.replace("\0", "")[:300],
        csrf_hash=digest_of(csrf_token(cookie)),
        expires_at=expires_at,
    )
    await sessions.add(session, row)
    owner = await session.get_one(Token, used.token_id) if used.token_id else await session.get_one(User, used.user_id)
    who = audit.Caller(owner.id, owner.name, request_id)
    await audit.record(session, "session.start", row.id, after={"agent": row.agent}, caller=who)
    return cookie


async def log_out(session: AsyncSession, cookie: str) -> None:
    """End a browser's session."""
    ended = await sessions.end(session, digest_of(cookie))
    if ended is not None:
        await audit.record(session, "session.end", ended.id)


async def list_sessions(session: AsyncSession, caller: Principal, cookie: str) -> list[BrowserSession]:
    """The caller's own sessions; an admin of all projects sees everyone's."""
    mine = digest_of(cookie)
    return [
        BrowserSession(
            id=found.session.id,
            name=found.user.name if found.user else found.token.name if found.token else "",
            agent=found.session.agent,
            created_at=found.session.created_at,
            last_seen_at=found.session.last_seen_at,
            expires_at=found.session.expires_at,
            current=found.session.hash == mine,
        )
        for found in await sessions.listing(session, _whose(caller))
    ]


async def end_session(session: AsyncSession, caller: Principal, session_id: str) -> None:
    """End one of the sessions that the caller sees. Raises a 404 problem."""
    ended = await sessions.end_by_id(session, session_id, _whose(caller))
    if ended is None:
        raise not_found("session", session_id)
    await audit.record(session, "session.end", ended.id, before={"agent": ended.agent})


def _whose(caller: Principal) -> str | None:
    return None if caller.roles.get(EVERYWHERE) == "admin" else caller.token_id
