"""SQL of tokens. They are kept as SHA-256 (hex)."""

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import LoginCode, Session, Token, User

VALID = (Token.revoked_at.is_(None), or_(Token.expires_at.is_(None), Token.expires_at > func.now()))
"""Conditions of a token that may be used."""


async def by_hash(session: AsyncSession, digest: str) -> Token | None:
    """The valid token with this hash."""
    found: Token | None = await session.scalar(select(Token).where(Token.hash == digest, *VALID))
    return found


async def touch(session: AsyncSession, token_id: str) -> None:
    """Note the use of a token, once a minute at most."""
    stale = or_(Token.last_used_at.is_(None), Token.last_used_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 1))
    await session.execute(update(Token).where(Token.id == token_id, stale).values(last_used_at=func.now()))


async def all_tokens(session: AsyncSession) -> list[tuple[Token, str | None]]:
    """All tokens that were not revoked with the names of their users, the newest first."""
    query = select(Token, User.name).outerjoin(User, User.id == Token.user_id).where(Token.revoked_at.is_(None))
    rows = await session.execute(query.order_by(Token.created_at.desc(), Token.id.desc()))
    return [(row[0], row[1]) for row in rows]


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


async def revoke(session: AsyncSession, token_id: str) -> Token | None:
    """End a token and its browser sessions. None when there is no such valid token."""
    change = update(Token).where(Token.id == token_id, Token.revoked_at.is_(None)).values(revoked_at=func.now())
    found: Token | None = await session.scalar(change.returning(Token))
    await session.execute(delete(Session).where(Session.token_id == token_id))
    await session.execute(delete(LoginCode).where(LoginCode.token_id == token_id))
    return found
