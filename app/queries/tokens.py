"""SQL of tokens, one-time login codes and browser sessions. All are kept as SHA-256 (hex)."""

from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import LoginCode, Session, Token

_VALID = (Token.revoked_at.is_(None), or_(Token.expires_at.is_(None), Token.expires_at > func.now()))


async def by_hash(session: AsyncSession, digest: str) -> Token | None:
    """The valid token with this hash."""
    found: Token | None = await session.scalar(select(Token).where(Token.hash == digest, *_VALID))
    return found


async def touch(session: AsyncSession, token_id: str) -> None:
    """Note the use of a token, once a minute at most."""
    stale = or_(Token.last_used_at.is_(None), Token.last_used_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 1))
    await session.execute(update(Token).where(Token.id == token_id, stale).values(last_used_at=func.now()))


async def all_tokens(session: AsyncSession) -> list[Token]:
    """All tokens that were not revoked, the newest first."""
    query = select(Token).where(Token.revoked_at.is_(None)).order_by(Token.created_at.desc(), Token.id.desc())
    return list(await session.scalars(query))


async def add(session: AsyncSession, token: Token) -> None:
    """Keep a new token."""
    session.add(token)
    await session.flush()


async def put_bootstrap(session: AsyncSession, token_id: str, role: str, digest: str) -> None:
    """Make the token of the settings valid; the one that stood there before is valid no more."""
    values = {"id": token_id, "name": token_id, "role": role, "hash": digest, "created_by": "settings"}
    statement = insert(Token).values(**values)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[Token.id], set_={"hash": digest, "role": role, "revoked_at": None}
        )
    )


async def by_id(session: AsyncSession, token_id: str) -> Token:
    """The token with this id, which is there."""
    return await session.get_one(Token, token_id)


async def revoke(session: AsyncSession, token_id: str) -> Token | None:
    """End a token and its browser sessions. None when there is no such valid token."""
    change = update(Token).where(Token.id == token_id, Token.revoked_at.is_(None)).values(revoked_at=func.now())
    found: Token | None = await session.scalar(change.returning(Token))
    await session.execute(delete(Session).where(Session.token_id == token_id))
    await session.execute(delete(LoginCode).where(LoginCode.token_id == token_id))
    return found


async def add_login_code(session: AsyncSession, digest: str, token_id: str, expires_at: datetime) -> None:
    """Keep a code, and drop the old ones."""
    await session.execute(delete(LoginCode).where(LoginCode.expires_at < func.now()))
    session.add(LoginCode(hash=digest, token_id=token_id, expires_at=expires_at))
    await session.flush()


async def use_login_code(session: AsyncSession, digest: str) -> str | None:
    """Use a code up; the id of its token, or None when it is unknown, used or too old."""
    change = (
        update(LoginCode)
        .where(LoginCode.hash == digest, LoginCode.used_at.is_(None), LoginCode.expires_at > func.now())
        .values(used_at=func.now())
        .returning(LoginCode.token_id)
    )
    token_id: str | None = await session.scalar(change)
    return token_id


async def add_session(session: AsyncSession, row: Session) -> None:
    """Keep a browser session, and drop the old ones."""
    await session.execute(delete(Session).where(Session.expires_at < func.now()))
    session.add(row)
    await session.flush()


async def by_session(session: AsyncSession, digest: str) -> tuple[Token, Session] | None:
    """The token and the session of a cookie, while both are valid."""
    query = (
        select(Token, Session)
        .join(Session, Session.token_id == Token.id)
        .where(Session.hash == digest, Session.expires_at > func.now(), *_VALID)
    )
    row = (await session.execute(query)).first()
    return (row[0], row[1]) if row else None


async def end_session(session: AsyncSession, digest: str) -> str | None:
    """Log out; the id of the session's token, None when there was no such session."""
    ended: str | None = await session.scalar(delete(Session).where(Session.hash == digest).returning(Session.token_id))
    return ended
