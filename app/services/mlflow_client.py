"""MLflow's REST API, as far as the outbox needs it. https://mlflow.org/docs/latest/api_reference/rest-api.html"""

import asyncio
import math
import random
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import quote

import httpx

from app.settings import Settings

MAX_METRICS = 1000
MAX_PARAMS = 100
MAX_TAGS = 100
_TRIES = 3
_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
_BAD_NAME = re.compile(r"[^\w\-. :/]", re.ASCII)


class MlflowError(RuntimeError):
    """MLflow does not answer, or refused a call. `final`: the same call would be refused again."""

    def __init__(self, message: str, code: str = "", final: bool = False) -> None:
        super().__init__(message)
        self.code, self.final = code, final


class MlflowClient:
    """Calls with time-outs and a few tries. Close it at the end."""

    def __init__(self, settings: Settings) -> None:
        password = settings.mlflow_password.get_secret_value()
        self._client = httpx.AsyncClient(
            base_url=settings.mlflow_url.rstrip("/"),
            auth=(settings.mlflow_username, password) if settings.mlflow_username else None,
            timeout=httpx.Timeout(30, connect=3),
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def experiment(self, name: str) -> str:
        """Id of the experiment of that name, made where it is missing."""
        for _ in range(2):
            if found := await self.find_experiment(name):
                return found
            try:
                return str((await self._post("experiments/create", name=name))["experiment_id"])
            except MlflowError as error:
                if error.code != "RESOURCE_ALREADY_EXISTS":
                    raise
        raise MlflowError(f"experiment {name!r} is neither there nor can it be made")

    async def find_experiment(self, name: str) -> str | None:
        """Id of the experiment of that name, None where there is none."""
        try:
            answer = await self._get("experiments/get-by-name", experiment_name=name)
        except MlflowError as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return str(answer["experiment"]["experiment_id"])

    async def find_run(self, experiment_id: str, run_id: str) -> str | None:
        """MLflow's id of the run with our id, where an earlier try has made it."""
        condition = f"tags.`headrace.run_id` = '{run_id}'"
        answer = await self._post("runs/search", experiment_ids=[experiment_id], filter=condition, max_results=1)
        runs = answer.get("runs", [])
        return str(runs[0]["info"]["run_id"]) if runs else None

    async def create_run(self, experiment_id: str, name: str, start_time: int, tags: dict[str, str]) -> str:
        """Make a run. `start_time` in ms."""
        answer = await self._post(
            "runs/create", experiment_id=experiment_id, run_name=name, start_time=start_time, tags=pairs(tags)
        )
        return str(answer["run"]["info"]["run_id"])

    async def update_run(self, run_id: str, status: str, end_time: int | None) -> None:
        """Set the status (RUNNING, FINISHED, FAILED, KILLED, SCHEDULED)."""
        body: dict[str, Any] = {"run_id": run_id, "status": status}
        if end_time is not None:
            body["end_time"] = end_time
        await self._post("runs/update", **body)

    async def delete_run(self, run_id: str) -> None:
        """Delete a run with its files and its versions of registered models. Harmless on one that is gone."""
        try:
            run = (await self._get("runs/get", run_id=run_id))["run"]
        except MlflowError as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return
        found = await self._get("model-versions/search", filter=f"run_id = '{run_id}'", max_results="100")
        for version in found.get("model_versions", []):
            body = {"name": version["name"], "version": version["version"]}
            await self._call("DELETE", "/model-versions/delete", json=body)
        await self._call("DELETE", f"-artifacts/artifacts/{run['info']['experiment_id']}/{run_id}/artifacts")
        await self._post("runs/delete", run_id=run_id)

    async def log_metrics(self, run_id: str, points: Iterable[dict[str, Any]]) -> None:
        """Points `{key, value, timestamp (ms), step}`, 1000 a call. A point that is there already is no second one."""
        for batch in _batches(points, MAX_METRICS):
            await self._post("runs/log-batch", run_id=run_id, metrics=batch)

    async def log_params(self, run_id: str, params: dict[str, str]) -> None:
        """Parameters, 100 a call."""
        for batch in _batches(pairs(params), MAX_PARAMS):
            await self._post("runs/log-batch", run_id=run_id, params=batch)

    async def set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        """Tags, 100 a call; they may be set again."""
        for batch in _batches(pairs(tags), MAX_TAGS):
            await self._post("runs/log-batch", run_id=run_id, tags=batch)

    async def put_file(self, experiment_id: str, run_id: str, path: str, content: AsyncIterator[bytes]) -> None:
        """Store a file among the run's artifacts, through the server."""
        url = f"/api/2.0/mlflow-artifacts/artifacts/{experiment_id}/{run_id}/artifacts/{quote(path)}"
        try:
            answer = await self._client.put(url, content=content)
        except httpx.HTTPError as error:
            raise MlflowError(f"MLflow does not answer: {type(error).__name__}: {error}") from error
        _check(answer)

    async def register(self, name: str, source: str, run_id: str, tags: dict[str, str]) -> str:
        """A version of a registered model; one that exists for this digest is not made again. Returns its number."""
        try:
            await self._post("registered-models/create", name=name)
        except MlflowError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        answer = await self._get("model-versions/search", filter=f"run_id = '{run_id}'", max_results="100")
        for version in answer.get("model_versions", []):
            if version["name"] == name and version.get("source") == source:
                return str(version["version"])
        made = await self._post("model-versions/create", name=name, source=source, run_id=run_id, tags=pairs(tags))
        return str(made["model_version"]["version"])

    async def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        return await self._call("GET", f"/{path}", params=parameters)

    async def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return await self._call("POST", f"/{path}", json=body)

    async def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        for number in range(1, _TRIES + 1):
            try:
                answer = await self._client.request(method, f"/api/2.0/mlflow{path}", **arguments)
                if answer.status_code not in _RETRY or number == _TRIES:
                    return _check(answer)
            except httpx.HTTPError as error:
                if number == _TRIES:
                    raise MlflowError(f"MLflow does not answer: {type(error).__name__}: {error}") from error
            await asyncio.sleep(0.2 * 2**number * random.uniform(0.5, 1))  # noqa: S311  jitter, no secret
        raise AssertionError("unreachable")


def metric_name(key: str) -> str:
    """A key as MLflow allows it (it refuses brackets and the like), at most 250 characters."""
    return _BAD_NAME.sub("_", key)[:250].strip("/ ") or "_"


def metric_value(value: float | None) -> float | str:
    """A value for its JSON: a bare NaN would be stored as zero, the word is understood. None was NaN."""
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def pairs(items: dict[str, str]) -> list[dict[str, str]]:
    """`{key, value}` objects, as MLflow takes parameters and tags."""
    return [{"key": metric_name(key), "value": value[:5000]} for key, value in items.items()]


def _batches(items: Iterable[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    whole = list(items)
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def _check(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_success:
        body: dict[str, Any] = answer.json() if answer.content else {}
        return body
    try:
        problem = answer.json()
        code, message = str(problem.get("error_code", "")), str(problem.get("message", ""))
    except (ValueError, AttributeError):
        code, message = "", answer.text
    final = answer.status_code in {400, 404, 409, 413, 422}
    raise MlflowError(f"MLflow: {answer.request.url.path}: {answer.status_code} {message[:300]}", code, final)
