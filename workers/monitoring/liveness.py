"""Which running runs are dead (their worker is silent) or stalled (alive, but no new step)? Pure functions on rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from workers.specs.events import Finding, RunState
from workers.specs.monitoring import StallWatch

BEATING = frozenset({RunState.RUNNING, RunState.PAUSED, RunState.CANCELLING})
"""States in which a worker must be heard."""


@dataclass(slots=True, frozen=True)
class SilentRun:
    """A run in trouble. Its finding's id is the same at each check until the run is heard again."""

    run_id: str
    condition: Literal["dead", "stalled"]
    silent_seconds: float
    finding: Finding


def find_silent_runs(runs: Iterable[Mapping[str, Any]], watch: StallWatch, now: datetime) -> list[SilentRun]:
    """The dead and the stalled among `runs`.

    A row has `id`, `state`, and times `heartbeat_at`, `last_step_at`, `started_at` (datetime, ISO 8601 text, or None)
    and, if known, `last_step`. A run that was never heard counts from its start; without any time it is left alone.
    Paused runs owe no steps. Raises ValueError for a time that cannot be read.
    """
    checked = (_check(run, watch, now) for run in runs)
    return [found for found in checked if found]


def _check(run: Mapping[str, Any], watch: StallWatch, now: datetime) -> SilentRun | None:
    state = RunState(run["state"])
    if state not in BEATING:
        return None
    started = _time(run.get("started_at"))
    heard = _time(run.get("heartbeat_at")) or started
    if heard and (now - heard).total_seconds() > watch.dead_after_seconds:
        return _silent(run, "dead", heard, now)
    stepped = _time(run.get("last_step_at")) or started
    if state == RunState.RUNNING and stepped and (now - stepped).total_seconds() > watch.stalled_after_seconds:
        return _silent(run, "stalled", stepped, now)
    return None


def _silent(run: Mapping[str, Any], condition: Literal["dead", "stalled"], since: datetime, now: datetime) -> SilentRun:
    seconds = (now - since).total_seconds()
    message = (
        f"no sign of life from the worker for {seconds:.0f} s: its process or machine is gone"
        if condition == "dead"
        else f"the worker lives, but has made no step for {seconds:.0f} s"
    )
    finding = Finding(
        id=f"{condition}-{int(since.timestamp())}",
        detector=f"liveness.{condition}",
        step=int(run.get("last_step") or 0),
        severity="critical" if condition == "dead" else "warning",
        message=message,
        evidence={"since": since.isoformat(), "silent_seconds": seconds},
    )
    return SilentRun(str(run["id"]), condition, seconds, finding)


def _time(value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
