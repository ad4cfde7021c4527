"""Runs as the API shows them."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import models
from app.queries import runs
from app.schemas import Page, Run, RunSummary
from app.services import cursors
from app.services.problems import invalid, not_found
from app.settings import Settings
from workers.specs.events import Artifact

SORTS = sorted(runs.SORT_FIELDS)


async def list_runs(
    session: AsyncSession, filters: dict[str, Any], sort: str, cursor: str | None, limit: int
) -> Page[RunSummary]:
    """One page of runs. `sort` is a field of the white list, `-` before it for descending."""
    field, descending = sort.removeprefix("-"), sort.startswith("-")
    if field not in runs.SORT_FIELDS:
        message = f"one of {', '.join(SORTS)}, with - before it for descending"
        raise invalid(f"Runs cannot be sorted by {field[:50]!r}.", [{"pointer": "/query/sort", "message": message}])
    rows = await runs.page(session, filters, field, descending, _place(cursor, sort), limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(items=[summarize(row) for row in rows], next_cursor=_cursor(rows[-1], sort) if more else None)


def _cursor(row: models.Run, sort: str) -> str:
    value = getattr(row, sort.removeprefix("-"))
    return cursors.encode(sort, value.isoformat() if isinstance(value, datetime) else value, row.id)


def _place(cursor: str | None, sort: str) -> tuple[Any, str] | None:
    key = cursors.decode(cursor, [str, str, str])
    if key is None:
        return None
    wrong = invalid("The cursor belongs to another order of the list.", [{"pointer": "/query/cursor", "message": sort}])
    if key[0] != sort:
        raise wrong
    if sort.removeprefix("-") != "created_at":
        return key[1], key[2]
    try:
        return datetime.fromisoformat(key[1]), key[2]
    except ValueError as error:
        raise wrong from error


async def get_run(session: AsyncSession, run_id: str, settings: Settings) -> Run:
    """A run in full. Raises a 404 problem."""
    row = await runs.get(session, run_id)
    if row is None:
        raise not_found("run", run_id)
    children = await runs.children(session, run_id)
    artifacts = await runs.artifacts(session, run_id)
    return describe(row, children, artifacts, settings)


async def list_artifacts(session: AsyncSession, run_id: str, kind: str | None) -> list[Artifact]:
    """Artifacts of a run in the order in which they were committed. Raises a 404 problem."""
    if await runs.get(session, run_id) is None:
        raise not_found("run", run_id)
    return [show_artifact(row) for row in await runs.artifacts(session, run_id, kind)]


async def list_checkpoints(session: AsyncSession, run_id: str) -> list[Artifact]:
    """What a new attempt may go on from, the newest first: the run's own, then those of the run that it retries, ...

    Raises a 404 problem.
    """
    run = await runs.get(session, run_id)
    if run is None:
        raise not_found("run", run_id)
    found: list[Artifact] = []
    while run is not None:
        found += [show_artifact(row) for row in reversed(await runs.artifacts(session, run.id, "checkpoint"))]
        run = await runs.get(session, run.retry_of) if run.retry_of else None
    return found


def summarize(row: models.Run) -> RunSummary:
    """The row as the list shows it."""
    return RunSummary.model_validate(row)


def describe(row: models.Run, children: list[models.Run], artifacts: list[models.Artifact], settings: Settings) -> Run:
    """The row in full."""
    return Run(
        **summarize(row).model_dump(),
        spec=row.spec,
        spec_hash=row.spec_hash,
        summary=row.summary,
        error=row.error,
        prefect_flow_run_id=row.prefect_flow_run_id,
        mlflow_run_id=row.mlflow_run_id,
        mlflow_url=_mlflow_url(row, settings),
        children=[summarize(child) for child in children],
        artifacts=[show_artifact(artifact) for artifact in artifacts],
    )


def show_artifact(row: models.Artifact) -> Artifact:
    """The row as the protocol has it."""
    return Artifact.model_validate(
        {
            "kind": row.kind,
            "name": row.name,
            "digest": row.digest,
            "step": row.step,
            "files": row.files,
            "metadata": row.artifact_metadata,
        }
    )


def _mlflow_url(row: models.Run, settings: Settings) -> str | None:
    if not (settings.mlflow_url and row.mlflow_run_id and row.mlflow_experiment_id):
        return None
    return f"{settings.mlflow_url.rstrip('/')}/#/experiments/{row.mlflow_experiment_id}/runs/{row.mlflow_run_id}"
