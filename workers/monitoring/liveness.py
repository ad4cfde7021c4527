"""Which running runs are dead (their worker is silent) or stalled (alive, but no new step)? Pure functions on rows."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from workers.specs.events import Finding, RunState
from workers.specs.monitoring import StallWatch

BEATING = frozenset({RunState.RUNNING, RunState.PAUSED, RunState.CANCELLING})
"""States in which a worker must be heard."""


def inspect(runs: Iterable[Mapping[str, Any]], watch: StallWatch, now: datetime) -> list[tuple[str, Finding]]:
    """(run id, finding) of the dead (`dead_worker`) and the stalled (`stalled_run`) among `runs`.

    A row has `id`, `state`, and if known `kind`, `last_step` and the times `started_at`, `heartbeat_at`, `last_step_at`
    (datetime, ISO 8601 text, or None). A run that was never heard counts from its start; without any time it is left
    alone. Paused runs owe no steps, and neither does a run of another kind than training that never made one. A
    finding keeps its id from check to check until the run is heard again. Raises ValueError for an unreadable time.
    """
    checked = ((str(run["id"]), _check(run, watch, now)) for run in runs)
    return [(run_id, finding) for run_id, finding in checked if finding]


def _check(run: Mapping[str, Any], watch: StallWatch, now: datetime) -> Finding | None:
    state = RunState(run["state"])
    if state not in BEATING:
        return None
    step, started = int(run.get("last_step") or 0), _time(run.get("started_at"))
    heard = _time(run.get("heartbeat_at")) or started
    if heard and (now - heard).total_seconds() > watch.dead_after_seconds:
        return _dead(heard, now, step)
    stepped = _time(run.get("last_step_at")) or (started if run.get("kind", "training") == "training" else None)
    if state == RunState.RUNNING and stepped and (now - stepped).total_seconds() > watch.stalled_after_seconds:
        return _stalled(stepped, now, step)
    return None


def _dead(since: datetime, now: datetime, step: int) -> Finding:
    seconds = (now - since).total_seconds()
    return Finding(
        id=f"dead-worker-{int(since.timestamp())}",
        detector="dead_worker",
        step=step,
        severity="critical",
        message=f"no sign of life from the worker for {seconds:.0f} s: its process or machine is gone",
        evidence={"since": since.isoformat(), "silent_seconds": seconds},
    )


def _stalled(since: datetime, now: datetime, step: int) -> Finding:
    seconds = (now - since).total_seconds()
    return Finding(
        id=f"stalled-run-{int(since.timestamp())}",
        detector="stalled_run",
        step=step,
        message=f"the worker lives, but has made no step for {seconds:.0f} s",
        evidence={"since": since.isoformat(), "silent_seconds": seconds},
    )


def check_forecast(run: Mapping[str, Any], forecast_seconds: float, watch: StallWatch, now: datetime) -> Finding | None:
    """`off_forecast` where a running run will take much longer than was forecast, by its own pace since it started.

    A row has `id`, `state`, `attempt`, `started_at` and `progress`, as the service lists runs. A run that has made no
    step yet is off when it has already taken that long. The finding keeps its id within an attempt.
    """
    started = _time(run.get("started_at"))
    if RunState(run["state"]) != RunState.RUNNING or started is None or forecast_seconds <= 0:
        return None
    elapsed = (now - started).total_seconds()
    share = max(
        (stage["done"] / stage["total"] for stage in run.get("progress") or [] if stage["total"] > 0), default=0.0
    )
    expected = elapsed / share if share >= watch.forecast_after_share else elapsed
    if expected <= watch.off_forecast_factor * forecast_seconds + watch.off_forecast_seconds:
        return None
    figures = {"forecast_seconds": forecast_seconds, "expected_seconds": expected, "elapsed_seconds": elapsed}
    return Finding(
        id=f"off-forecast-{run.get('attempt', 1)}",
        detector="off_forecast",
        step=int(run.get("last_step") or 0),
        message=f"it will take about {expected:.0f} s by its pace so far, where {forecast_seconds:.0f} s were forecast",
        evidence=figures | {"share_done": share},
    )


def _time(value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
