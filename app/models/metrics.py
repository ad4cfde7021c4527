"""Series of metrics with roll-ups that keep every spike, and the batches that were taken."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, SerialKey
from app.models.runs import run_key

FACTOR_BITS = 4
"""A bucket of roll-up level n spans 16^n steps."""
NUM_LEVELS = 4
"""Levels 1 to 4: 16, 256, 4096 and 65,536 steps."""


class Series(Base):
    """One key of a run on one branch. A roll-back or resume opens a new branch."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("run_id", "key", "branch"),)

    id: Mapped[SerialKey]
    run_id: Mapped[str] = run_key()
    key: Mapped[str]
    branch: Mapped[int]
    num_points: Mapped[int] = mapped_column(server_default="0")
    first_step: Mapped[int] = mapped_column(server_default="0")
    last_step: Mapped[int] = mapped_column(server_default="0")
    last_value: Mapped[float | None]


def series_key() -> Mapped[int]:
    """A column that names the series. No foreign key: checking it for each point took as long as the point itself.

    Who deletes a series deletes its rows first: `app.queries.deletion`.
    """
    return mapped_column(primary_key=True, autoincrement=False)


class Metric(Base):
    """One point. NaN and infinities are kept as they are."""

    __tablename__ = "metrics"

    series_id: Mapped[int] = series_key()
    step: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]
    time: Mapped[datetime]


class MetricRollup(Base):
    """Points of one bucket, [bucket * 16^level, (bucket + 1) * 16^level). Figures are over finite values."""

    __tablename__ = "metric_rollups"

    series_id: Mapped[int] = series_key()
    level: Mapped[int] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True)
    min: Mapped[float | None]
    max: Mapped[float | None]
    sum: Mapped[float]
    count: Mapped[int]
    """Finite points."""
    nonfinite: Mapped[int]
    """Points that are NaN or infinite."""
    last: Mapped[float]
    last_step: Mapped[int]


class IngestBatch(Base):
    """A batch that was taken: a repeat of it has no effect."""

    __tablename__ = "ingest_batches"

    run_id: Mapped[str] = run_key(primary=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[Created]
