"""Users and their roles. Only an admin of all projects changes them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.access_schemas import UserChange, UserInfo, UserRequest
from app.models import User, new_id
from app.queries import projects, sessions, users
from app.services import audit, etags
from app.services.problems import conflict, invalid, not_found


async def list_users(session: AsyncSession) -> list[UserInfo]:
    """All users with their roles, by name."""
    rows = await users.all_users(session)
    roles: dict[str, dict[str, str]] = {row.id: {} for row in rows}
    for membership in await users.memberships(session, list(roles)):
        roles[membership.user_id][membership.project] = membership.role
    return [_show(row, roles[row.id]) for row in rows]


async def get_user(session: AsyncSession, user_id: str) -> UserInfo:
    """One with its roles. Raises a 404 problem."""
    row = await _get(session, user_id)
    return _show(row, await _roles(session, user_id))


def etag_of(user: UserInfo) -> str:
    """Changes with all that can be edited."""
    return etags.make(user.id, user.email, user.is_admin, sorted(user.roles.items()), user.disabled)


async def create_user(session: AsyncSession, request: UserRequest, author: str) -> UserInfo:
    """A new user. Raises problems: 409 when the name is taken, 422 for an unknown project."""
    if await users.by_name(session, request.name) is not None:
        raise conflict("name-taken", f"There is a user {request.name!r} already.")
    await _check_projects(session, request.roles)
    row = User(
        id=new_id(), name=request.name, email=request.email, is_admin=request.is_admin, created_by=author
    )  # fmt: skip
    await users.add(session, row)
    await users.set_roles(session, row.id, request.roles)
    await audit.record(session, "user.create", row.id, after=request.model_dump(mode="json"))
    return _show(row, dict(request.roles))


async def change_user(session: AsyncSession, user_id: str, etag: str | None, request: UserChange) -> UserInfo:
    """Change what is given, and nothing else. A disabled user's sessions and codes end.

    Raises problems: 404, 412 when it has changed since `etag`, 422, 428 without `etag`.
    """
    row = await _get(session, user_id, lock=True)
    had = await _roles(session, user_id)
    etags.match(etag_of(_show(row, had)), etag)
    after = request.changes()
    changes = dict(after)
    before = {name: _value(row, had, name) for name in changes}
    roles = changes.pop("roles", None)
    if roles is not None:
        await _check_projects(session, roles)
        await users.set_roles(session, user_id, roles)
        had = roles
    if (disabled := changes.pop("disabled", None)) is not None:
        row.disabled_at = (row.disabled_at or datetime.now(UTC)) if disabled else None
        if disabled:
            await sessions.end_all_of(session, user_id)
    for name, value in changes.items():
        setattr(row, name, value)
    await session.flush()
    await audit.record(session, "user.change", user_id, before, after)
    return _show(row, had)


async def delete_user(session: AsyncSession, user_id: str) -> None:
    """Delete a user with its roles, tokens and sessions; what it made stays. Raises a 404 problem."""
    row = await _get(session, user_id)
    before = {"name": row.name, "email": row.email, "is_admin": row.is_admin}
    await users.remove(session, row)
    await audit.record(session, "user.delete", user_id, before)


async def _roles(session: AsyncSession, user_id: str) -> dict[str, str]:
    return {m.project: m.role for m in await users.memberships(session, [user_id])}


async def _get(session: AsyncSession, user_id: str, lock: bool = False) -> User:
    row = await users.by_id(session, user_id, lock)
    if row is None:
        raise not_found("user", user_id)
    return row


async def _check_projects(session: AsyncSession, roles: dict[str, Any]) -> None:
    if unknown := sorted(set(roles) - await projects.known(session, set(roles))):
        errors = [{"pointer": f"/roles/{name}", "message": "there is no such project"} for name in unknown]
        raise invalid("Unknown project.", errors)


def _value(row: User, roles: dict[str, str], name: str) -> Any:
    if name == "roles":
        return roles
    return row.disabled_at is not None if name == "disabled" else getattr(row, name)


def _show(row: User, roles: dict[str, Any]) -> UserInfo:
    return UserInfo(
        id=row.id,
        name=row.name,
        email=row.email,
        is_admin=row.is_admin,
        roles=roles,
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )
