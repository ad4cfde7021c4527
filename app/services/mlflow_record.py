"""What MLflow gets of a run: parameters, tags of lineage, headline metrics, status, small files, released models."""

from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Any

from app.db import Database
from app.models import Artifact, OutboxEntry, Run
from app.queries import outbox
from app.services.blobs import BlobStore
from app.services.mlflow_client import MlflowClient, MlflowError, metric_name, metric_value
from workers.specs.events import File, RunState

_STATUS = {
    RunState.QUEUED: "SCHEDULED",
    RunState.COMPLETED: "FINISHED",
    RunState.FAILED: "FAILED",
    RunState.CRASHED: "FAILED",
    RunState.CANCELLED: "KILLED",
}
_SMALL_SUFFIXES = (".json", ".md", ".yaml", ".yml", ".txt")
_MAX_SMALL_BYTES = 2 << 20
_MAX_FILES = 30
_MAX_RELEASE_BYTES = 1 << 30
_MAX_PARAMS = 1000


class MlflowRecord:
    """Tells one run's entries to MLflow. Every step may be repeated."""

    def __init__(self, client: MlflowClient, database: Database, store: BlobStore) -> None:
        self._client, self._database, self._store = client, database, store

    async def tell(self, run_id: str, entries: list[OutboxEntry]) -> None:
        """Entries of one kind. Raises MlflowError; OSError and ValueError when the store or a payload is broken."""
        if entries[0].kind == "delete":
            await self._delete(run_id, entries[0].payload)
            return
        async with self._database.begin() as session:
            run = await outbox.run_row(session, run_id)
            parent = await outbox.parent_mlflow_id(session, run) if run else None
        if run is None:
            return  # deleted since
        experiment_id, mlflow_id = await self._link(run, parent)
        match entries[0].kind:
            case "metrics":
                await self._client.log_metrics(mlflow_id, _points(entries))
            case "summary":
                await self._summary(run, mlflow_id, entries[0].created_at)
            case "artifact":
                await self._artifact(run, experiment_id, mlflow_id, str(entries[0].payload["digest"]))
            case "state":
                if parent:
                    await self._client.set_tags(mlflow_id, {"mlflow.parentRunId": parent})
                await self._state(run, mlflow_id, RunState(entries[0].payload["state"]))

    async def _delete(self, run_id: str, payload: dict[str, Any]) -> None:
        """MLflow's run, with its files and versions of models; also one that was made while we deleted ours."""
        experiment_id = await self._client.find_experiment(f"headrace/{payload['kind']}")
        found = {payload.get("mlflow_run_id"), experiment_id and await self._client.find_run(experiment_id, run_id)}
        for mlflow_id in sorted(filter(None, found)):
            await self._client.delete_run(mlflow_id)

    async def _link(self, run: Run, parent: str | None) -> tuple[str, str]:
        """MLflow's ids of experiment and run; both are made where they are missing."""
        if run.mlflow_experiment_id and run.mlflow_run_id:
            return run.mlflow_experiment_id, run.mlflow_run_id
        experiment_id = await self._client.experiment(f"headrace/{run.kind}")
        mlflow_id = await self._client.find_run(experiment_id, run.id)
        if mlflow_id is None:
            tags = lineage_tags(run, parent)
            mlflow_id = await self._client.create_run(experiment_id, run.name, milliseconds(run.created_at), tags)
        await self._client.log_params(mlflow_id, dict(list(flatten(run.spec))[:_MAX_PARAMS]))
        async with self._database.begin() as session:
            await outbox.link_run(session, run.id, experiment_id, mlflow_id)
        return experiment_id, mlflow_id

    async def _state(self, run: Run, mlflow_id: str, state: RunState) -> None:
        ended = milliseconds(run.finished_at) if state.terminal and run.finished_at else None
        await self._client.update_run(mlflow_id, _STATUS.get(state, "RUNNING"), ended)

    async def _summary(self, run: Run, mlflow_id: str, moment: datetime) -> None:
        """Figures become metrics `summary/...`; words become tags."""
        figures: list[dict[str, Any]] = []
        words: dict[str, str] = {}
        for key, value in flatten(run.summary, raw=True):
            name = metric_name(f"summary/{key}")
            if isinstance(value, int | float) and not isinstance(value, bool):
                figures.append(
                    {"key": name, "value": metric_value(value), "timestamp": milliseconds(moment), "step": 0}
                )
            else:
                words[name] = str(value)
        await self._client.log_metrics(mlflow_id, figures)
        await self._client.set_tags(mlflow_id, dict(list(words.items())[:200]))

    async def _artifact(self, run: Run, experiment_id: str, mlflow_id: str, digest: str) -> None:
        async with self._database.begin() as session:
            row = await outbox.artifact(session, run.id, digest)
        if row is None:
            raise ValueError(f"artifact {digest} is not in the table")
        folder = f"{row.kind}/{metric_name(row.name).replace('/', '_')}"
        for file in _files_to_copy(row):
            await self._copy(file, experiment_id, mlflow_id, f"{folder}/{file.path}")
        await self._client.set_tags(mlflow_id, {f"headrace.{row.kind}.{row.name}": row.digest})
        if row.kind == "release":
            source = f"mlflow-artifacts:/{experiment_id}/{mlflow_id}/artifacts/{folder}"
            tags = {"headrace.run_id": run.id, "headrace.digest": row.digest}
            name = str(row.name).replace("/", "-").replace(":", "-")
            await self._client.register(name, source, mlflow_id, tags)

    async def _copy(self, file: File, experiment_id: str, mlflow_id: str, path: str) -> None:
        try:
            await self._client.put_file(experiment_id, mlflow_id, path, self._store.read(file.sha256))
        except KeyError:
            raise MlflowError(f"{file.path} is not in the store", final=True) from None


def lineage_tags(run: Run, parent: str | None) -> dict[str, str]:
    """Where a run comes from: our ids, its parent, the digests that its spec names."""
    tags = {
        "headrace.run_id": run.id,
        "headrace.kind": run.kind,
        "headrace.spec_hash": run.spec_hash,
        "headrace.version": version("headrace"),
        "mlflow.user": run.created_by or "headrace",
        "mlflow.source.name": "headrace",
    }
    if run.parent_id:
        tags["headrace.parent_run_id"] = run.parent_id
    if parent:
        tags["mlflow.parentRunId"] = parent
    for key in ("dataset", "checkpoint", "evaluation"):
        if isinstance(run.spec.get(key), str):
            tags[f"headrace.spec.{key}"] = run.spec[key]
    if git := run.summary.get("git"):
        tags["mlflow.source.git.commit"] = str(git)
    return tags | {f"tag.{tag}": "true" for tag in run.tags}


def flatten(value: Any, prefix: str = "", raw: bool = False) -> Iterator[tuple[str, Any]]:
    """Nested objects and lists as `a/b/0`; leaves as text (or as they are)."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flatten(item, f"{prefix}/{key}" if prefix else str(key), raw)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from flatten(item, f"{prefix}/{number}", raw)
    elif prefix:
        yield prefix, value if raw else _text(value)


def milliseconds(moment: datetime) -> int:
    """Unix time in ms."""
    return int(moment.timestamp() * 1000)


def _text(value: Any) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _points(entries: list[OutboxEntry]) -> Iterator[dict[str, Any]]:
    """All points. Their own times make a repeat the same point for MLflow."""
    for entry in entries:
        for column in entry.payload.get("columns", []):
            arrival = entry.created_at.timestamp()
            times = column.get("times") or [arrival] * len(column["steps"])
            name = metric_name(column["key"])
            for step, value, moment in zip(column["steps"], column["values"], times, strict=True):
                number = float(value) if isinstance(value, str) else value
                yield {"key": name, "value": metric_value(number), "timestamp": int(moment * 1000), "step": step}


def _files_to_copy(row: Artifact) -> list[File]:
    """A release whole unless it is huge; of all else the small texts."""
    files = [File.model_validate(file) for file in row.files]
    if row.kind == "release" and sum(file.num_bytes for file in files) <= _MAX_RELEASE_BYTES:
        return files
    small = [f for f in files if f.path.endswith(_SMALL_SUFFIXES) and f.num_bytes <= _MAX_SMALL_BYTES]
    return small[:_MAX_FILES]
