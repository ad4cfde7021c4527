"""What keeps the service going: workers, the outbox to MLflow, operations, leases of background tasks."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, Json, SerialKey, TextKey, one_of
from app.models.projects import project_key


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
    left_at: Mapped[datetime | None]
    """It said that it ends. One that is silent without that is dead."""


class OutboxEntry(Base):
    """Something MLflow has yet to learn; written with the change itself. Kinds: see `app.queries.outbox`.

    It names its run without a foreign key: that a run is gone must reach MLflow after the row is gone.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_run_id_id", "run_id", "id"),
        Index("ix_outbox_not_before_id", "not_before", "id"),
    )

    id: Mapped[SerialKey]
    run_id: Mapped[str]
    kind: Mapped[str]
    payload: Mapped[Json]
    created_at: Mapped[Created]
    tries: Mapped[int] = mapped_column(server_default="0")
    not_before: Mapped[Created]
    error: Mapped[str | None]


class Operation(Base):
    """Something that was asked for and takes time. What is left to do stands in `data`, so that any process goes on."""

    __tablename__ = "operations"
    __table_args__ = (
        CheckConstraint(one_of("kind", ["delete_run", "thin_run"]), "kind"),
        Index("ix_operations_open", "not_before", "id", postgresql_where=text("finished_at IS NULL")),
    )

    id: Mapped[TextKey]
    kind: Mapped[str]
    project: Mapped[str] = project_key()
    target: Mapped[str]
    """Id of what it is done to."""
    name: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default="")
    data: Mapped[Json]
    author: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]
    not_before: Mapped[Created]
    finished_at: Mapped[datetime | None]


class Lease(Base):
    """Who runs a background task, and until when."""

    __tablename__ = "leases"

    name: Mapped[TextKey]
    holder: Mapped[str]
    expires_at: Mapped[datetime]
