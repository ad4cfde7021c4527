"""Who may do what, and answers that are kept for repeated requests."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, TextKey, new_id, one_of

ROLES = ["viewer", "operator", "admin", "worker"]


ONE_OWNER = "(token_id IS NULL) <> (user_id IS NULL)"


def owner(table: str) -> Mapped[str | None]:
    """A column that names the token or the user that the row speaks for; the row goes with it."""
    return mapped_column(Text, ForeignKey(f"{table}.id", ondelete="CASCADE"))


class Token(Base):
    """A bearer token, by its SHA-256 (hex); the token itself is shown once and kept nowhere.

    Without a project it is good for all projects; one of a user never does more than the user may.
    """

    __tablename__ = "tokens"
    __table_args__ = (CheckConstraint(one_of("role", ROLES), "role"),)

    id: Mapped[TextKey]
    name: Mapped[str]
    role: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    project: Mapped[str | None] = owner("projects")
    user_id: Mapped[str | None] = owner("users")
    created_by: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class LoginCode(Base):
    """A one-time code of a login link, by its SHA-256."""

    __tablename__ = "login_codes"
    __table_args__ = (CheckConstraint(ONE_OWNER, "owner"),)

    hash: Mapped[TextKey]
    token_id: Mapped[str | None] = owner("tokens")
    user_id: Mapped[str | None] = owner("users")
    created_at: Mapped[Created]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Session(Base):
    """A browser's session, by the SHA-256 of its cookie."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint(ONE_OWNER, "owner"),)

    hash: Mapped[TextKey]
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    token_id: Mapped[str | None] = owner("tokens")
    user_id: Mapped[str | None] = owner("users")
    agent: Mapped[str] = mapped_column(server_default="")
    """What the browser called itself."""
    csrf_hash: Mapped[str]
    created_at: Mapped[Created]
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The first answer to a request; without a status the request is still in flight."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    principal: Mapped[TextKey]
    key: Mapped[TextKey]
    request_hash: Mapped[str]
    status: Mapped[int | None]
    response: Mapped[dict[str, object] | None] = mapped_column(JSONB)
    created_at: Mapped[Created]
