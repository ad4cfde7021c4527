"""Dataset versions: their figures, their funnel, and what was kept and dropped."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.dataset_schemas import Cluster, DatasetComparison, Histogram
from app.models import DatasetVersion as Row
from app.queries import datasets as queries
from app.queries import runs
from app.routes.blobs import DigestPath
from app.routes.deps import DatabaseOf, SessionOf, require
from app.schemas import DatasetVersion, Page, Sample
from app.services import collection, cursors
from app.services.auth import Principal
from app.services.comparison import Comparer
from app.services.datasets import SampleFilter, SampleReader, read_clusters, read_histograms
from app.services.problems import not_found

router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"], dependencies=[Depends(require("viewer", "worker"))])
Cursor = Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before.")]
DIGEST = r"^(sha256:)?[0-9a-f]{64}$"
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("", operation_id="list_datasets")
async def list_datasets(session: SessionOf, cursor: Cursor = None, limit: Limit = 50) -> Page[DatasetVersion]:
    """The latest version of each dataset, by name."""
    key = cursors.decode(cursor, [str, str])
    rows = await queries.latest_versions(session, (key[0], key[1]) if key else None, limit + 1)
    return _page(rows, limit, "name")


@router.get("/versions/{digest}", operation_id="get_dataset_version")
async def get_dataset_version(digest: DigestPath, session: SessionOf) -> DatasetVersion:
    """One version."""
    return DatasetVersion.model_validate(await _version(session, digest))


@router.delete("/versions/{digest}", operation_id="delete_dataset_version", status_code=204)
async def delete_dataset_version(
    digest: DigestPath,
    session: SessionOf,
    principal: Annotated[Principal, Depends(require("admin"))],
    confirm: Annotated[str, Query(max_length=400, description="NAME@VERSION of this version.")] = "",
    force: Annotated[bool, Query(description="Though a run that has not ended uses it.")] = False,
) -> None:
    """Delete a version. Its figures and lineage stay; its files go with the next garbage collection."""
    await collection.delete_version(session, await _version(session, digest), confirm, force, principal.name)


@router.get("/versions/{digest}/funnel", operation_id="get_dataset_funnel")
async def get_dataset_funnel(digest: DigestPath, session: SessionOf) -> list[dict[str, Any]]:
    """Documents and bytes that are left after each step, by rule and language, as curation counted them."""
    funnel = (await _version(session, digest)).statistics.get("funnel")
    return funnel if isinstance(funnel, list) else []


@router.get("/versions/{digest}/samples", operation_id="list_dataset_samples")
async def list_dataset_samples(
    digest: DigestPath,
    database: DatabaseOf,
    request: Request,
    rule: Annotated[str | None, Query(max_length=200, description="A rule, or the kind of a filter.")] = None,
    language: Annotated[str | None, Query(max_length=20)] = None,
    kept: Annotated[bool | None, Query(description="Only kept documents, or only dropped ones.")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Found in text, URL or source.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Sample]:
    """Kept and dropped documents with the rule and the figure that decided."""
    key = cursors.decode(cursor, [int])
    async with database.begin() as session:
        row = await _version(session, digest)
    reader: SampleReader = request.app.state.samples
    wanted = SampleFilter(rule=rule, language=language, kept=kept, q=q)
    samples, following = await reader.page(row.digest, row.files, wanted, key[0] if key else 0, limit)
    return Page(items=samples, next_cursor=None if following is None else cursors.encode(following))


@router.get("/versions/{digest}/histograms", operation_id="get_dataset_histograms")
async def get_dataset_histograms(digest: DigestPath, database: DatabaseOf, request: Request) -> list[Histogram]:
    """Each figure that a filter measured, by rule and language, with the rule's threshold."""
    async with database.begin() as session:
        row = await _version(session, digest)
    return await read_histograms(request.app.state.dataset_files, row.files)


@router.get("/versions/{digest}/clusters", operation_id="list_dataset_clusters")
async def list_dataset_clusters(
    digest: DigestPath, database: DatabaseOf, request: Request, cursor: Cursor = None, limit: Limit = 50
) -> Page[Cluster]:
    """The largest clusters of near-duplicates and an even sample of the others."""
    key = cursors.decode(cursor, [int])
    async with database.begin() as session:
        row = await _version(session, digest)
    clusters, following = await read_clusters(request.app.state.dataset_files, row.files, key[0] if key else 0, limit)
    return Page(items=clusters, next_cursor=None if following is None else cursors.encode(following))


@router.get("/compare", operation_id="compare_datasets")
async def compare_datasets(
    left: Annotated[str, Query(pattern=DIGEST, description="Digest of a version.")],
    right: Annotated[str, Query(pattern=DIGEST, description="Digest of another one.")],
    database: DatabaseOf,
    request: Request,
) -> DatasetComparison:
    """Two versions: their specs, documents that one of them alone holds, tokens by language, drops by rule."""
    async with database.begin() as session:
        ours, theirs = await _version(session, left), await _version(session, right)
        our_spec, their_spec = await _specs(session, [ours, theirs])
    comparer: Comparer = request.app.state.comparison
    return await comparer.compare(ours, theirs, our_spec, their_spec)


async def _specs(session: AsyncSession, rows: list[Row]) -> list[dict[str, Any] | None]:
    """The specs of their runs, or the recipes of their lineage where not both runs are there."""
    made_by = [await runs.get(session, row.run_id) if row.run_id else None for row in rows]
    if all(run is not None and run.kind == "curation" for run in made_by):
        return [run.spec if run else None for run in made_by]
    return [row.lineage.get("recipe") for row in rows]


@router.get("/{name:path}/versions", operation_id="list_dataset_versions")
async def list_dataset_versions(
    name: str, session: SessionOf, cursor: Cursor = None, limit: Limit = 50
) -> Page[DatasetVersion]:
    """Versions of one dataset, the newest first."""
    key = cursors.decode(cursor, [int, str])
    rows = await queries.versions(session, name, (key[0], key[1]) if key else None, limit + 1)
    if not rows and key is None:
        raise not_found("dataset", name)
    return _page(rows, limit, "version")


async def _version(session: AsyncSession, digest: str) -> Row:
    row = await queries.version(session, f"sha256:{digest.removeprefix('sha256:')}")
    if row is None:
        raise not_found("dataset version", digest)
    return row


def _page(rows: list[Row], limit: int, key: str) -> Page[DatasetVersion]:
    more = cursors.encode(getattr(rows[limit - 1], key), rows[limit - 1].project) if len(rows) > limit else None
    return Page(items=[DatasetVersion.model_validate(row) for row in rows[:limit]], next_cursor=more)
