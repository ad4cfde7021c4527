"""What is asked of runs beside their launch, and its answers."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from app.estimate_schemas import EstimateAnswer
from app.schemas import Schema
from workers.specs.events import CommandKind


class CommandRequest(Schema):
    """What a person asks of a running worker."""

    model_config = ConfigDict(extra="forbid")

    kind: CommandKind
    arguments: dict[str, Any] = Field(default_factory=dict)
    """`rollback` {"step"}, `skip` {"batches"}, `set_lr_scale` and `set_clip` {"value"}, `set_mode` {"mode"}.

    `approve` and `reject` {"intervention"}: the id of a proposed one.
    """


class CommandStatus(Schema):
    """A command: `sent` until the worker's next call, then `applied`."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: Literal["sent", "delivered", "applied"]
    """`applied`: the worker has answered; what it did, or why not, is the intervention `command-ID`."""
    author: str = ""
    created_at: datetime


class OperationStatus(Schema):
    """Something that takes time."""

    id: str
    kind: Literal["delete_run", "thin_run"]
    """`thin_run`: its points go, roll-ups of 16 steps and more stay."""
    target: str
    """Id of what it is done to."""
    name: str
    state: Literal["running", "done"]
    detail: str
    """What is left to do, in words."""
    author: str
    created_at: datetime
    finished_at: datetime | None


class LaunchPlan(Schema):
    """What a launch would do; the answer of a dry run."""

    kind: str
    name: str
    spec: dict[str, Any]
    """With all defaults, as the run would have it."""
    spec_hash: str
    pool: str
    """Where the run itself would wait for a worker."""
    workers: dict[str, int]
    """Live workers of each pool that it or a run of its making needs."""
    warnings: list[str] = Field(default_factory=list)
    """What a person should know before: pools without a worker, and what the spec makes likely to go wrong."""
    estimate: EstimateAnswer | None = None
    """What the training would take; null for a run that trains no model."""
