"""Runs, their attempts, and what happened in them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, Json, JsonList, Moment, SerialKey, TextKey, one_of
from app.models.projects import project_key
from workers.specs.events import TERMINAL, RunState

KINDS = ["curation", "quality", "training", "evaluation", "release", "pipeline", "ablation"]
PRIORITIES = ["low", "normal", "high"]
STATES = [state.value for state in RunState]
ACTIVE_STATES = [state.value for state in RunState if state not in TERMINAL]
ACTIVE = one_of("state", ACTIVE_STATES)


def run_key(primary: bool = False) -> Mapped[str]:
    """A column that names the run; the row goes when the run goes."""
    return mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=primary)


class Run(Base):
    """A run: the truth that people see. Its state is changed by `app.services.lifecycle` alone."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), "kind"),
        CheckConstraint(one_of("state", STATES), "state"),
        CheckConstraint(one_of("priority", PRIORITIES), "priority"),
        CheckConstraint("attempt >= 1 AND max_attempts >= 1", "attempts"),
        Index("ix_runs_created_at_id", "created_at", "id"),
        Index("ix_runs_project_created_at_id", "project", "created_at", "id"),
        Index("ix_runs_state_created_at_id", "state", "created_at", "id"),
        Index("ix_runs_kind_created_at_id", "kind", "created_at", "id"),
        Index("ix_runs_name_id", "name", "id"),
        Index("ix_runs_parent_id_created_at_id", "parent_id", "created_at", "id"),
        Index("ix_runs_tags", "tags", postgresql_using="gin"),
        Index("ix_runs_active", "id", postgresql_where=text(ACTIVE)),
    )

    id: Mapped[TextKey]
    project: Mapped[str] = project_key()
    name: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    state_reason: Mapped[str] = mapped_column(server_default="")
    spec: Mapped[Json]
    spec_hash: Mapped[str]
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    stage: Mapped[str | None]
    retry_of: Mapped[str | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"), index=True)
    """The run that this one goes on from."""
    pool: Mapped[str]
    priority: Mapped[str] = mapped_column(server_default="normal")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'::text[]"))
    attempt: Mapped[int] = mapped_column(server_default="1")
    max_attempts: Mapped[int] = mapped_column(server_default="3")
    progress: Mapped[JsonList]
    headline: Mapped[Json]
    summary: Mapped[Json]
    num_interventions: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str | None]
    prefect_flow_run_id: Mapped[str | None]
    mlflow_experiment_id: Mapped[str | None]
    mlflow_run_id: Mapped[str | None]
    created_by: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    last_step_at: Mapped[datetime | None]
    placed_at: Mapped[datetime | None]
    """Since when the present attempt holds one of its project's places; see `app.services.launch`."""
    submit_after: Mapped[Created]
    """Before this moment nobody else hands the run to Prefect: a claim, or the pause before a new attempt."""
    keep_raw_days: Mapped[int | None]
    """Days after its end for which its points are kept; roll-ups stay. None: as the settings say."""
    raw_deleted_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """It is gone for everyone since then; `app.services.deletion` removes what is left of it."""


class Attempt(Base):
    """One try of a run: one Prefect flow run. Its number is the fencing token of ingest."""

    __tablename__ = "attempts"
    __table_args__ = (CheckConstraint(one_of("state", STATES), "state"),)

    run_id: Mapped[str] = run_key(primary=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    flow_run_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="queued")
    worker: Mapped[str | None]
    created_at: Mapped[Created]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None]


class Event(Base):
    """An event or (kind `log`) a line of the log. Within a run, ids grow in the order of commit."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_run_id_id", "run_id", "id"),
        Index("ix_events_run_id_kind", "run_id", "kind", "id"),
    )

    id: Mapped[SerialKey]
    run_id: Mapped[str] = run_key()
    attempt: Mapped[int]
    kind: Mapped[str]
    level: Mapped[str] = mapped_column(server_default="info")
    message: Mapped[str]
    step: Mapped[int | None]
    time: Mapped[Moment]
    data: Mapped[Json]


class Finding(Base):
    """What a detector saw."""

    __tablename__ = "findings"
    __table_args__ = (Index("ix_findings_time", "time", postgresql_where=text("acknowledged_at IS NULL")),)

    run_id: Mapped[str] = run_key(primary=True)
    id: Mapped[TextKey]
    attempt: Mapped[int]
    detector: Mapped[str]
    step: Mapped[int]
    severity: Mapped[str]
    message: Mapped[str]
    evidence: Mapped[Json]
    time: Mapped[Created]
    acknowledged_at: Mapped[datetime | None]
    """When a person has seen it; a report of the same finding leaves it."""
    acknowledged_by: Mapped[str | None]


class Intervention(Base):
    """An action of the controller or a person; its outcome is written into the same row."""

    __tablename__ = "interventions"

    run_id: Mapped[str] = run_key(primary=True)
    id: Mapped[TextKey]
    attempt: Mapped[int]
    finding_id: Mapped[str | None]
    step: Mapped[int]
    action: Mapped[str]
    author: Mapped[str]
    rule: Mapped[str]
    before: Mapped[Json]
    after: Mapped[Json]
    cost_steps: Mapped[int]
    evidence: Mapped[Json]
    outcome: Mapped[str]
    outcome_step: Mapped[int | None]
    time: Mapped[Created]


class Command(Base):
    """What a person asked of a running worker."""

    __tablename__ = "commands"
    __table_args__ = (
        CheckConstraint(one_of("state", ["sent", "delivered", "applied"]), "state"),
        Index("ix_commands_run_id_id", "run_id", "id"),
    )

    id: Mapped[TextKey]
    run_id: Mapped[str] = run_key()
    kind: Mapped[str]
    arguments: Mapped[Json]
    state: Mapped[str] = mapped_column(server_default="sent")
    author: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]
    delivered_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]


class Artifact(Base):
    """A folder in the store that a run made. A checkpoint is real once it stands here."""

    __tablename__ = "artifacts"
    __table_args__ = (
        UniqueConstraint("run_id", "kind", "name", "digest"),
        Index("ix_artifacts_run_id_kind", "run_id", "kind", "committed_at", "id"),
        Index("ix_artifacts_digest", "digest"),
    )

    id: Mapped[SerialKey]
    run_id: Mapped[str] = run_key()
    attempt: Mapped[int]
    kind: Mapped[str]
    name: Mapped[str]
    digest: Mapped[str]
    step: Mapped[int | None]
    files: Mapped[JsonList]
    artifact_metadata: Mapped[Json] = mapped_column("metadata")
    committed_at: Mapped[Created]
