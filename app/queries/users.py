"""SQL of users and their roles in projects."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Membership, User


async def by_id(session: AsyncSession, user_id: str, lock: bool = False) -> User | None:
    """The user; locked until the transaction ends, where wanted."""
    return await session.get(User, user_id, with_for_update=True if lock else None)


async def by_name(session: AsyncSession, name: str) -> User | None:
    """The user with this name."""
    found: User | None = await session.scalar(select(User).where(User.name == name))
    return found


async def all_users(session: AsyncSession) -> list[User]:
    """All users by name."""
    return list(await session.scalars(select(User).order_by(User.name)))


async def memberships(session: AsyncSession, user_ids: Sequence[str]) -> list[Membership]:
    """Roles of these users by project."""
    query = select(Membership).where(Membership.user_id.in_(user_ids)).order_by(Membership.project)
    return list(await session.scalars(query))


async def add(session: AsyncSession, user: User) -> None:
    """Keep a new user."""
    session.add(user)
    await session.flush()
    await session.refresh(user)


async def set_roles(session: AsyncSession, user_id: str, roles: Mapping[str, str]) -> None:
    """These roles in place of all that the user had."""
    await session.execute(delete(Membership).where(Membership.user_id == user_id))
    if roles:
        rows = [{"user_id": user_id, "project": project, "role": role} for project, role in roles.items()]
        await session.execute(insert(Membership), rows)


async def remove(session: AsyncSession, user: User) -> None:
    """Delete a user; its roles, tokens and sessions go with it."""
    await session.delete(user)
    await session.flush()
