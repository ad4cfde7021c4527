"""Tokens: nobody makes one that may more than its maker, or than its user."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.access_schemas import TokenInfo, TokenRequest
from app.models import Token, new_id
from app.queries import projects, tokens, users
from app.services import audit
from app.services.auth import PREFIX, Principal, digest_of, new_secret
from app.services.problems import ProblemError, invalid, not_found


async def create_token(session: AsyncSession, request: TokenRequest, caller: Principal) -> tuple[Token, str]:
    """A new token: its row, and the token itself, which is kept nowhere. Raises problems: 403, 422."""
    project = await _project(session, request, caller)
    if request.user_id is not None:
        await _check_user(session, request, caller)
    secret = PREFIX + new_secret()
    row = Token(
        id=new_id(),
        name=request.name,
        role=request.role,
        project=project,
        user_id=request.user_id,
        hash=digest_of(secret),
        created_by=caller.name,
        expires_at=request.expires_at,
    )
    await tokens.add(session, row)
    after = request.model_dump(mode="json") | {"project": project}
    await audit.record(session, "token.create", row.id, after=after, project=project)
    return row, secret


async def _project(session: AsyncSession, request: TokenRequest, caller: Principal) -> str | None:
    """The token's project; None: all. An admin of one project makes tokens for that one."""
    reach = caller.reach("admin")
    project = request.project
    if reach is not None and project is None and len(reach) == 1:
        project = next(iter(reach))
    if reach is not None and project not in reach:
        names = ", ".join(sorted(reach))
        raise ProblemError(403, "forbidden", "Forbidden", f"You may make tokens for {names}: say which in `project`.")
    if project is not None and request.role == "worker":
        raise invalid("A worker works for all projects.", [{"pointer": "/project", "message": "leave it out"}])
    if project is not None and await projects.by_id(session, project) is None:
        raise invalid("Unknown project.", [{"pointer": "/project", "message": f"there is no project {project!r}"}])
    return project


async def _check_user(session: AsyncSession, request: TokenRequest, caller: Principal) -> None:
    message = None
    if caller.reach("admin") is not None and request.user_id != caller.user_id:
        message = "only an admin of all projects makes tokens of others"
    elif request.role == "worker":
        message = "a worker is no user: leave it out"
    elif await users.by_id(session, request.user_id or "") is None:
        message = "there is no such user"
    if message:
        raise invalid("The token cannot be that user's.", [{"pointer": "/user_id", "message": message}])


async def list_tokens(session: AsyncSession) -> list[TokenInfo]:
    """Tokens that the caller may see and that were not revoked."""
    found = await tokens.all_tokens(session)
    return [TokenInfo.model_validate(row).model_copy(update={"user": user}) for row, user in found]


async def revoke_token(session: AsyncSession, token_id: str) -> None:
    """End a token and what came from it: sessions, login codes. Raises a 404 problem."""
    row = await tokens.revoke(session, token_id)
    if row is None:
        raise not_found("token", token_id)
    before = {"name": row.name, "role": row.role, "project": row.project}
    await audit.record(session, "token.revoke", token_id, before, project=row.project)
