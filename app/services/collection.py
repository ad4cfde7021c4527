"""Garbage collection: blobs that no artifact names go, once they are old enough.

Rows first, blobs after: a blob is noted in `collected_blobs`, then deleted, then noted as deleted. A crash in between
leaves notes, which the next collection takes up. Whoever stores an artifact is safe three times: a blob younger than
the grace period or than the oldest run that still runs is left alone; storing what is there already makes it young
(`touch`); and an artifact that names a blob which is gone is refused, so that a new attempt stores it again.
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.dataset_schemas import Collected, CollectRequest
from app.db import Database
from app.models import DatasetVersion
from app.queries import blobs
from app.services import audit, cursors
from app.services.blobs import BlobStore, StoredBlob
from app.services.problems import ProblemError, conflict, invalid
from workers.specs.events import Artifact

_PREFIXES = [f"{number:02x}" for number in range(256)]
_STEP_SECONDS = 15.0
_STEP_BLOBS = 50_000
_DELETE_AT_ONCE = 200
_NUM_EXAMPLES = 20
_LEAST_GRACE_HOURS = 1.0
_CLOCK_SLACK = timedelta(minutes=5)
"""The store's clock and the database's may differ by so much."""


async def claim(session: AsyncSession, store: BlobStore, artifact: Artifact) -> None:
    """Keep the artifact's blobs from being collected until this transaction ends, when its row protects them.

    Raises a 409 problem when one of them was deleted and not stored again.
    """
    await blobs.share(session)
    names = [*(file.sha256 for file in artifact.files), artifact.digest.removeprefix("sha256:")]
    taken = await blobs.collected(session, names)
    for sha256, deleted_at in taken.items():
        if deleted_at is not None and await store.size(sha256) is None:
            raise conflict("blob-collected", f"Blob {sha256} was deleted as garbage: store the artifact again.")
    if taken:
        await blobs.spare(session, list(taken))


async def stored(database: Database, store: BlobStore, sha256: str) -> bool:
    """The blob was stored or renewed just now: it is garbage no more. False: it was deleted in between."""
    async with database.begin() as session:
        await blobs.share(session)
        if not await blobs.collected(session, [sha256]):
            return True
        await blobs.spare(session, [sha256])
        return await store.size(sha256) is not None


async def collect(database: Database, store: BlobStore, request: CollectRequest) -> Collected:
    """One step over a part of the store; the answer's cursor leads to the next. Without `apply` nothing changes."""
    key = cursors.decode(request.cursor, [int])
    start = key[0] if key else 0
    if not 0 <= start < len(_PREFIXES):
        raise invalid("The cursor is not one of this list.", [{"pointer": "/cursor", "message": "take `next_cursor`"}])
    async with database.begin() as session:
        cutoff = await _cutoff(session, request.grace_hours)
    gone = await _finish(database, store) if request.apply and start == 0 else []
    found, following = await _list(store, start)
    references, garbage = await _sort_out(database, found, cutoff, request.apply)
    if request.apply:
        gone += await _delete(database, store, [blob.sha256 for blob in garbage])
        for prefix in _PREFIXES[start : following or len(_PREFIXES)]:
            await store.delete_partial(prefix, cutoff.timestamp())
    deleted = set(gone)
    return Collected(
        blobs=len(found),
        bytes=sum(blob.num_bytes for blob in found),
        referenced=len(references),
        shared=sum(count > 1 for count in references.values()),
        young=len(found) - len(references) - len(garbage),
        garbage=len(garbage),
        garbage_bytes=sum(blob.num_bytes for blob in garbage),
        deleted=len(deleted),
        deleted_bytes=sum(blob.num_bytes for blob in garbage if blob.sha256 in deleted),
        cutoff=cutoff,
        examples=[blob.sha256 for blob in garbage[:_NUM_EXAMPLES]],
        next_cursor=cursors.encode(following) if following else None,
    )


async def collect_named(database: Database, store: BlobStore, sha256s: list[str]) -> list[str]:
    """Delete those of these blobs that nothing names any more. Returns those that are too young to judge."""
    wanted, found = set(sha256s), list[StoredBlob]()
    for prefix in sorted({sha256[:2] for sha256 in wanted}):
        found += [blob for blob in await store.listing(prefix) if blob.sha256 in wanted]
    async with database.begin() as session:
        cutoff = await _cutoff(session, _LEAST_GRACE_HOURS)
    references, garbage = await _sort_out(database, found, cutoff, apply=True)
    await _delete(database, store, [blob.sha256 for blob in garbage])
    settled = {blob.sha256 for blob in garbage} | references.keys()
    return sorted(blob.sha256 for blob in found if blob.sha256 not in settled)


async def _cutoff(session: AsyncSession, grace_hours: float) -> datetime:
    """What was stored after this moment may be on its way to become an artifact."""
    moments = [datetime.now(UTC) - timedelta(hours=grace_hours)]
    if oldest := await blobs.oldest_active_start(session):
        moments.append(oldest)
    return min(moments) - _CLOCK_SLACK


async def _list(store: BlobStore, start: int) -> tuple[list[StoredBlob], int | None]:
    """Blobs from this prefix on, for some seconds, and the prefix to go on with (None: the end)."""
    began, found = time.monotonic(), list[StoredBlob]()
    for number in range(start, len(_PREFIXES)):
        found += await store.listing(_PREFIXES[number])
        if time.monotonic() - began > _STEP_SECONDS or len(found) > _STEP_BLOBS:
            return found, number + 1 if number + 1 < len(_PREFIXES) else None
    return found, None


async def _sort_out(
    database: Database, found: list[StoredBlob], cutoff: datetime, apply: bool
) -> tuple[dict[str, int], list[StoredBlob]]:
    """How often each blob is named, and those that are garbage; with `apply` they are noted as such."""
    async with database.begin() as session:
        if apply:
            await blobs.exclude(session)
        references = await blobs.references(session, [blob.sha256 for blob in found])
        garbage = [b for b in found if b.sha256 not in references and b.modified < cutoff.timestamp()]
        if apply and garbage:
            await blobs.collect(session, [blob.sha256 for blob in garbage])
        if apply:
            figures = {"blobs": len(garbage), "bytes": sum(blob.num_bytes for blob in garbage)}
            await audit.record(session, "storage.collect", "store", after=figures)
    return references, garbage


async def _finish(database: Database, store: BlobStore) -> list[str]:
    """Delete what an earlier collection noted before it was cut off."""
    gone: list[str] = []
    while True:
        async with database.begin() as session:
            left = await blobs.waiting(session, _DELETE_AT_ONCE)
        if not left:
            return gone
        gone += await _delete(database, store, left)


async def _delete(database: Database, store: BlobStore, sha256s: list[str]) -> list[str]:
    """Delete blobs that are noted, but those that were claimed since."""
    gone: list[str] = []
    for start in range(0, len(sha256s), _DELETE_AT_ONCE):
        async with database.begin() as session:
            await blobs.exclude(session)
            noted = await blobs.collected(session, sha256s[start : start + _DELETE_AT_ONCE])
            batch = [sha256 for sha256, deleted_at in noted.items() if deleted_at is None]
            await store.delete(batch)
            await blobs.deleted(session, batch)
        gone += batch
    return gone


async def delete_version(session: AsyncSession, row: DatasetVersion, confirm: str, force: bool, author: str) -> None:
    """Delete a dataset version; its name, figures and lineage stay, its blobs are garbage from now on.

    Raises problems: 422 when `confirm` is not NAME@VERSION, 409 when a run uses it and there is no `force`.
    """
    if confirm != f"{row.name}@{row.version}":
        pointer = {"pointer": "/query/confirm", "message": f"type {row.name}@{row.version}"}
        raise invalid("The confirmation does not name this version.", [pointer])
    if not force and (users := await blobs.users(session, row.project, row.digest)):
        named = ", ".join(f"{name} ({run_id})" for run_id, name in users)
        raise ProblemError(
            409, "dataset-in-use", "Dataset in use", f"Runs that have not ended use it: {named}. Wait, or use force."
        )
    before = {"name": row.name, "version": row.version, "run_id": row.run_id}
    await blobs.delete_version(session, row.project, row.digest, author)
    await audit.record(session, "dataset.delete", row.digest, before, project=row.project)
