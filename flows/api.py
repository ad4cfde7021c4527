"""The service as a flow sees it: a few calls with time limits and bounded retries."""

import time
from pathlib import Path
from typing import Any

import httpx

from workers.specs.estimate import TABLE
from workers.specs.events import Artifact

_TRIES = 6


class ServiceError(RuntimeError):
    """The service refused a call, or could not be reached after several tries."""


class Api:
    """Thin client over `/api/v1`."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60, connect=5),
        )

    def run(self, run_id: str) -> dict[str, Any]:
        """A run in full."""
        answer: dict[str, Any] = self._call("GET", f"/runs/{run_id}").json()
        return answer

    def runs(self, state: str) -> list[dict[str, Any]]:
        """All runs in a state."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            parameters = {"state": state, "limit": 200} | ({"cursor": cursor} if cursor else {})
            page = self._call("GET", "/runs", params=parameters).json()
            found.extend(page["items"])
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def forecast_seconds(self, run_id: str) -> float | None:
        """How long a training run should take by the speed that runs of its pool have reported; None: none has yet."""
        answer = self._call("POST", "/estimate", json={"spec": self.run(run_id)["spec"]}).json()["training"]
        guessed = {calibration.source for calibration in TABLE.values()}
        return None if answer["calibration"]["source"] in guessed else float(answer["training_seconds"])

    def launch(self, request: dict[str, Any], idempotency_key: str, project: str | None = None) -> dict[str, Any]:
        """Make a run. The same key gives the same run, so that a repeated stage is not launched twice."""
        headers, params = {"Idempotency-Key": idempotency_key}, {"project": project} if project else {}
        answer: dict[str, Any] = self._call("POST", "/runs", json=request, headers=headers, params=params).json()
        return answer

    def checkpoints(self, run_id: str) -> list[Artifact]:
        """What a new attempt may go on from, the newest first; those of the run that this one retries come last."""
        return [Artifact.model_validate(item) for item in self._call("GET", f"/runs/{run_id}/checkpoints").json()]

    def add_evaluation_items(self, run_id: str, attempt: int, task: str, items: list[dict[str, Any]]) -> None:
        """Store what the model did on each item of a task; repeating it is harmless."""
        for start in range(0, len(items), 500):
            body = {"attempt": attempt, "task": task, "items": items[start : start + 500]}
            self._call("POST", f"/ingest/runs/{run_id}/evaluation-items", json=body)

    def labels(self, dataset: str) -> bytes:
        """What people labelled of a dataset version, as JSON lines."""
        return self._call("GET", "/labels/export", params={"dataset": dataset}).content

    def _call(self, method: str, path: str, allowed: set[int] | None = None, **arguments: Any) -> httpx.Response:
        problem = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(min(2.0**attempt, 20.0))
            try:
                response = self._client.request(method, path, **arguments)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if response.is_success or response.status_code in (allowed or set()):
                return response
            problem = _problem(response)
            if response.is_client_error and response.status_code not in {408, 409, 425, 429}:
                break
        raise ServiceError(f"{method} {self.url}/api/v1{path}: {problem}")


def _problem(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return f"{response.status_code} {response.text[:200]}"
    errors = "; ".join(f"{e.get('pointer')}: {e.get('message')}" for e in body.get("errors", []))
    return f"{response.status_code} {body.get('title', '')} {body.get('detail', '')} {errors}".strip()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Objects of a JSON-lines file."""
    import json

    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
