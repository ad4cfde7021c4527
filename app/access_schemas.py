"""What the REST API answers of access: tokens, logins, sessions, the audit log."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from app.schemas import Schema

Role = Literal["viewer", "operator", "admin", "worker"]
PersonRole = Literal["viewer", "operator", "admin"]
PoolLimits = dict[Literal["cpu", "gpu"], Annotated[int, Field(ge=1, le=10_000)]]
ProjectName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", examples=["ocean-2026"])]


class TokenCreated(Schema):
    """A new token. `token` is shown this once."""

    id: str
    name: str
    role: Role
    token: str


class TokenRequest(Schema):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    """Who or what it is for."""
    role: Role
    project: str | None = Field(None, max_length=63)
    """What it is good for. None: all projects, where the caller may that."""
    user_id: str | None = Field(None, max_length=64)
    """Whose it is: it never may more than its user. None: nobody's, as for a program."""
    expires_at: AwareDatetime | None = None
    """With its zone. None: it is valid until it is revoked."""


class TokenInfo(Schema):
    """A token, without its secret."""

    id: str
    name: str
    role: Role
    project: str | None
    """None: all projects."""
    user_id: str | None
    user: str | None = None
    """Name of its user."""
    created_by: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class LoginLink(Schema):
    """A link that logs one browser in, once."""

    url: str
    code: str
    expires_at: datetime


class SessionInfo(Schema):
    """Who calls."""

    name: str
    role: Role
    """The highest in any project."""
    roles: dict[str, Role]
    """By project; `*` stands for all projects."""
    csrf_token: str | None
    """For the header `X-CSRF-Token` of a browser's writes; null for callers with a bearer token."""


class AuditRecord(Schema):
    """One change, as the audit log has it."""

    id: int
    time: datetime
    actor: str
    """Name of the token or user that made it."""
    actor_id: str
    action: str
    """`run.launch`, `token.revoke`, ..."""
    target: str
    """Id of what was changed."""
    project: str | None
    """None: what belongs to no project."""
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str
    """As the answer's header `X-Request-Id` gave it."""


class BrowserSession(Schema):
    """A browser that is logged in."""

    id: str
    name: str
    """Of the user or token that it speaks for."""
    agent: str
    """What the browser called itself at login."""
    created_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime
    current: bool
    """The one that asks."""


class ProjectRequest(Schema):
    """A project to be made."""

    model_config = ConfigDict(extra="forbid")

    id: ProjectName
    """Its name, for good: lower case letters, digits and hyphens."""
    description: str = Field("", max_length=1000)
    max_running: int | None = Field(None, ge=1, le=10_000)
    """Runs that workers may have at a time; the others wait. None: as many as there is room for."""
    max_running_by_pool: PoolLimits = Field(default_factory=dict, examples=[{"gpu": 2}])
    """The same for single pools."""
    max_active: int | None = Field(None, ge=1, le=100_000)
    """Runs that may wait or run, without those that other runs made; the next launch is refused. None: any number."""


class ProjectChange(Schema):
    """What is to be changed of a project; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    description: str | None = Field(None, max_length=1000)
    """null: it stays."""
    max_running: int | None = Field(None, ge=1, le=10_000)
    """null: no limit."""
    max_running_by_pool: PoolLimits | None = None
    """All that there are from now on. null: they stay."""
    max_active: int | None = Field(None, ge=1, le=100_000)
    """null: no limit."""

    def changes(self) -> dict[str, Any]:
        """The fields that were given."""
        given = self.model_dump(exclude_unset=True)
        limits = {"max_running", "max_active"}
        return {name: value for name, value in given.items() if value is not None or name in limits}


class ProjectInfo(Schema):
    """A project."""

    id: str
    description: str
    max_running: int | None
    max_running_by_pool: PoolLimits
    max_active: int | None
    num_running: int
    """Runs that hold a place now."""
    num_active: int
    """Runs that wait or run, without those that other runs made."""
    role: Role
    """The caller's."""
    created_at: datetime


class UserRequest(Schema):
    """A user to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")
    email: str | None = Field(None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    is_admin: bool = False
    """Admin of all projects, and of projects and users."""
    roles: dict[str, PersonRole] = Field(default_factory=dict)
    """By project."""


class UserChange(Schema):
    """What is to be changed of a user; what is left out stays. `roles` replace all that there were."""

    model_config = ConfigDict(extra="forbid")

    email: str | None = Field(None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    """null: none."""
    is_admin: bool | None = None
    """null: it stays."""
    roles: dict[str, PersonRole] | None = None
    """null: they stay."""
    disabled: bool | None = None
    """A disabled user cannot log in, and its tokens are refused. null: it stays."""

    def changes(self) -> dict[str, Any]:
        """The fields that were given."""
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None or name == "email"}


class UserInfo(Schema):
    """A user."""

    id: str
    name: str
    email: str | None
    is_admin: bool
    roles: dict[str, PersonRole]
    disabled: bool
    created_at: datetime
