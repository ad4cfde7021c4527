"""Deleting a run: hidden in one transaction, removed bit by bit, its blobs after its rows; or its points alone.

What is left to do stands in an operation, so that a crash in the middle loses nothing: upkeep goes on with it.
"""

import time

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.models import Operation, Run, new_id
from app.queries import deletion as queries
from app.queries import outbox, retention, runs
from app.run_schemas import OperationStatus
from app.services import audit, collection, lifecycle
from app.services.blobs import BlobStore
from app.services.problems import conflict, invalid, not_found
from workers.specs.events import RunState

_MOMENT_SECONDS = 2.0
_WAIT_SECONDS = 300.0
_log = structlog.get_logger()


async def delete(database: Database, store: BlobStore, run_id: str, confirm: str, author: str) -> OperationStatus:
    """Delete a run with all that descends from it; what takes longer than a moment is left to upkeep.

    Raises problems: see `request`.
    """
    async with database.begin() as session:
        operation_id = await request(session, run_id, confirm, author)
    try:
        return await proceed(database, store, operation_id, _MOMENT_SECONDS)
    except OSError as error:  # the store is away: the run is gone all the same
        _log.warning("deletion_interrupted", run_id=run_id, error=str(error))
        return await status(database, operation_id)


async def request(session: AsyncSession, run_id: str, confirm: str, author: str) -> str:
    """Hide the run and its descendants and note what is to be removed. Returns the operation's id.

    Raises problems: 404, 422 when `confirm` is not the run's name, 409 while one of them or their parent has not
    ended, and while a run that has not ended, a release or a dataset needs what only they have made.
    """
    run = await lifecycle.locked(session, run_id)
    if confirm != run.name:
        pointer = {"pointer": "/query/confirm", "message": "type the run's name"}
        raise invalid("The confirmation is not the name of this run.", [pointer])
    family = await queries.lock_family(session, run)
    ids = [member.id for member in family]
    await _check(session, family, ids)
    operation = Operation(
        id=new_id(),
        kind="delete_run",
        target=run.id,
        name=run.name,
        project=run.project,
        detail=f"{len(ids)} runs to remove" if len(ids) > 1 else "its rows are being removed",
        data={"runs": ids[::-1], "blobs": await queries.blobs(session, ids)},
        author=author,
    )
    session.add(operation)
    for member in family:
        await outbox.replace_by_deletion(session, member)
        await lifecycle.announce(session, member)
        before = {name: getattr(member, name) for name in ("name", "kind", "state", "parent_id")}
        await audit.record(session, "run.delete", member.id, before, project=member.project)
    await queries.hide(session, ids)
    return operation.id


async def _check(session: AsyncSession, family: list[Run], ids: list[str]) -> None:
    for member in family:
        if not RunState(member.state).terminal:
            words = f"Run {member.name!r} ({member.id}) is {member.state}: cancel it first (`headrace cancel`)."
            raise conflict("run-active", words)
    parent = await runs.get(session, family[0].parent_id) if family[0].parent_id else None
    if parent and not RunState(parent.state).terminal:
        raise conflict("run-in-use", f"It belongs to run {parent.name!r} ({parent.id}), which is {parent.state}.")
    if users := await queries.users(session, family[0].project, ids):
        named = ", ".join(f"{name!r} ({user}{'' if active else ', a release'})" for user, name, _, active in users)
        raise conflict("run-in-use", f"Runs use what it has made: {named}. Wait for them, or delete them first.")
    if versions := await queries.versions(session, family[0].project, ids):
        words = f"Datasets are made of it: {', '.join(versions)}. Delete them first (`headrace dataset delete`)."
        raise conflict("run-in-use", words)


async def proceed(database: Database, store: BlobStore, operation_id: str, seconds: float) -> OperationStatus:
    """Go on with a deletion for about so long. Harmless when it is finished, or when two do it at once."""
    deadline = time.monotonic() + seconds
    more = True
    while more and time.monotonic() < deadline:
        async with database.begin() as session:
            operation = await _locked(session, operation_id)
            more = await _remove(session, operation)
    if not more:
        await _collect(database, store, operation_id)
    return await status(database, operation_id)


async def status(database: Database, operation_id: str) -> OperationStatus:
    """How far it is. Raises a 404 problem."""
    async with database.begin() as session:
        operation = await queries.get_operation(session, operation_id)
    if operation is None:
        raise not_found("operation", operation_id)
    state = "done" if operation.finished_at else "running"
    fields = {"id": operation.id, "kind": operation.kind, "target": operation.target, "name": operation.name}
    return OperationStatus.model_validate(
        fields
        | {"state": state, "detail": operation.detail, "author": operation.author}
        | {"created_at": operation.created_at, "finished_at": operation.finished_at}
    )


async def _locked(session: AsyncSession, operation_id: str) -> Operation:
    operation = await queries.get_operation(session, operation_id, lock=True)
    if operation is None:
        raise not_found("operation", operation_id)
    return operation


async def request_thinning(session: AsyncSession, default_days: int | None, limit: int) -> int:
    """Note runs whose points have been kept long enough: their charts read roll-ups from now on. How many."""
    found = await retention.runs_to_thin(session, default_days, limit)
    for run in found:
        await retention.mark_thinned(session, run.id)
        data = {"after": [0, -1], "blobs": []}
        place = {"target": run.id, "name": run.name, "project": run.project}
        session.add(Operation(id=new_id(), kind="thin_run", data=data, author="retention", **place))
    return len(found)


async def _thin(session: AsyncSession, operation: Operation) -> bool:
    """Some of the points. False: there are none left."""
    series_id, bucket = operation.data["after"]
    place = await retention.delete_points(session, operation.target, (series_id, bucket))
    if place is not None:
        operation.data = operation.data | {"after": list(place)}
    return place is not None


async def _remove(session: AsyncSession, operation: Operation) -> bool:
    """One bit of the rows. False: there are none left."""
    if operation.kind == "thin_run":
        return await _thin(session, operation)
    left: list[str] = operation.data["runs"]
    if not left or operation.finished_at:
        return False
    if await queries.delete_points(session, left[0]) or await queries.delete_rows(session, left[0]):
        return True
    await queries.delete_run(session, left[0])
    operation.data = operation.data | {"runs": left[1:]}
    operation.detail = f"{len(left) - 1} runs to remove"
    return True


async def _collect(database: Database, store: BlobStore, operation_id: str) -> None:
    """Delete blobs that nothing names any more. Young ones wait: a run may be about to name them."""
    async with database.begin() as session:
        operation = await queries.get_operation(session, operation_id)
    if operation is None or operation.finished_at:
        return
    waiting = await collection.collect_named(database, store, operation.data["blobs"])
    async with database.begin() as session:
        operation = await _locked(session, operation_id)
        operation.data = operation.data | {"blobs": waiting}
        if waiting:
            operation.detail = f"{len(waiting)} files go when no run is left that may be about to use them"
            await session.flush()
            await queries.postpone(session, operation_id, _WAIT_SECONDS)
        else:
            operation.detail, operation.finished_at = "", await runs.clock(session)
