"""The service from Python, typed: launch, wait, read. docs/how-to/python.md has an example.

with Headrace.connect() as headrace:
    run = headrace.launch(preset="smol-5m", overrides={"dataset": digest})
    headrace.wait(run.id)
"""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

from app.connection import Connection, ServiceError, connect
from app.run_schemas import LaunchPlan
from app.schemas import Bucket, DatasetVersion, EvaluationSummary, LaunchRequest, Run, RunEvent, RunSummary, SeriesInfo
from workers.specs.base import Spec
from workers.specs.events import Artifact, RunState

__all__ = ["Headrace", "RunEndedError", "ServiceError"]
_POLL_SECONDS = 1.0
_ALL = 1_000_000


class RunEndedError(ServiceError):
    """A run that was waited for has ended, but has not completed. `run` says how."""

    def __init__(self, run: Run) -> None:
        super().__init__(
            f"run {run.id} ({run.name}) is {run.state}: {run.error or run.state_reason or 'no reason given'}"
        )
        self.run = run


class Headrace:
    """One service with one token, in one project where one is named. Closes its connection at the end of a `with`.

    Methods raise ServiceError with the service's words; reads and launches are tried again while it is away. `rest`
    makes any other call of the API.
    """

    def __init__(self, url: str, token: str, project: str = "") -> None:
        self.rest = Connection(url, token, project)

    @classmethod
    def connect(cls) -> Self:
        """The service of HEADRACE_API_URL and HEADRACE_API_TOKEN, else the stack of HEADRACE_HOME on this machine."""
        made = cls.__new__(cls)
        made.rest = connect()
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.rest.close()

    def launch(
        self,
        spec: Spec | dict[str, Any] | None = None,
        *,
        preset: str | None = None,
        overrides: dict[str, Any] | None = None,
        name: str | None = None,
        priority: Literal["low", "normal", "high"] = "normal",
        tags: list[str] | None = None,
        key: str | None = None,
    ) -> Run:
        """Launch a spec, or a preset with `overrides` laid over it.

        key: the run is made once for it, however often the call is repeated; by default each call has its own.
        """
        request = _request(spec, preset, overrides, name=name, priority=priority, tags=tags or [])
        return Run.model_validate(self.rest.call("POST", "/runs", request, key=key or str(uuid.uuid4())))

    def plan(
        self,
        spec: Spec | dict[str, Any] | None = None,
        *,
        preset: str | None = None,
        overrides: dict[str, Any] | None = None,
    ) -> LaunchPlan:
        """What such a launch would do: the checked spec, its pools and workers, warnings, an estimate."""
        request = _request(spec, preset, overrides)
        return LaunchPlan.model_validate(self.rest.call("POST", "/runs", request, params={"dry_run": True}))

    def run(self, run_id: str) -> Run:
        """A run in full."""
        return Run.model_validate(self.rest.call("GET", f"/runs/{quote(run_id)}"))

    def runs(
        self,
        *,
        state: RunState | None = None,
        kind: str | None = None,
        name: str | None = None,
        tags: list[str] | None = None,
        limit: int = _ALL,
    ) -> Iterator[RunSummary]:
        """Runs, the newest first. name: a part of it. tags: all of these."""
        for item in self.rest.items("/runs", limit, state=state, kind=kind, q=name, tag=tags):
            yield RunSummary.model_validate(item)

    def wait(
        self, run_id: str, timeout_seconds: float | None = None, on_change: Callable[[Run], None] | None = None
    ) -> Run:
        """The run when it has completed. on_change: is given the run at each look.

        Raises RunEndedError when it ended otherwise, TimeoutError when it has not ended in time (it goes on).
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            run = self.run(run_id)
            if on_change:
                on_change(run)
            if run.state is RunState.COMPLETED:
                return run
            if run.state.terminal:
                raise RunEndedError(run)
            if deadline is not None and time.monotonic() + _POLL_SECONDS > deadline:
                raise TimeoutError(f"run {run_id} is {run.state} after {timeout_seconds:.0f} s: {run.state_reason}")
            time.sleep(_POLL_SECONDS)

    def cancel(self, run_id: str) -> Run:
        """Cancel a run with its children; one that has ended stays as it is."""
        return Run.model_validate(self.rest.call("POST", f"/runs/{quote(run_id)}/cancel"))

    def retry(self, run_id: str, key: str | None = None) -> Run:
        """A new run that takes up one that failed, crashed or was cancelled."""
        answer = self.rest.call("POST", f"/runs/{quote(run_id)}/retry", key=key or str(uuid.uuid4()))
        return Run.model_validate(answer)

    def series(self, run_id: str) -> list[SeriesInfo]:
        """Which series a run has."""
        return [SeriesInfo.model_validate(item) for item in self.rest.call("GET", f"/runs/{quote(run_id)}/metrics")]

    def metrics(
        self, run_id: str, key: str, *, from_step: int | None = None, to_step: int | None = None, buckets: int = 1000
    ) -> list[Bucket]:
        """Points of one series, one entry a branch; in at most `buckets` buckets each, whose extremes are kept."""
        params = {"from_step": from_step, "to_step": to_step, "buckets": buckets}
        answer = self.rest.call("GET", f"/runs/{quote(run_id)}/metrics/{quote(key)}", params=params)
        return [Bucket.model_validate(item) for item in answer]

    def events(self, run_id: str, kind: str | None = None) -> Iterator[RunEvent]:
        """Events and log lines (`kind="log"`) of a run, in the order of their arrival."""
        after = 0
        while True:
            params = {"after": after, "kind": kind, "limit": 1000}
            page = self.rest.call("GET", f"/runs/{quote(run_id)}/events", params=params)
            yield from (RunEvent.model_validate(item) for item in page)
            if len(page) < 1000:
                return
            after = page[-1]["id"]

    def download(self, artifact: Artifact, folder: Path) -> Path:
        """An artifact's files in a folder, all or none, each checked. One that is there already is replaced."""
        return self.rest.download_artifact(artifact.model_dump(mode="json"), folder)

    def datasets(self) -> Iterator[DatasetVersion]:
        """The latest version of each dataset, by name."""
        for item in self.rest.items("/datasets", _ALL):
            yield DatasetVersion.model_validate(item)

    def dataset(self, digest: str) -> DatasetVersion:
        """One version of a dataset."""
        return DatasetVersion.model_validate(self.rest.call("GET", f"/datasets/versions/{quote(digest, safe=':')}"))

    def evaluations(self, run_id: str | None = None) -> Iterator[EvaluationSummary]:
        """Scores of checkpoints, all or those of one evaluation's run."""
        for item in self.rest.items("/evaluations", _ALL, run_id=run_id):
            yield EvaluationSummary.model_validate(item)


def _request(
    spec: Spec | dict[str, Any] | None, preset: str | None, overrides: dict[str, Any] | None, **more: Any
) -> dict[str, Any]:
    plain = spec.model_dump(mode="json") if isinstance(spec, Spec) else spec
    request = LaunchRequest(spec=plain, preset=preset, overrides=overrides or {}, **more)
    return request.model_dump(mode="json", exclude_unset=True)
