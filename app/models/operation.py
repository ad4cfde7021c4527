"""What keeps the service going: workers, the outbox to MLflow, leases of background tasks."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, Json, SerialKey, TextKey
from app.models.runs import run_key


class Worker(Base):
    """A worker process, as its last handshake told."""

    __tablename__ = "workers"
    __table_args__ = (UniqueConstraint("pool", "name"), Index("ix_workers_last_seen_at", "last_seen_at"))

    id: Mapped[TextKey]
    name: Mapped[str]
    pool: Mapped[str]
    host: Mapped[str]
    version: Mapped[str]
    spec_version: Mapped[int]
    resources: Mapped[Json]
    first_seen_at: Mapped[Created]
    last_seen_at: Mapped[Created]


class OutboxEntry(Base):
    """Something MLflow has yet to learn; written with the change itself. Kinds: see `app.queries.outbox`."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_run_id_id", "run_id", "id"),
        Index("ix_outbox_not_before_id", "not_before", "id"),
    )

    id: Mapped[SerialKey]
    run_id: Mapped[str] = run_key()
    kind: Mapped[str]
    payload: Mapped[Json]
    created_at: Mapped[Created]
    tries: Mapped[int] = mapped_column(server_default="0")
    not_before: Mapped[Created]
    error: Mapped[str | None]


class Lease(Base):
    """Who runs a background task, and until when."""

    __tablename__ = "leases"

    name: Mapped[TextKey]
    holder: Mapped[str]
    expires_at: Mapped[datetime]
