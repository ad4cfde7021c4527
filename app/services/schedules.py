"""Schedules: launches at set times. Prefect keeps them and their history; here they are checked, read and told."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from app.db import SCOPE, Database, dump_json
from app.models.projects import DEFAULT_PROJECT
from app.queries import idempotency
from app.schedule_schemas import (
    AnyTiming,
    CronTiming,
    IntervalTiming,
    Occurrence,
    RuleTiming,
    RunNow,
    Schedule,
    ScheduleChange,
    ScheduleRequest,
    Timing,
    TimingPreview,
)
from app.schemas import LaunchRequest
from app.services import artifacts, audit, etags, projects, timing
from app.services.launch import read_spec
from app.services.prefect_schedules import TEMPLATE, Deployment, FlowRun, PrefectSchedules
from app.services.presets import get_preset
from app.services.problems import ProblemError, conflict, invalid, not_found

_HISTORY = timedelta(days=30)
_NUM_NEXT, _NUM_LAST = 5, 10
_AT_ONCE = 8
_STATES = {"RUNNING": "running", "PENDING": "running", "CANCELLING": "cancelled", "CANCELLED": "cancelled"}


async def list_schedules(prefect: PrefectSchedules) -> list[Schedule]:
    """All of the caller's projects, by name."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def tell(deployment: Deployment) -> Schedule:
        async with gate:
            return await describe(prefect, deployment)

    return list(
        await asyncio.gather(*(tell(deployment) for deployment in await prefect.list() if _is_visible(deployment)))
    )


async def get(prefect: PrefectSchedules, name: str) -> Deployment:
    """The deployment of a schedule. Raises problems: 404, 409 when several of the caller's projects have one."""
    found = [one for one in await prefect.list() if name_of(one) == name and _is_visible(one)]
    if not found:
        raise not_found("schedule", name)
    if len(found) > 1:
        owners = ", ".join(sorted(project_of(one) for one in found))
        raise conflict("ambiguous", f"{owners} have a schedule {name!r} each: say which with `?project=`.")
    return found[0]


def deployment_name(project: str, name: str) -> str:
    """What Prefect calls it, where names are unique among all projects."""
    return name if project == DEFAULT_PROJECT else f"{project}:{name}"


def name_of(deployment: Deployment) -> str:
    """Its name within its project."""
    return str(deployment["name"]).removeprefix(f"{project_of(deployment)}:")


def project_of(deployment: Deployment) -> str:
    """Its project; one that was made in Prefect itself belongs to the default one."""
    return str((deployment.get("labels") or {}).get("headrace.project") or DEFAULT_PROJECT)


def _is_visible(deployment: Deployment) -> bool:
    visible = SCOPE.get()
    return visible is None or project_of(deployment) in visible


async def create(prefect: PrefectSchedules, database: Database, request: ScheduleRequest, author: str) -> Schedule:
    """Make one. Raises problems: 409 for a name that is taken, 422 for a spec or a timing that is wrong."""
    timing.check(request.timing)
    launches = {"preset": request.preset, "overrides": request.overrides, "spec": request.spec}
    _check_launch(launches)
    parameters = launches | {
        "schedule": request.name,
        "catch_up": request.catch_up,
        "missed_after_seconds": request.missed_after_seconds,
    }
    async with database.begin() as session:  # two at once: the second sees the first
        await idempotency.lock_name(session, f"schedule {request.name}")
        project = await projects.project_of_launch(session, None)
        known = {(project_of(one), name_of(one)) for one in await prefect.list()}
        if request.name == TEMPLATE or (project, request.name) in known:
            raise conflict("name-taken", f"{project} has a schedule {request.name!r} already; take another name.")
        parameters["project"] = project
        await artifacts.check_visible(session, dump_json(launches))
        labels = {"created_by": author, "project": project}
        parameters = orjson.loads(dump_json(parameters))  # without NUL, which Prefect's database does not take
        name = deployment_name(project, request.name)
        await prefect.create(name, request.description, parameters, _written(request.timing), request.paused, labels)
        after = request.model_dump(mode="json")
        await audit.record(session, "schedule.create", request.name, after=after, project=project)
        made = await prefect.get(name)
    if made is None:  # somebody has deleted it in Prefect since
        raise not_found("schedule", request.name)
    return await describe(prefect, made)


async def change(
    prefect: PrefectSchedules, database: Database, name: str, etag: str | None, changes: ScheduleChange
) -> Schedule:
    """Edit one. Raises problems: 404, 412 when it has changed since `etag`, 422, 428 without `etag`."""
    given = changes.model_fields_set
    if changes.timing:
        timing.check(changes.timing)
    async with database.begin() as session:
        await idempotency.lock_name(session, f"schedule {name}")
        deployment = await get(prefect, name)
        etags.match(etag_of(deployment), etag)
        before = _facts(deployment)
        written: dict[str, Any] = {}
        parameters = dict(deployment["parameters"])
        if given & {"preset", "overrides", "spec"}:
            launches = {"preset": changes.preset, "overrides": changes.overrides or {}, "spec": changes.spec}
            _check_launch(launches)
            await artifacts.check_visible(session, dump_json(launches))
            parameters |= orjson.loads(dump_json(launches))
        for field in given & {"catch_up", "missed_after_seconds"}:
            parameters[field] = getattr(changes, field)
        if parameters != deployment["parameters"]:
            written["parameters"] = parameters
        if changes.description is not None:
            written["description"] = changes.description
        if written:
            await prefect.update(deployment, written)
        if changes.timing:
            await prefect.set_times(deployment, _written(changes.timing))
            deployment = await get(prefect, name)
        if changes.paused is not None and changes.paused is not _paused(deployment):
            await prefect.set_paused(deployment, changes.paused)
        told = changes.model_dump(mode="json", exclude_unset=True)
        await audit.record(session, "schedule.edit", name, before, told, project=project_of(deployment))
    return await describe(prefect, await get(prefect, name))


async def delete(prefect: PrefectSchedules, database: Database, name: str, etag: str | None) -> None:
    """Take one away; the runs that it launched stay. Raises problems: 404, and 412 where `etag` is another."""
    async with database.begin() as session:
        await idempotency.lock_name(session, f"schedule {name}")
        deployment = await get(prefect, name)
        if etag is not None:
            etags.match(etag_of(deployment), etag)
        await prefect.delete(deployment)
        facts, project = _facts(deployment), project_of(deployment)
        await audit.record(session, "schedule.delete", name, before=facts, project=project)


async def run_now(prefect: PrefectSchedules, database: Database, name: str, key: str | None) -> RunNow:
    """Have a worker of the pool `control` launch it once, also while it is paused. Raises a 404 problem."""
    deployment = await get(prefect, name)
    async with database.begin() as session:
        flow_run_id = await prefect.run(deployment, key and f"{deployment['id']}:{key}")
        after, project = {"flow_run_id": flow_run_id}, project_of(deployment)
        await audit.record(session, "schedule.run", name, after=after, project=project)
    return RunNow(flow_run_id=flow_run_id)


def preview(when: Timing) -> TimingPreview:
    """What a timing means. Raises a 422 problem."""
    timing.check(when)
    return TimingPreview(says=timing.in_words(when), next_runs=timing.following(when, datetime.now(UTC), _NUM_NEXT))


def etag_of(deployment: Deployment) -> str:
    """Changes with all that can be edited, here or in Prefect."""
    schedules = [(row["id"], row["active"], row["schedule"]) for row in deployment["schedules"]]
    state = [deployment["id"], deployment["description"], deployment["parameters"], deployment["paused"], schedules]
    return etags.make(state)


async def describe(prefect: PrefectSchedules, deployment: Deployment) -> Schedule:
    """What a deployment of Prefect is as a schedule, with what came of it."""
    now = datetime.now(UTC)
    schedules, parameters = deployment["schedules"], deployment["parameters"]
    when = _read_timing(schedules[0]["schedule"]) if schedules else None
    paused = _paused(deployment)
    missed_after = float(parameters.get("missed_after_seconds") or 900.0)
    runs = await prefect.flow_runs(deployment["id"], now - _HISTORY, now)
    told = [_occurrence(run, now, missed_after) for run in runs]
    if when and not paused and len(schedules) == 1:
        told += _unseen(when, datetime.fromisoformat(schedules[0]["updated"]), runs, now, missed_after)
    told.sort(key=lambda occurrence: occurrence.due_at, reverse=True)
    coming = [] if paused or when is None else timing.following(when, now, _NUM_NEXT)
    if isinstance(when, RuleTiming) and not paused:
        ahead = await prefect.flow_runs(deployment["id"], now, now + timedelta(days=366))
        coming = sorted(_due(run) for run in ahead)[:_NUM_NEXT]
    return Schedule(
        name=name_of(deployment),
        deployment_id=deployment["id"],
        project=project_of(deployment),
        description=deployment["description"] or "",
        preset=parameters.get("preset"),
        overrides=parameters.get("overrides") or {},
        spec=parameters.get("spec"),
        kind=_kind(parameters),
        timing=when,
        says=timing.in_words(when) if when else "No times",
        num_more_timings=max(0, len(schedules) - 1),
        paused=paused,
        catch_up=bool(parameters.get("catch_up")),
        missed_after_seconds=missed_after,
        next_runs=coming,
        last_runs=told[:_NUM_LAST],
        num_missed=sum(occurrence.state in {"missed", "late"} for occurrence in told),
        created_by=str((deployment.get("labels") or {}).get("headrace.created_by", "")),
        created_at=deployment["created"],
    )


def _occurrence(run: FlowRun, now: datetime, missed_after: float) -> Occurrence:
    """`flows.launch` ends as Launched, with the run's id as its message, or as Missed."""
    state, due = run.get("state") or {}, _due(run)
    kind, name, message = str(state.get("type")), str(state.get("name") or ""), str(state.get("message") or "")
    by_hand = "by-hand" in (run.get("tags") or [])
    told = Occurrence(due_at=due, state="failed", detail=message[:500], flow_run_id=run["id"], by_hand=by_hand)
    if kind == "COMPLETED" and name == "Launched":
        return told.model_copy(update={"state": "launched", "run_id": message, "detail": ""})
    if kind == "COMPLETED":
        return told.model_copy(update={"state": "missed"})
    if kind == "SCHEDULED":
        late = (now - due).total_seconds()
        words = f"due for {late:.0f} s; no worker of the pool control has taken it" if late > 60 else ""
        return told.model_copy(update={"state": "late" if late > missed_after else "waiting", "detail": words})
    return told.model_copy(update={"state": _STATES.get(kind, "failed")})


def _unseen(
    when: AnyTiming, since: datetime, runs: Sequence[FlowRun], now: datetime, missed_after: float
) -> list[Occurrence]:
    """Times that went by while Prefect was down for so long that it had made no flow run for them."""
    oldest = min((_due(run) for run in runs), default=None) if len(runs) >= 200 else None
    begin = max(moment for moment in (since, now - _HISTORY, oldest) if moment)
    seen = {_due(run).replace(microsecond=0) for run in runs}
    expected = timing.between(when, begin, now - timedelta(seconds=missed_after), 1000)
    words = "Prefect was not running"
    return [
        Occurrence(due_at=due, state="missed", detail=words)
        for due in expected
        if due.replace(microsecond=0) not in seen
    ]


def _due(run: FlowRun) -> datetime:
    return datetime.fromisoformat(run["expected_start_time"] or run["created"]).astimezone(UTC)


def _paused(deployment: Deployment) -> bool:
    schedules = deployment["schedules"]
    return bool(deployment["paused"] or (schedules and not any(row["active"] for row in schedules)))


def _written(when: Timing) -> dict[str, Any]:
    """The timing as Prefect takes it."""
    if isinstance(when, CronTiming):
        return {"cron": when.cron, "timezone": when.timezone}
    anchor = (when.anchor or datetime.now(UTC)).isoformat()
    return {"interval": when.seconds, "anchor_date": anchor, "timezone": when.timezone}


def _read_timing(schedule: dict[str, Any]) -> AnyTiming | None:
    """Prefect's times as ours; None for what nobody can make here."""
    zone = schedule.get("timezone") or "UTC"
    try:
        if "cron" in schedule:
            return CronTiming(cron=schedule["cron"], timezone=zone)
        if "interval" in schedule:
            return IntervalTiming(seconds=schedule["interval"], anchor=schedule["anchor_date"], timezone=zone)
    except ValidationError:  # Prefect allows more: every second, zones of its own
        return RuleTiming(rrule=str(schedule.get("cron") or f"every {schedule.get('interval')} s"), timezone=zone)
    return RuleTiming(rrule=str(schedule.get("rrule", "")), timezone=zone)


def _check_launch(launches: dict[str, Any]) -> None:
    if (launches["preset"] is None) == (launches["spec"] is None):
        pointer = {"pointer": "/preset", "message": "a preset or a spec, not both"}
        raise invalid("Say what it launches: a `preset`, or a `spec`.", [pointer])
    try:
        read_spec(LaunchRequest(**launches))
    except ProblemError as problem:
        if problem.status != 404:
            raise
        raise invalid(problem.detail, [{"pointer": "/preset", "message": "there is no such preset"}]) from problem


def _facts(deployment: Deployment) -> dict[str, Any]:
    """What of it can be edited."""
    parameters: dict[str, Any] = deployment["parameters"]
    times = [row["schedule"] for row in deployment["schedules"]]
    return parameters | {"description": deployment["description"], "paused": _paused(deployment), "timing": times}


def _kind(parameters: dict[str, Any]) -> str:
    if parameters.get("spec"):
        return str(parameters["spec"].get("kind", ""))
    try:
        return get_preset(str(parameters.get("preset"))).kind
    except ProblemError:
        return ""
