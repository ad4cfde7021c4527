"""What the REST API takes and answers about schedules: launches that Prefect makes at set times."""

from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from app.schemas import Schema


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no time zone of the IANA database, such as UTC or Europe/Berlin")
    return name


def _of_our_time(moment: AwareDatetime) -> AwareDatetime:
    if not 1970 <= moment.year <= 2200:
        raise ValueError("a moment between 1970 and 2200")
    return moment


Anchor = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
Zone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_known_zone)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", examples=["nightly"])]


class CronTiming(Schema):
    """Times by a cron expression: minute, hour, day of month, month, day of week."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["cron"] = "cron"
    cron: str = Field(min_length=9, max_length=100, examples=["0 2 * * *"])
    timezone: Zone = "UTC"
    """Zone of the wall clock that the expression means; summer time is followed."""


class IntervalTiming(Schema):
    """Times at a fixed distance."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["interval"] = "interval"
    seconds: float = Field(ge=60, le=366 * 86_400, examples=[21_600])
    anchor: Anchor | None = None
    """A moment that the times are counted from; none: when the schedule is made."""
    timezone: Zone = "UTC"


class RuleTiming(Schema):
    """Times by an iCalendar rule that somebody set in Prefect. It is shown, not edited here."""

    kind: Literal["rrule"] = "rrule"
    rrule: str
    timezone: str = "UTC"


Timing = Annotated[CronTiming | IntervalTiming, Field(discriminator="kind")]
AnyTiming = Annotated[CronTiming | IntervalTiming | RuleTiming, Field(discriminator="kind")]


class ScheduleRequest(Schema):
    """A schedule to be made: what it launches, and when."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    """Unique in its project; it stays. Prefect's deployment is called `launch/<name>`, outside of the project `default`
    `launch/<project>:<name>`."""
    description: str = Field("", max_length=1000, pattern=r"^[^\x00]*$")
    preset: str | None = Field(None, max_length=200)
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Nested like the spec; only with `preset`."""
    spec: dict[str, Any] | None = None
    """Instead of a preset: the whole spec."""
    timing: Timing
    paused: bool = False
    catch_up: bool = False
    """Launch an occurrence that was missed as soon as it can be; else it is told and left out."""
    missed_after_seconds: float = Field(900.0, ge=60, le=86_400)
    """Lateness from which on an occurrence counts as missed."""


class ScheduleChange(Schema):
    """Fields to change; those that are left out stay. `preset`, `overrides` and `spec` are changed together."""

    model_config = ConfigDict(extra="forbid")

    description: str | None = Field(None, max_length=1000, pattern=r"^[^\x00]*$")
    preset: str | None = Field(None, max_length=200)
    overrides: dict[str, Any] | None = None
    spec: dict[str, Any] | None = None
    timing: Timing | None = None
    paused: bool | None = None
    catch_up: bool | None = None
    missed_after_seconds: float | None = Field(None, ge=60, le=86_400)


class Occurrence(Schema):
    """One time at which a schedule was due, and what became of it."""

    due_at: datetime
    state: Literal["launched", "missed", "late", "waiting", "running", "failed", "cancelled"]
    """`late`: due, and nobody has taken it yet; `waiting`: due just now."""
    run_id: str | None = None
    """The run that was launched."""
    detail: str = ""
    flow_run_id: str | None = None
    """Prefect's flow run; null for a time at which Prefect itself was down."""
    by_hand: bool = False
    """Somebody asked for it; it was not due by the clock."""


class Schedule(Schema):
    """A schedule: a deployment of Prefect that launches runs."""

    name: str
    deployment_id: str
    project: str
    description: str
    preset: str | None
    overrides: dict[str, Any]
    spec: dict[str, Any] | None
    kind: str
    """Kind of the runs that it launches; empty when its preset is gone."""
    timing: AnyTiming | None
    """None: somebody took its times away in Prefect."""
    says: str
    """The timing in words."""
    num_more_timings: int = 0
    """Further times that were added in Prefect. An edit here replaces them all."""
    paused: bool
    catch_up: bool
    missed_after_seconds: float
    next_runs: list[datetime]
    """The next five times; none while it is paused."""
    last_runs: list[Occurrence]
    """The newest first, at most ten."""
    num_missed: int
    """Occurrences of the last 30 days that launched nothing."""
    created_by: str
    created_at: datetime | None


class TimingPreview(Schema):
    """A timing in words, and its next times."""

    says: str
    next_runs: list[datetime]


class TimingRequest(Schema):
    """A timing to be looked at."""

    model_config = ConfigDict(extra="forbid")

    timing: Timing


class RunNow(Schema):
    """An occurrence that was asked for by hand."""

    flow_run_id: str
    """Prefect's flow run, which launches the run within seconds."""
