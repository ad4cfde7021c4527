"""What the REST API answers of access: tokens, logins, sessions, the audit log."""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from app.schemas import Schema


class TokenCreated(Schema):
    """A new token. `token` is shown this once."""

    id: str
    name: str
    role: Literal["viewer", "operator", "admin", "worker"]
    token: str


class TokenRequest(Schema):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    """Who or what it is for."""
    role: Literal["viewer", "operator", "admin", "worker"]
    expires_at: AwareDatetime | None = None
    """With its zone. None: it is valid until it is revoked."""


class TokenInfo(Schema):
    """A token, without its secret."""

    id: str
    name: str
    role: Literal["viewer", "operator", "admin", "worker"]
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
    role: Literal["viewer", "operator", "admin", "worker"]
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
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str
    """As the answer's header `X-Request-Id` gave it."""
