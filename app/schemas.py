"""What the REST API answers. Requests to ingest and replies stand in `workers.specs.events`."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from workers.specs.events import Artifact, Finding, Intervention, RunState

T = TypeVar("T")


class Schema(BaseModel):
    """Base of all answers. NaN and infinities become null."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True, ser_json_inf_nan="null")


class Problem(Schema):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str | None = None
    errors: list[dict[str, str]] = Field(default_factory=list)
    """`{"pointer": "/spec/optimizer/lr", "message": ...}` for each wrong field."""


class Page(Schema, Generic[T]):
    """One page of a list. `next_cursor` is opaque; null on the last page."""

    # `Page[X]` in a signature would be looked up in the source there, which fails at the end of a file.
    model_config = ConfigDict(use_attribute_docstrings=False)

    items: list[T]
    next_cursor: str | None = None


class LaunchRequest(Schema):
    """A run to be made: a spec, or a preset's name with changes laid over it."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any] | None = None
    preset: str | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Nested like the spec; only with `preset`."""
    name: str | None = Field(None, min_length=1, max_length=300)
    parent_id: str | None = None
    stage: str | None = None
    priority: Literal["low", "normal", "high"] = "normal"
    tags: list[str] = Field(default_factory=list, max_length=20)
    max_attempts: int = Field(3, ge=1, le=20)
    keep_raw_days: int | None = Field(None, ge=1, le=36_500)
    """Days after its end for which single points are kept; roll-ups stay. None: as the settings say."""


class Progress(Schema):
    """How far a stage is."""

    stage: str
    done: float
    total: float
    unit: str = ""
    updated_at: datetime


class RunSummary(Schema):
    """A run as the list shows it."""

    id: str
    project: str
    name: str
    kind: Literal["curation", "quality", "training", "evaluation", "release", "pipeline", "ablation"]
    state: RunState
    state_reason: str = ""
    """Why it is so, in words a person can act on: "no worker online for pool gpu", the error, ..."""
    attempt: int
    max_attempts: int
    pool: str
    priority: str
    parent_id: str | None
    stage: str | None
    retry_of: str | None = None
    """The run that this one takes up: it goes on from its newest checkpoint."""
    tags: list[str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None
    last_step_at: datetime | None = None
    """When the last metric or progress came."""
    progress: list[Progress]
    """Stages in the order in which they began."""
    headline: dict[str, float | None]
    """Last value of the headline series (`loss`, `heldout_loss`, `lr`, `tokens_per_second`, ...)."""
    num_interventions: int = 0


class Run(RunSummary):
    """A run in full."""

    spec: dict[str, Any]
    spec_hash: str
    summary: dict[str, Any]
    """Final figures, as its worker reported them."""
    error: str | None
    prefect_flow_run_id: str | None
    mlflow_run_id: str | None
    mlflow_url: str | None
    children: list[RunSummary]
    artifacts: list[Artifact]


class SeriesInfo(Schema):
    """One series of a run."""

    key: str
    num_points: int
    first_step: int
    last_step: int
    last_value: float | None


class Bucket(Schema):
    """Points of one series in buckets over [from_step, to_step]; a bucket of one step is the point itself.

    Column-wise: `steps[i]` is the first step of bucket i. A spike is never lost: it is in `max`.
    """

    key: str
    branch: int
    bucket_steps: int
    steps: list[int]
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    last: list[float | None]
    num_nonfinite: list[int] = Field(default_factory=list)
    """Points of the bucket that are NaN or infinite; the other figures are over the finite ones."""
    times: list[float | None] = Field(default_factory=list)
    """Unix seconds of the bucket's first point, where asked for; null when the point itself is no longer kept."""


class RunEvent(Schema):
    """An event or a log line, in the order of arrival (`id` grows)."""

    id: int
    run_id: str
    kind: str
    """As the worker sent it; log lines have `log`."""
    level: str = "info"
    message: str
    step: int | None
    time: datetime
    attempt: int
    data: dict[str, Any]


class DatasetVersion(Schema):
    """An immutable version of a dataset."""

    project: str
    digest: str
    name: str
    version: int
    """Counts up within the name."""
    run_id: str | None
    created_at: datetime
    statistics: dict[str, Any]
    """`documents`, `tokens`, `funnel`, ... as curation wrote them into dataset.json."""
    files: list[dict[str, Any]]
    lineage: dict[str, Any]
    deleted_at: datetime | None = None
    """Its files are gone since then; its figures and lineage stay."""


class Sample(Schema):
    """A kept or dropped document with the verdict."""

    document_id: str
    source: str
    url: str | None
    language: str
    rule: str | None
    """None: kept."""
    figure: float | None
    threshold: float | None
    span: tuple[int, int] | None
    text: str
    truncated: bool = False
    figures: dict[str, float | None] = Field(default_factory=dict)
    """What the filters measured, by rule."""
    score: float | None = None
    """Of the quality model, where one judged."""


class LabelRequest(Schema):
    """How good a document is. A label that is there already is replaced."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = Field(pattern=r"^(sha256:)?[0-9a-f]{64}$")
    """Digest of the dataset version."""
    document_id: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")
    score: int = Field(ge=0, le=5)


class Label(Schema):
    """How good a person found a document, 0 (worst) to 5."""

    dataset: str
    document_id: str
    score: int
    author: str
    """Name of the token that set it last."""
    created_at: datetime
    """When it was set last."""


class LabelSummary(Schema):
    """Labels of a dataset version, counted."""

    dataset: str
    num_labels: int
    counts: dict[str, int]
    """By score, `"0"` to `"5"`."""


class EvaluationSummary(Schema):
    """Scores of one checkpoint on one task."""

    id: str
    run_id: str
    run_name: str
    checkpoint: str | None
    task: str
    metric: str
    """`bits_per_byte` (lower is better) or `accuracy`."""
    value: float
    low: float
    high: float
    """95 % bootstrap interval."""
    chance: float | None
    num_items: int
    slices: dict[str, Any]
    """By language or subject: `{"en": {"value", "low", "high", "num_items"}}`."""
    created_at: datetime


class EvaluationItem(Schema):
    """One item with what the model did."""

    item_id: str
    slice: str
    score: float
    correct: bool | None
    data: dict[str, Any]


class Worker(Schema):
    """A worker process, as it reports itself and as Prefect sees it."""

    id: str
    name: str
    pool: str
    host: str
    state: Literal["online", "offline"]
    version: str
    spec_version: int
    last_seen_at: datetime
    resources: dict[str, Any]


class WorkerGoodbye(Schema):
    """The last word of a worker that ends in order."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    pool: str = Field(pattern=r"^[a-z0-9-]{1,50}$")


class WorkerHello(Schema):
    """The handshake of a worker that joins or is alive."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    pool: str = Field(pattern=r"^[a-z0-9-]{1,50}$")
    host: str = Field(max_length=255)
    version: str
    spec_version: int
    resources: dict[str, Any] = Field(default_factory=dict)


class HelloReply(Schema):
    """The answer to a worker's handshake."""

    accepted: bool
    spec_version: int
    prefect_api_url: str
    """Path on this service under which the worker reaches Prefect."""


class Preset(Schema):
    """A ready-made spec."""

    name: str
    kind: str
    description: str
    yaml: str
    spec: dict[str, Any]


class Part(Schema):
    """Health of one part of the system."""

    name: str
    ok: bool
    detail: str = ""
    url: str | None = None


class Health(Schema):
    """Health of the whole."""

    ok: bool
    version: str
    parts: list[Part]


class InterventionRecord(Intervention):
    """An intervention as it is stored."""

    time: datetime


class FindingRecord(Finding):
    """A finding as it is stored."""

    time: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
