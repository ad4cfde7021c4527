"""SQL of labels."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Label

_CHUNK = 1000


async def put(session: AsyncSession, project: str, dataset: str, document_id: str, score: int, author: str) -> Label:
    """Set a label; one that is there already is replaced."""
    where = {"project": project, "dataset": dataset, "document_id": document_id}
    values: dict[str, Any] = where | {"score": score, "author": author}
    statement = insert(Label).values(created_at=func.clock_timestamp(), **values)
    changes = {name: statement.excluded[name] for name in ("score", "author", "created_at")}
    query = statement.on_conflict_do_update(
        index_elements=["project", "dataset", "document_id"], set_=changes
    ).returning(Label)
    return (await session.scalars(query, execution_options={"populate_existing": True})).one()


async def score_of(session: AsyncSession, project: str, dataset: str, document_id: str) -> int | None:
    """The label of a document; None: it has none."""
    query = select(Label.score).where(*_is(project, dataset, document_id))
    found: int | None = await session.scalar(query)
    return found


async def remove(session: AsyncSession, project: str, dataset: str, document_id: str) -> int | None:
    """Take a label back; the score that it had. None: there was none."""
    change = delete(Label).where(*_is(project, dataset, document_id))
    score: int | None = await session.scalar(change.returning(Label.score))
    return score


def _is(project: str, dataset: str, document_id: str) -> tuple[ColumnElement[bool], ...]:
    return (Label.project == project, Label.dataset == dataset, Label.document_id == document_id)


async def labels(session: AsyncSession, dataset: str, before: tuple[datetime, str] | None, limit: int) -> list[Label]:
    """Labels of a dataset version, those that were set last first."""
    query = select(Label).where(Label.dataset == dataset)
    if before is not None:
        query = query.where(tuple_(Label.created_at, Label.document_id) < before)
    return list(await session.scalars(query.order_by(Label.created_at.desc(), Label.document_id.desc()).limit(limit)))


async def counts(session: AsyncSession, dataset: str) -> dict[int, int]:
    """Number of labels by score."""
    query = select(Label.score, func.count()).where(Label.dataset == dataset).group_by(Label.score)
    return {row[0]: row[1] for row in await session.execute(query)}


async def every(session: AsyncSession, dataset: str) -> AsyncIterator[Label]:
    """All labels of a dataset version by document, a thousand at a time."""
    after = ""
    while True:
        query = select(Label).where(Label.dataset == dataset, Label.document_id > after)
        rows = list(await session.scalars(query.order_by(Label.document_id).limit(_CHUNK)))
        for row in rows:
            yield row
        if len(rows) < _CHUNK:
            return
        after = rows[-1].document_id
