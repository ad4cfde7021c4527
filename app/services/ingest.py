"""Takes what workers report. One transaction a batch, under the run's lock, fenced by the attempt."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Run
from app.queries import events, outbox, points, results, runs
from app.services import lifecycle, notices
from app.services.blobs import BlobStore
from app.services.commit import commit_artifact
from app.services.problems import conflict, invalid, not_found
from workers.specs.events import Batch, Command, EvaluationItems, Event, MetricColumn, Reply, RunState

HEADLINE = frozenset(
    {
        "loss", "heldout_loss", "lr", "grad_norm", "update_norm", "tokens", "tokens_per_second", "documents",
        "documents_per_second", "bits_per_byte", "accuracy", "mfu",
    }
)  # fmt: skip
"""Series whose last value the lists show, and which MLflow gets."""
_MAX_STEP = 1 << 62
_MAX_TIME = 1e11


async def ingest(session: AsyncSession, run_id: str, batch: Batch, store: BlobStore) -> Reply:
    """Take a batch. Raises a 409 problem for an older attempt or an ended run, 422 for columns that do not fit.

    A repeat changes nothing and is answered with `accepted` false. A run that ended with this very attempt still
    accepts repeats, so that a lost answer does not look like fencing.
    """
    run = await runs.lock(session, run_id)
    if run is None:  # a conflict, since it must stop the worker
        raise conflict("run-gone", f"There is no run {run_id[:100]} (any more): it takes no reports.")
    _check_attempt(run, batch.attempt)
    heartbeat = batch.source.endswith(".heartbeat")
    if RunState(run.state).terminal:
        return await _after_the_end(session, run, batch)
    if not heartbeat and not await results.take_batch(session, run.id, batch.attempt, batch.source, batch.seq):
        return Reply(accepted=False, commands=await _commands(session, run))
    if batch.source.startswith("worker"):  # hooks and monitors speak for a worker that may be gone
        run.heartbeat_at = func.clock_timestamp()
        await session.flush()
    if not heartbeat:
        await _apply(session, run, batch, store)
    return Reply(commands=await _commands(session, run))


def _check_attempt(run: Run, attempt: int) -> None:
    if attempt < run.attempt:
        raise conflict(
            "fenced", f"Attempt {attempt} of run {run.id} is over: attempt {run.attempt} has taken its place."
        )
    if attempt > run.attempt:
        raise conflict("fenced", f"Run {run.id} has no attempt {attempt} yet: it is at attempt {run.attempt}.")


async def _after_the_end(session: AsyncSession, run: Run, batch: Batch) -> Reply:
    ended = conflict("run-ended", f"Run {run.id} has ended ({run.state}); it takes no more reports.")
    if batch.source.endswith(".heartbeat"):
        if RunState(run.state) in {RunState.COMPLETED, RunState.FAILED}:
            return Reply(accepted=False)  # its own word ended the run: the process is about to leave
        raise ended
    if await results.take_batch(session, run.id, batch.attempt, batch.source, batch.seq):
        raise ended  # the transaction is rolled back, and with it the note
    return Reply(accepted=False)


async def _apply(session: AsyncSession, run: Run, batch: Batch, store: BlobStore) -> None:
    changed = set[str]()
    early = batch.state in {RunState.RUNNING, RunState.PAUSED}
    if early and batch.state:
        await lifecycle.report(session, run, batch.state, batch.error)
    if batch.metrics:
        await _take_metrics(session, run, batch.metrics)
        changed.add("metrics")
    if await _take_events(session, run, batch):
        changed.add("event")
    if batch.findings:
        await notices.findings_reported(session, run, batch.findings)
        rows = [finding.model_dump() for finding in batch.findings]
        await events.put_findings(session, run.id, batch.attempt, rows)
        changed.add("finding")
    if batch.interventions:
        await notices.interventions_reported(session, run, batch.interventions)
        rows = [intervention.model_dump() for intervention in batch.interventions]
        run.num_interventions = await events.put_interventions(session, run.id, batch.attempt, rows)
        changed.add("intervention")
    for artifact in batch.artifacts:
        await commit_artifact(session, run, artifact, store)
        changed.add("event")
    if batch.acks and await _acknowledge(session, run, batch.acks):
        changed.add("event")
    await session.flush()
    await lifecycle.announce(session, run, *sorted(changed))
    if batch.state and not early:  # the end comes after all that led to it
        await lifecycle.report(session, run, batch.state, batch.error)


async def _take_metrics(session: AsyncSession, run: Run, columns: list[MetricColumn]) -> None:
    now = (await runs.clock(session)).timestamp()
    merged = merge_columns(columns, now)
    await points.store(session, run.id, merged)
    run.last_step_at = func.clock_timestamp()
    headline = [column for column in merged if column.key in HEADLINE]
    if not headline:
        return
    newest = {c.key: float(c.values[-1]) for c in sorted(headline, key=lambda c: c.branch)}
    finite = {key: value if math.isfinite(value) else None for key, value in newest.items()}
    run.headline = run.headline | finite
    await outbox.append(session, run.id, "metrics", {"columns": [_finite_points(column) for column in headline]})


def merge_columns(columns: Iterable[MetricColumn], now: float) -> list[points.Points]:
    """One entry a (key, branch), sorted by step, each step once (the last value counts).

    Raises a 422 problem for wrong columns.
    """
    parts: dict[tuple[str, int], list[points.Points]] = {}
    for i, column in enumerate(columns):
        read = _read_column(column, f"/metrics/{i}", now)
        if len(read.steps):
            parts.setdefault((column.key, column.branch), []).append(read)
    return [_in_order(found[0] if len(found) == 1 else _joined(found)) for found in parts.values()]


def _joined(parts: list[points.Points]) -> points.Points:
    arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in ("steps", "values", "times")]
    return points.Points(parts[0].key, parts[0].branch, *arrays)


def _in_order(column: points.Points) -> points.Points:
    if (np.diff(column.steps) > 0).all():
        return column
    order = np.argsort(column.steps, kind="stable")
    steps = column.steps[order]
    kept = order[np.append(steps[1:] != steps[:-1], True)]
    return points.Points(column.key, column.branch, column.steps[kept], column.values[kept], column.times[kept])


def _read_column(column: MetricColumn, pointer: str, now: float) -> points.Points:
    wrong: list[tuple[str, str]] = []
    num_steps = len(column.steps)
    if len(column.values) != num_steps:
        wrong.append(("/values", f"{len(column.values)} values for {num_steps} steps"))
    if column.times and len(column.times) != num_steps:
        wrong.append(("/times", f"{len(column.times)} times for {num_steps} steps"))
    try:
        steps = np.array(column.steps, np.int64)
    except OverflowError:
        steps = np.array([-1])
    if not ((steps >= 0) & (steps < _MAX_STEP)).all():
        wrong.append(("/steps", "steps must be 0 or more, below 2^62"))
    times = np.array(column.times, np.float64) if column.times else np.full(num_steps, now)
    if not ((times >= 0) & (times < _MAX_TIME)).all():
        wrong.append(("/times", "times must be Unix seconds"))
    if column.branch >= _MAX_STEP:
        wrong.append(("/branch", "the branch must be below 2^62"))
    if wrong:
        errors = [{"pointer": pointer + where, "message": message} for where, message in wrong]
        raise invalid(f"The column {column.key!r} is wrong.", errors)
    return points.Points(column.key, column.branch, steps, np.array(column.values, np.float64), times)


def _finite_points(column: points.Points) -> dict[str, Any]:
    kept = np.isfinite(column.values)
    arrays = {name: getattr(column, name)[kept].tolist() for name in ("steps", "values", "times")}
    return {"key": column.key, "branch": column.branch} | arrays


async def _take_events(session: AsyncSession, run: Run, batch: Batch) -> bool:
    rows: list[dict[str, Any]] = []
    for event in batch.events:
        if event.kind == "progress":
            run.progress = with_progress(run.progress, event)
            run.last_step_at = func.clock_timestamp()
            continue
        if event.kind == "summary":
            run.summary = run.summary | event.data
            await _keep_verdict(session, run, event.data.get("replay"))
            await outbox.append(session, run.id, "summary")
        row = event.model_dump()
        rows.append(row | {"level": "warning" if event.kind == "warning" else "info"})
    rows.extend({"kind": "log"} | log.model_dump() for log in batch.logs)
    rows.sort(key=lambda row: row["time"].timestamp())
    await events.add_many(session, run.id, batch.attempt, rows)
    return bool(rows)


async def _keep_verdict(session: AsyncSession, run: Run, found: Any) -> None:
    """A replay of another run's intervention is done: its verdict and curves go where the intervention stands."""
    wanted = run.spec.get("replay") or {}
    if not isinstance(found, dict) or not wanted.get("run"):
        return
    replayed = await runs.get(session, wanted["run"])
    if replayed is None or replayed.project != run.project:
        return
    evidence = {"verdict": found.get("verdict"), "replay": found | {"replayed_by": run.id}}
    if await events.add_evidence(session, replayed.id, wanted["intervention"], evidence):
        await lifecycle.announce(session, replayed, "intervention")


def with_progress(progress: list[dict[str, Any]], event: Event) -> list[dict[str, Any]]:
    """The stages with this one brought up to date; a new one comes last."""
    data = event.data
    entry = {
        "stage": str(data.get("stage", "")),
        "done": _number(data.get("done")),
        "total": _number(data.get("total")),
        "unit": str(data.get("unit", "")),
        "updated_at": event.time.isoformat(),
    }
    if any(stage["stage"] == entry["stage"] for stage in progress):
        return [entry if stage["stage"] == entry["stage"] else stage for stage in progress]
    return [*progress, entry]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


async def _acknowledge(session: AsyncSession, run: Run, ids: list[str]) -> bool:
    applied = await events.acknowledge(session, run.id, ids)
    for command in applied:
        message = f"{command.kind} was carried out"
        await events.add(session, run, "command", message, command_id=command.id, arguments=command.arguments)
    return bool(applied)


async def _commands(session: AsyncSession, run: Run) -> list[Command]:
    waiting = await events.take_commands(session, run.id)
    fields = ("id", "kind", "arguments", "author")
    return [Command.model_validate({name: getattr(command, name) for name in fields}) for command in waiting]


async def ingest_items(session: AsyncSession, run_id: str, body: EvaluationItems) -> Reply:
    """Items of an evaluation whose scores were reported before. Repeating it is harmless."""
    run = await lifecycle.locked(session, run_id)
    _check_attempt(run, body.attempt)
    evaluation = await results.evaluation_of(session, run_id, body.task)
    if evaluation is None:
        raise not_found("evaluation of this run on the task (report its artifact first)", body.task)
    unique = {item.item_id: item.model_dump() for item in body.items}
    await results.put_items(session, evaluation.id, list(unique.values()))
    return Reply()
