"""SQL of one-time login codes and browser sessions. They are kept as SHA-256 (hex), and speak for a token or a user."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import LoginCode, Session, Token, User
from app.queries.tokens import VALID


class Found(NamedTuple):
    """A session with the token or the user that it speaks for."""

    session: Session
    token: Token | None
    user: User | None


async def add_login_code(
    session: AsyncSession, digest: str, token_id: str | None, user_id: str | None, expires_at: datetime
) -> None:
    """Keep a code, and drop the old ones."""
    await session.execute(delete(LoginCode).where(LoginCode.expires_at < func.now()))
    session.add(LoginCode(hash=digest, token_id=token_id, user_id=user_id, expires_at=expires_at))
    await session.flush()


async def use_login_code(session: AsyncSession, digest: str) -> LoginCode | None:
    """Use a code up; None when it is unknown, used or too old."""
    change = (
        update(LoginCode)
        .where(LoginCode.hash == digest, LoginCode.used_at.is_(None), LoginCode.expires_at > func.now())
        .values(used_at=func.now())
        .returning(LoginCode)
    )
    found: LoginCode | None = await session.scalar(change)
    return found


async def add(session: AsyncSession, row: Session) -> None:
    """Keep a browser session, and drop the old ones."""
    await session.execute(delete(Session).where(Session.expires_at < func.now()))
    session.add(row)
    await session.flush()


async def by_hash(session: AsyncSession, digest: str) -> Found | None:
    """The session of a cookie, while it and its token are valid."""
    rows = await _valid(session, Session.hash == digest)
    return rows[0] if rows else None


async def listing(session: AsyncSession, owner_id: str | None) -> list[Found]:
    """Valid sessions of this token or user (None: of all), the one that was used last first."""
    mine = (Session.token_id == owner_id) | (Session.user_id == owner_id)
    return await _valid(session, *([] if owner_id is None else [mine]))


async def _valid(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[Found]:
    query = (
        select(Session, Token, User)
        .outerjoin(Token, (Token.id == Session.token_id) & VALID[0] & VALID[1])
        .outerjoin(User, User.id == Session.user_id)
        .where(Session.expires_at > func.now(), or_(Token.id.is_not(None), User.disabled_at.is_(None)), *conditions)
        .where(or_(Token.id.is_not(None), User.id.is_not(None)))
        .order_by(func.coalesce(Session.last_seen_at, Session.created_at).desc(), Session.id)
    )
    return [Found(*row) for row in await session.execute(query)]


async def touch(session: AsyncSession, digest: str) -> None:
    """Note the use of a session, once a minute at most."""
    minute = func.now() - func.make_interval(0, 0, 0, 0, 0, 1)
    stale = or_(Session.last_seen_at.is_(None), Session.last_seen_at < minute)
    await session.execute(update(Session).where(Session.hash == digest, stale).values(last_seen_at=func.now()))


async def end(session: AsyncSession, digest: str) -> Session | None:
    """Log out; the session that ended, None when there was none."""
    ended: Session | None = await session.scalar(delete(Session).where(Session.hash == digest).returning(Session))
    return ended


async def end_by_id(session: AsyncSession, session_id: str, owner_id: str | None) -> Session | None:
    """End a session of this token or user (None: of anyone); None when there is none."""
    change = delete(Session).where(Session.id == session_id)
    if owner_id is not None:
        change = change.where((Session.token_id == owner_id) | (Session.user_id == owner_id))
    ended: Session | None = await session.scalar(change.returning(Session))
    return ended


async def end_all_of(session: AsyncSession, user_id: str) -> None:
    """End all sessions of a user, and its login codes."""
    await session.execute(delete(Session).where(Session.user_id == user_id))
    await session.execute(delete(LoginCode).where(LoginCode.user_id == user_id))
