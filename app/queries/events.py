"""SQL of events, findings, interventions and commands."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import cast, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Command, Event, Finding, Intervention, Run


async def add(
    session: AsyncSession,
    run: Run,
    kind: str,
    message: str,
    level: str = "info",
    step: int | None = None,
    **data: Any,
) -> None:
    """One event that the service itself makes."""
    row = {"kind": kind, "message": message, "level": level, "step": step, "data": data, "time": datetime.now(UTC)}
    await add_many(session, run.id, run.attempt, [row])


async def add_many(session: AsyncSession, run_id: str, attempt: int, rows: list[dict[str, Any]]) -> None:
    """Events in their order."""
    if rows:
        defaults = {"run_id": run_id, "attempt": attempt, "step": None, "level": "info", "data": {}}
        await session.execute(insert(Event), [defaults | row for row in rows])


async def page(
    session: AsyncSession,
    run_id: str,
    after: int,
    before: int | None,
    kinds: Sequence[str],
    levels: Sequence[str],
    q: str | None,
    limit: int,
) -> list[Event]:
    """Events with `after` < id < `before`, in order; with `before` the last `limit` of them."""
    query = select(Event).where(Event.run_id == run_id, Event.id > after)
    if before is not None:
        query = query.where(Event.id < before)
    if kinds:
        query = query.where(Event.kind.in_(kinds))
    if levels:
        query = query.where(Event.level.in_(levels))
    if q:
        query = query.where(Event.message.icontains(q, autoescape=True))
    if before is None:
        return list(await session.scalars(query.order_by(Event.id).limit(limit)))
    return list(await session.scalars(query.order_by(Event.id.desc()).limit(limit)))[::-1]


async def put_findings(session: AsyncSession, run_id: str, attempt: int, rows: list[dict[str, Any]]) -> None:
    """Findings; one with a known id is written anew."""
    for row in rows:
        statement = upsert(Finding).values(run_id=run_id, attempt=attempt, **row)
        changes = {key: statement.excluded[key] for key in row if key != "id"}
        await session.execute(statement.on_conflict_do_update(index_elements=["run_id", "id"], set_=changes))


async def put_interventions(session: AsyncSession, run_id: str, attempt: int, rows: list[dict[str, Any]]) -> int:
    """Interventions; one with a known id gets its outcome, and new evidence beside what it has.

    Returns how many the run has now.
    """
    for row in rows:
        statement = upsert(Intervention).values(run_id=run_id, attempt=attempt, **row)
        changes: dict[str, Any] = {key: statement.excluded[key] for key in row if key != "id"}
        changes["evidence"] = Intervention.evidence.op("||")(statement.excluded.evidence)
        await session.execute(statement.on_conflict_do_update(index_elements=["run_id", "id"], set_=changes))
    count = select(func.count()).select_from(Intervention).where(Intervention.run_id == run_id)
    return (await session.scalars(count)).one()


async def add_evidence(session: AsyncSession, run_id: str, intervention_id: str, evidence: dict[str, Any]) -> bool:
    """Put something beside the evidence of an intervention. False: the run has none of this id."""
    change = update(Intervention).where(Intervention.run_id == run_id, Intervention.id == intervention_id)
    merged = Intervention.evidence.op("||")(cast(evidence, JSONB))
    return (await session.scalars(change.values(evidence=merged).returning(Intervention.id))).first() is not None


async def findings(session: AsyncSession, run_id: str) -> list[Finding]:
    """All findings of a run by step."""
    return list(
        await session.scalars(select(Finding).where(Finding.run_id == run_id).order_by(Finding.step, Finding.id))
    )


async def interventions(session: AsyncSession, run_id: str) -> list[Intervention]:
    """All interventions of a run by time."""
    query = select(Intervention).where(Intervention.run_id == run_id)
    return list(await session.scalars(query.order_by(Intervention.time, Intervention.step, Intervention.id)))


async def add_command(session: AsyncSession, command: Command) -> None:
    """A command that waits for the worker."""
    session.add(command)
    await session.flush()
    await session.refresh(command)


async def commands(session: AsyncSession, run_id: str) -> list[Command]:
    """All commands of a run, the oldest first."""
    return list(await session.scalars(select(Command).where(Command.run_id == run_id).order_by(Command.id)))


async def take_commands(session: AsyncSession, run_id: str) -> list[Command]:
    """Commands that were not applied yet; those are delivered now."""
    query = select(Command).where(Command.run_id == run_id, Command.state != "applied").order_by(Command.id)
    found = list(await session.scalars(query))
    fresh = [command.id for command in found if command.state == "sent"]
    if fresh:
        change = update(Command).where(Command.id.in_(fresh))
        await session.execute(change.values(state="delivered", delivered_at=func.now()))
    return found


async def acknowledge(session: AsyncSession, run_id: str, ids: Iterable[str]) -> list[Command]:
    """Mark commands as applied; those that were not already."""
    change = update(Command).where(Command.run_id == run_id, Command.id.in_(list(ids)), Command.state != "applied")
    statement = change.values(state="applied", applied_at=func.now()).returning(Command)
    return list(await session.scalars(statement))
