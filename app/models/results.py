"""What runs leave behind, and what people say of it: dataset versions, evaluations, labels."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, Json, JsonList, TextKey
from app.models.projects import project_key
from app.models.runs import run_key


class DatasetVersion(Base):
    """An immutable version of a dataset, named by the digest of its bytes. It outlives its run.

    Two projects can make the same bytes: each has its own version of them.
    """

    __tablename__ = "dataset_versions"
    __table_args__ = (
        UniqueConstraint("project", "name", "version"),
        CheckConstraint("version >= 1", "version"),
        Index("ix_dataset_versions_created_at_digest", "created_at", "digest"),
    )

    project: Mapped[str] = project_key(primary=True)
    digest: Mapped[TextKey]
    name: Mapped[str]
    version: Mapped[int]
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[Created]
    statistics: Mapped[Json]
    files: Mapped[JsonList]
    lineage: Mapped[Json]
    deleted_at: Mapped[datetime | None]
    """Its blobs may be collected since then; what it was and was made from stays."""
    deleted_by: Mapped[str | None]


class CollectedBlob(Base):
    """A blob that garbage collection is about to delete, or has deleted: the row comes first, the blob after."""

    __tablename__ = "collected_blobs"

    sha256: Mapped[TextKey]
    collected_at: Mapped[Created]
    deleted_at: Mapped[datetime | None]


class Evaluation(Base):
    """Scores of one checkpoint on one task."""

    __tablename__ = "evaluations"
    __table_args__ = (
        Index("uq_evaluations_result", "run_id", "task", "metric", text("coalesce(checkpoint, '')"), unique=True),
        Index("ix_evaluations_task_created_at_id", "task", "created_at", "id"),
        Index("ix_evaluations_created_at_id", "created_at", "id"),
    )

    id: Mapped[TextKey]
    run_id: Mapped[str] = run_key()
    checkpoint: Mapped[str | None]
    task: Mapped[str]
    metric: Mapped[str]
    value: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    chance: Mapped[float | None]
    num_items: Mapped[int]
    slices: Mapped[Json]
    created_at: Mapped[Created]


class EvaluationItem(Base):
    """One item with what the model did."""

    __tablename__ = "evaluation_items"
    __table_args__ = (Index("ix_evaluation_items_slice", "evaluation_id", "slice", "item_id"),)

    evaluation_id: Mapped[str] = mapped_column(ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[TextKey]
    slice: Mapped[str]
    score: Mapped[float]
    correct: Mapped[bool | None]
    data: Mapped[Json]


class Label(Base):
    """How good a person found a document, 0 to 5; one a document. It stays when its dataset version goes: ids of
    documents are stable over versions."""

    __tablename__ = "labels"
    __table_args__ = (
        CheckConstraint("score BETWEEN 0 AND 5", "score"),
        Index("ix_labels_dataset_created_at_document_id", "dataset", "created_at", "document_id"),
    )

    project: Mapped[str] = project_key(primary=True)
    dataset: Mapped[TextKey]
    document_id: Mapped[TextKey]
    score: Mapped[int]
    author: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]
