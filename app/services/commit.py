"""An artifact becomes real: its row, and what its kind brings with it (a dataset version, scores)."""

import math
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Run
from app.queries import events, outbox, results
from app.services import collection
from app.services.blobs import BlobStore
from app.services.problems import invalid
from workers.specs.events import Artifact


async def commit_artifact(session: AsyncSession, run: Run, artifact: Artifact, store: BlobStore) -> None:
    """Record an artifact of the run's present attempt. Committing it again is harmless.

    Raises a 409 problem when garbage collection has deleted one of its blobs: a new attempt stores it again.
    """
    await collection.claim(session, store, artifact)
    row = artifact.model_dump(mode="json")
    await results.put_artifact(session, run.id, run.attempt, row)
    if artifact.kind == "dataset":
        await _commit_dataset(session, run, artifact, row["files"])
    if artifact.kind == "evaluation":
        await _commit_scores(session, run, artifact)
    payload = {"digest": artifact.digest, "kind": artifact.kind, "name": artifact.name}
    await outbox.append(session, run.id, "artifact", payload)
    message = f"{artifact.kind} {artifact.name}"
    await events.add(session, run, "artifact", message, step=artifact.step, digest=artifact.digest, of=artifact.kind)


async def _commit_dataset(session: AsyncSession, run: Run, artifact: Artifact, files: list[Any]) -> None:
    metadata = dict(artifact.metadata)
    lineage = metadata.pop("lineage", {})
    statistics = metadata.pop("statistics", metadata)
    row = {"digest": artifact.digest, "run_id": run.id, "statistics": statistics, "files": files, "lineage": lineage}
    await results.put_dataset_version(session, run.project, artifact.name, row)


async def _commit_scores(session: AsyncSession, run: Run, artifact: Artifact) -> None:
    scores = artifact.metadata.get("results", [])
    for i, score in enumerate(scores if isinstance(scores, list) else []):
        await results.put_evaluation(session, run.id, _score_row(score, artifact, f"/artifacts/metadata/results/{i}"))


def _score_row(score: Any, artifact: Artifact, pointer: str) -> dict[str, Any]:
    wrong = invalid(
        f"A result of the evaluation {artifact.name!r} is wrong.",
        [{"pointer": pointer, "message": "it needs task, metric and finite value, low, high"}],
    )
    try:
        row: dict[str, Any] = {
            "task": str(score["task"]),
            "metric": str(score["metric"]),
            "value": float(score["value"]),
            "low": float(score["low"]),
            "high": float(score["high"]),
            "chance": None if score.get("chance") is None else float(score["chance"]),
            "num_items": int(score.get("num_items", 0)),
            "slices": dict(score.get("slices") or {}),
            "checkpoint": score.get("checkpoint") or artifact.metadata.get("checkpoint"),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise wrong from error
    if not all(math.isfinite(row[name]) for name in ("value", "low", "high")):
        raise wrong
    return row
