"""The protocol between worker and service: what travels up in a batch, and the commands that come down.

`attempt` is a fencing token: the service answers 409 to an older attempt, which then stops itself.
`(attempt, source, seq)` makes a repeated batch harmless. NaN and infinities travel as strings.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def now() -> datetime:
    """The time, with its zone (UTC)."""
    return datetime.now(UTC)


class Message(BaseModel):
    """Base of the protocol's messages. Older services ignore no field: unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", use_attribute_docstrings=True)


class RunState(StrEnum):
    """Where a run is. The last four are terminal: no way leads out of them."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.CRASHED, RunState.CANCELLED})


class MetricColumn(Message):
    """Points of one series. A roll-back or resume opens a new branch from its first step on."""

    key: str = Field(min_length=1, max_length=200)
    branch: int = Field(0, ge=0)
    steps: list[int]
    values: list[float]
    times: list[float] = Field(default_factory=list)
    """Unix seconds, one a point; empty: the time of arrival."""


class Event(Message):
    """Something that happened: a stage began, a checkpoint was saved, a state changed."""

    kind: str = Field(max_length=50)
    """`stage`, `checkpoint`, `state`, `resume`, `rollback`, `progress`, `summary`, `warning`, `note`,
    `environment`."""
    message: str = Field("", max_length=20_000)
    step: int | None = None
    time: datetime = Field(default_factory=now)
    data: dict[str, Any] = Field(default_factory=dict)


class Log(Message):
    """One line of a run's log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    message: str = Field(max_length=20_000)
    time: datetime = Field(default_factory=now)
    step: int | None = None


class Finding(Message):
    """What a detector saw."""

    id: str
    """Unique within its run."""
    detector: str
    step: int
    severity: Literal["info", "warning", "critical"] = "warning"
    message: str
    evidence: dict[str, Any] = Field(default_factory=dict)
    """The series around it, the threshold, the figure that crossed it."""


class Intervention(Message):
    """An action of the controller or a person. Sent again with the same id when its outcome is known."""

    id: str
    """Unique within its run."""
    finding_id: str | None = None
    step: int
    action: str
    """Kinds of `workers.specs.monitoring.actions`, joined by `+`."""
    author: str = "controller"
    rule: str = ""
    """The rule in words, as the spec has it."""
    before: dict[str, Any] = Field(default_factory=dict)
    after: dict[str, Any] = Field(default_factory=dict)
    cost_steps: int = 0
    """Steps done again or left out."""
    evidence: dict[str, Any] = Field(default_factory=dict)
    outcome: Literal[
        "proposed", "rejected", "verifying", "recovered", "not_recovered", "no_checkpoint", "done", "refused"
    ] = "verifying"
    """`proposed` waits for a person's `approve` or `reject`. What people ask for is `done`, or `refused` with its
    reason in the evidence."""
    outcome_step: int | None = None


class File(Message):
    """One file of an artifact: its path inside, its SHA-256 (hex) and its size."""

    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    num_bytes: int = Field(ge=0)


class Artifact(Message):
    """A folder in the store. `digest` is the SHA-256 of its manifest, which names all files."""

    kind: Literal["dataset", "scorer", "checkpoint", "evaluation", "release", "samples", "telemetry", "other"]
    name: str
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    step: int | None = None
    files: list[File] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)


class Batch(Message):
    """What a worker reports in one call: `POST /api/v1/ingest/runs/{id}`."""

    attempt: int = Field(ge=1)
    source: str = Field(max_length=60)
    """`worker` (rank 0), `flow` (state hooks), `monitor`."""
    seq: int = Field(ge=0)
    state: RunState | None = None
    """A change of state that this source saw, else none."""
    error: str | None = None
    metrics: list[MetricColumn] = Field(default_factory=list)
    events: list[Event] = Field(default_factory=list)
    logs: list[Log] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)
    interventions: list[Intervention] = Field(default_factory=list)
    artifacts: list[Artifact] = Field(default_factory=list)
    acks: list[str] = Field(default_factory=list)
    """Ids of the commands that were carried out."""


class EvaluationItem(Message):
    """One item of an evaluation with what the model did."""

    item_id: str = Field(min_length=1, max_length=500)
    slice: str = Field(max_length=200)
    score: float
    correct: bool | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class EvaluationItems(Message):
    """Items of one task: `POST /api/v1/ingest/runs/{id}/evaluation-items`, after the scores' artifact."""

    attempt: int = Field(ge=1)
    task: str = Field(min_length=1, max_length=200)
    items: list[EvaluationItem] = Field(max_length=5000)


CommandKind = Literal[
    "stop",
    "checkpoint",
    "pause",
    "resume",
    "rollback",
    "set_lr",
    "set_lr_scale",
    "set_clip",
    "skip",
    "set_mode",
    "approve",
    "reject",
]
"""With their arguments: `rollback` {"step"}, `set_lr` and `set_lr_scale` {"value"}: the rate of now, or a factor of the
scheduled one; `set_clip` {"value"}: the limit; `skip` {"batches"}; `set_mode` {"mode"} of the controller; `approve`
and `reject` {"intervention"}: its id."""


class Command(Message):
    """What a person or the service asks of a running worker."""

    id: str
    kind: CommandKind
    arguments: dict[str, Any] = Field(default_factory=dict)
    author: str = "person"
    """Who asked."""


class Reply(Message):
    """The answer to a batch: the commands still pending for this run."""

    accepted: bool = True
    """False: this (attempt, source, seq) was already there."""
    commands: list[Command] = Field(default_factory=list)
