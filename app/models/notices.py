"""What is told to the outside: notices, the webhooks that want them, and each delivery."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, Json, JsonList, SerialKey, TextKey, one_of

DELIVERY_STATES = ["pending", "delivered", "failed"]


class Notice(Base):
    """Something that happened and that somebody may want to hear of; written with the change itself."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_created_at_id", "created_at", "id"),
        Index("ix_notices_subject_created_at", "subject", "created_at"),
        Index("ix_notices_new", "id", postgresql_where=text("handed_out_at IS NULL")),
    )

    id: Mapped[TextKey]
    kind: Mapped[str]
    subject: Mapped[str]
    """Notices of one subject are told once in a window."""
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    data: Mapped[Json]
    created_at: Mapped[Created]
    handed_out_at: Mapped[datetime | None]
    """Deliveries were made of it then, or it was found to repeat another."""
    repeats: Mapped[str | None]
    """Id of the notice that told the same a short while before."""


class Webhook(Base):
    """An address that is told. The secret signs, so it is kept as it is; no answer shows it but the first."""

    __tablename__ = "webhooks"

    id: Mapped[TextKey]
    name: Mapped[str]
    url: Mapped[str]
    secret: Mapped[str]
    events: Mapped[JsonList]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    note: Mapped[str] = mapped_column(server_default="")
    """Why the service itself has switched it off."""
    version: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]


class Delivery(Base):
    """One notice on its way to one webhook, or (without one) to the people who get e-mail."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint(one_of("state", DELIVERY_STATES), "state"),
        Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_deliveries_due", "not_before", "id", postgresql_where=text("state = 'pending'")),
    )

    id: Mapped[SerialKey]
    notice_id: Mapped[str] = mapped_column(ForeignKey("notices.id", ondelete="CASCADE"), index=True)
    webhook_id: Mapped[str | None] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(server_default="pending")
    tries: Mapped[int] = mapped_column(server_default="0")
    not_before: Mapped[Created]
    status: Mapped[int | None]
    """HTTP status of the last answer."""
    error: Mapped[str | None]
    seconds: Mapped[float | None]
    """How long the last try took."""
    created_at: Mapped[Created]
    tried_at: Mapped[datetime | None]
