"""Labels: how good people find documents, 0 to 5. A scorer learns from them."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse

from app.queries import datasets, labels
from app.routes.blobs import DigestPath
from app.routes.datasets import Cursor, Limit
from app.routes.deps import DatabaseOf, SessionOf, require
from app.schemas import Label, LabelRequest, LabelSummary, Page
from app.services import audit, cursors
from app.services.auth import Principal
from app.services.problems import not_found

router = APIRouter(prefix="/api/v1/labels", tags=["labels"])
readable = [Depends(require("viewer", "worker"))]
Dataset = Annotated[str, Query(pattern=r"^(sha256:)?[0-9a-f]{64}$", description="Digest of the dataset version.")]
_LINES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {}}, "description": "One label a line."}
}


@router.post("", operation_id="put_label")
async def put_label(
    body: LabelRequest, principal: Annotated[Principal, Depends(require("operator"))], session: SessionOf
) -> Label:
    """Set the label of a document; one that is there already is replaced."""
    digest = _full(body.dataset)
    version = await datasets.version(session, digest)
    if version is None:
        raise not_found("dataset version", digest)
    before = await labels.score_of(session, version.project, digest, body.document_id)
    row = await labels.put(session, version.project, digest, body.document_id, body.score, principal.name)
    target = f"{digest}/{body.document_id}"
    await audit.record(session, "label.put", target, _score(before), _score(body.score), project=version.project)
    return Label.model_validate(row)


@router.get("", operation_id="list_labels", dependencies=readable)
async def list_labels(dataset: Dataset, session: SessionOf, cursor: Cursor = None, limit: Limit = 50) -> Page[Label]:
    """Labels of a dataset version, those that were set last first."""
    key = cursors.decode(cursor, [str, str])
    rows = await labels.labels(session, _full(dataset), (cursors.moment(key[0]), key[1]) if key else None, limit + 1)
    items = [Label.model_validate(row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    more = cursors.encode(last.created_at.isoformat(), last.document_id) if last else None
    return Page(items=items, next_cursor=more)


@router.get("/summary", operation_id="summarize_labels", dependencies=readable)
async def summarize_labels(dataset: Dataset, session: SessionOf) -> LabelSummary:
    """How many labels there are, by score."""
    found = await labels.counts(session, _full(dataset))
    counts = {str(score): found.get(score, 0) for score in range(6)}
    return LabelSummary(dataset=_full(dataset), num_labels=sum(counts.values()), counts=counts)


@router.get(
    "/export", operation_id="export_labels", response_class=StreamingResponse, responses=_LINES, dependencies=readable
)
async def export_labels(dataset: Dataset, database: DatabaseOf) -> StreamingResponse:
    """All labels of a dataset version as JSON lines, which a scorer's `labels: {kind: file}` reads."""
    digest = _full(dataset)

    async def lines() -> AsyncIterator[str]:
        async with database.begin() as session:
            async for row in labels.every(session, digest):
                yield Label.model_validate(row).model_dump_json() + "\n"

    name = f'attachment; filename="labels-{digest.removeprefix("sha256:")[:12]}.jsonl"'
    return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"Content-Disposition": name})


@router.delete(
    "/{dataset}/{document_id:path}",
    operation_id="delete_label",
    status_code=204,
    dependencies=[Depends(require("operator"))],
)
async def delete_label(
    dataset: DigestPath, document_id: Annotated[str, Path(max_length=500)], session: SessionOf
) -> Response:
    """Take a label back."""
    digest = _full(dataset)
    version = await datasets.version(session, digest)
    if version is None:
        raise not_found("dataset version", digest)
    before = None if "\x00" in document_id else await labels.remove(session, version.project, digest, document_id)
    if before is None:
        raise not_found("label of the document", document_id)
    await audit.record(session, "label.delete", f"{digest}/{document_id}", _score(before), project=version.project)
    return Response(status_code=204)


def _score(score: int | None) -> dict[str, Any] | None:
    return None if score is None else {"score": score}


def _full(digest: str) -> str:
    return f"sha256:{digest.removeprefix('sha256:')}"
