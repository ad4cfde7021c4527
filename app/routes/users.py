"""Users: people, their roles by project, and their login links."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access_schemas import LoginLink, UserChange, UserInfo, UserRequest
from app.routes.auth import login_link
from app.routes.deps import IfMatch, SessionOf, SettingsOf, require
from app.schemas import Page
from app.services import logins, users
from app.services.auth import Principal

router = APIRouter(prefix="/api/v1/users", tags=["users"])
Admin = Annotated[Principal, Depends(require("admin", everywhere=True))]


@router.get("", operation_id="list_users", summary="All users")
async def list_users(caller: Admin, session: SessionOf) -> Page[UserInfo]:
    """By name, with their roles."""
    return Page(items=await users.list_users(session))


@router.post("", operation_id="create_user", summary="Make a user", status_code=201)
async def create_user(body: UserRequest, caller: Admin, session: SessionOf) -> UserInfo:
    """There are no passwords: a login link lets the person in. 409 when the name is taken."""
    return await users.create_user(session, body, caller.name)


@router.get("/{user_id}", operation_id="get_user", summary="One user")
async def get_user(user_id: str, caller: Admin, session: SessionOf, response: Response) -> UserInfo:
    """Its `ETag` is needed to edit it."""
    found = await users.get_user(session, user_id)
    response.headers["ETag"] = users.etag_of(found)
    return found


@router.patch("/{user_id}", operation_id="change_user", summary="Change a user")
async def change_user(
    user_id: str, body: UserChange, caller: Admin, session: SessionOf, response: Response, if_match: IfMatch = None
) -> UserInfo:
    """What is left out stays; `roles` replace all that there were. It holds from the user's next request on.

    Needs `If-Match` (428 without): somebody may have edited it.
    """
    changed = await users.change_user(session, user_id, if_match, body)
    response.headers["ETag"] = users.etag_of(changed)
    return changed


@router.delete("/{user_id}", operation_id="delete_user", summary="Delete a user", status_code=204)
async def delete_user(user_id: str, caller: Admin, session: SessionOf) -> None:
    """Roles, tokens and sessions go with it; runs and labels stay."""
    await users.delete_user(session, user_id)


@router.post("/{user_id}/login-link", operation_id="create_user_login_link", summary="Let a user in", status_code=201)
async def create_user_login_link(
    user_id: str, request: Request, caller: Admin, session: SessionOf, settings: SettingsOf
) -> LoginLink:
    """A link that logs one browser in, once, within ten minutes, as this user."""
    return login_link(request, settings, await logins.create_code_for(session, user_id))
