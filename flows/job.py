"""One attempt of one run on this worker: its reporter, store, folders, and how it ends.

A flow process must not outlive its worker: nobody could cancel it any more (Prefect leaves it running). So it
watches its parent and ends itself with its children when the parent is gone.
"""

import os
import shutil
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.api import Api
from workers.parent import watch_parent
from workers.provenance import describe_environment
from workers.reporter import FencedError, HttpReporter
from workers.specs.events import Artifact, RunState
from workers.storage import Kind, S3Storage, ServiceStorage, Storage, get_folder, put_folder


@dataclass(slots=True)
class Job:
    """What a flow's body works with."""

    run_id: str
    attempt: int
    api: Api
    storage: Storage
    reporter: HttpReporter
    home: Path
    """The worker's data folder."""

    @property
    def work(self) -> Path:
        """Scratch folder of the run on this worker. Attempts share it; removed when the run completes."""
        folder = self.home / "work" / self.run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fetch(self, digest: str) -> Path:
        """Folder of an artifact, from the worker's cache or the store."""
        return get_folder(self.storage, digest, self.home / "cache")

    def publish(
        self, folder: Path, kind: Kind, name: str, metadata: dict[str, Any], step: int | None = None
    ) -> Artifact:
        """Store a folder and report it as an artifact of this run."""
        artifact = put_folder(self.storage, folder, kind, name, metadata).model_copy(update={"step": step})
        self.reporter.artifact(artifact)
        return artifact

    def complete(self, summary: dict[str, Any]) -> None:
        """Report the final figures; the run is completed when the service has everything."""
        self.reporter.event("summary", **summary)
        self.reporter.state(RunState.COMPLETED)
        self.reporter.flush(600)
        shutil.rmtree(self.home / "work" / self.run_id, ignore_errors=True)


def service() -> tuple[str, str]:
    """Address and token of the service from the environment.

    Raises RuntimeError when this process was not started by `headrace worker`.
    """
    url, token = os.environ.get("HEADRACE_API_URL", ""), os.environ.get("HEADRACE_API_TOKEN", "")
    if not url or not token:
        raise RuntimeError("HEADRACE_API_URL and HEADRACE_API_TOKEN are not set: start workers with `headrace worker`")
    return url, token


@contextmanager
def open_job(run_id: str, attempt: int) -> Iterator[Job]:
    """The job of this flow run: reports running at the start, failed with the error when the body raises."""
    watch_parent()
    url, token = service()
    home = Path(os.environ.get("HEADRACE_HOME", ".headrace")).absolute()
    storage_url = os.environ.get("HEADRACE_STORAGE", "")
    storage: Storage = (
        S3Storage(storage_url, os.environ.get("HEADRACE_S3_ENDPOINT_URL"))
        if storage_url.startswith("s3://")
        else ServiceStorage(url, token)
    )
    reporter = HttpReporter(url, token, run_id, attempt, spool=home / "spool")
    job = Job(run_id, attempt, Api(url, token), storage, reporter, home)
    reporter.state(RunState.RUNNING)
    threading.Thread(target=_tell_environment, args=(reporter,), name="environment", daemon=True).start()
    try:
        yield job
    except FencedError:
        raise  # a newer attempt has the run: there is nothing left to say
    except Exception as error:
        reporter.log(traceback.format_exc(), "error")
        reporter.state(RunState.FAILED, error=f"{type(error).__name__}: {error}")
        reporter.flush(600)
        raise
    finally:
        reporter.close(10)


def _tell_environment(reporter: HttpReporter) -> None:
    """Beside the work: to list the packages takes a good part of a second."""
    try:
        found = describe_environment()
        code = (
            f"commit {found['commit'][:12]}{' with changes' if found['dirty'] else ''}"
            if found["commit"]
            else "no commit"
        )
        reporter.event("environment", f"headrace {found['headrace']}, {code}, Python {found['python']}", **found)
    except FencedError:
        return  # the work itself will be told
