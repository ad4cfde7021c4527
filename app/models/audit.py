"""Who changed what. Rows are added only: the database itself refuses to change or delete one."""

from typing import Any

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, SerialKey


class AuditEntry(Base):
    """One change that was made through the API, written in the transaction of the change."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_actor_id", "actor", "id"),
        Index("ix_audit_action_id", "action", "id"),
        Index("ix_audit_target_id", "target", "id"),
    )

    id: Mapped[SerialKey]
    time: Mapped[Created]
    actor: Mapped[str]
    """Name of the token or user."""
    actor_id: Mapped[str]
    action: Mapped[str]
    target: Mapped[str]
    """Id of what was changed."""
    project: Mapped[str | None]
    """None: what belongs to no project. No foreign key: the log outlives a project."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    request_id: Mapped[str]
