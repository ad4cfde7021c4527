"""SQL of what runs leave behind: batches taken, artifacts, dataset versions, evaluations with their items."""

from typing import Any, cast

from sqlalchemy import Table, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import dump_json
from app.models import Artifact, DatasetVersion, Evaluation, IngestBatch, new_id


async def take_batch(session: AsyncSession, run_id: str, attempt: int, source: str, seq: int) -> bool:
    """Note a batch. False: it was already there."""
    statement = insert(IngestBatch).values(run_id=run_id, attempt=attempt, source=source, seq=seq)
    taken = await session.scalar(statement.on_conflict_do_nothing().returning(IngestBatch.seq))
    return taken is not None


async def put_artifact(session: AsyncSession, run_id: str, attempt: int, row: dict[str, Any]) -> None:
    """An artifact; one that is committed again (by a later attempt, say) becomes the newest."""
    # By the table: `metadata` is a column, but on a mapped class it is SQLAlchemy's own attribute.
    statement = insert(cast(Table, Artifact.__table__)).values(run_id=run_id, attempt=attempt, **row)
    changes = {key: statement.excluded[key] for key in ("attempt", "step", "files", "metadata")}
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["run_id", "kind", "name", "digest"],
            set_=changes | {"committed_at": func.clock_timestamp()},
        )
    )


async def put_dataset_version(session: AsyncSession, project: str, name: str, row: dict[str, Any]) -> None:
    """The next version within its project and name; a known digest stays the version that it is, deleted or not."""
    # the lock of the name keeps two runs from taking the same number
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 7))"), {"name": f"{project}/{name}"}
    )
    newest = select(func.coalesce(func.max(DatasetVersion.version), 0) + 1)
    newest = newest.where(DatasetVersion.project == project, DatasetVersion.name == name)
    statement = insert(DatasetVersion).values(project=project, name=name, version=newest.scalar_subquery(), **row)
    alive = {"deleted_at": None, "deleted_by": None, "files": statement.excluded.files}
    await session.execute(statement.on_conflict_do_update(index_elements=["project", "digest"], set_=alive))


async def put_evaluation(session: AsyncSession, run_id: str, row: dict[str, Any]) -> None:
    """Scores of a task; those of the same run, task, metric and checkpoint are written anew."""
    statement = insert(Evaluation).values(id=new_id(), run_id=run_id, **row)
    changes = {key: statement.excluded[key] for key in row if key not in {"task", "metric", "checkpoint"}}
    target: list[Any] = ["run_id", "task", "metric", text("coalesce(checkpoint, '')")]
    await session.execute(statement.on_conflict_do_update(index_elements=target, set_=changes))


async def evaluation_of(session: AsyncSession, run_id: str, task: str) -> Evaluation | None:
    """The newest scores of a run on a task."""
    query = select(Evaluation).where(Evaluation.run_id == run_id, Evaluation.task == task)
    found: Evaluation | None = await session.scalar(query.order_by(Evaluation.id.desc()).limit(1))
    return found


_ITEMS = text("""
    INSERT INTO evaluation_items (evaluation_id, item_id, slice, score, correct, data)
    SELECT :evaluation_id, t.item_id, t.slice, t.score, t.correct, t.data::jsonb
    FROM unnest(
        CAST(:item_ids AS text[]), CAST(:slices AS text[]), CAST(:scores AS double precision[]),
        CAST(:corrects AS boolean[]), CAST(:datas AS text[])
    ) AS t (item_id, slice, score, correct, data)
    ON CONFLICT (evaluation_id, item_id) DO UPDATE SET
        slice = excluded.slice, score = excluded.score, correct = excluded.correct, data = excluded.data
""")


async def put_items(session: AsyncSession, evaluation_id: str, rows: list[dict[str, Any]]) -> None:
    """Items of an evaluation; known ones are written anew. Each item_id once."""
    columns = {
        "item_ids": [row["item_id"] for row in rows],
        "slices": [row["slice"] for row in rows],
        "scores": [row["score"] for row in rows],
        "corrects": [row["correct"] for row in rows],
        "datas": [dump_json(row["data"]) for row in rows],
    }
    await session.execute(_ITEMS, {"evaluation_id": evaluation_id} | columns)
