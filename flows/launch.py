"""Launches a run through the REST API: what the deployments behind schedules do."""

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.api import Api
from flows.job import service
from workers.specs.events import now


@flow(name="launch", retries=2, retry_delay_seconds=30)
def launch(
    preset: str | None = None,
    overrides: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    schedule: str | None = None,
    project: str | None = None,
    catch_up: bool = False,
    missed_after_seconds: float = 900.0,
) -> State[str]:
    """Make one run of a preset or a spec. A retry of the same flow run makes no second one.

    Ends as `Launched`, with the run's id as its message. A flow run that begins too long after it was due launches
    nothing, unless `catch_up`: a stack that comes back after a week must not make seven nightly runs at once. It ends
    as `Missed`.
    """
    due: datetime = flow_run.scheduled_start_time
    late_seconds = (now() - due).total_seconds()
    if late_seconds > missed_after_seconds and not catch_up:
        words = f"due at {due.isoformat(timespec='seconds')}, begun {late_seconds:.0f} s later"
        return Completed(name="Missed", message=words)
    url, token = service()
    request: dict[str, Any] = {"spec": spec} if spec else {"preset": preset, "overrides": overrides or {}}
    request["tags"] = ["scheduled", *([f"schedule:{schedule}"] if schedule else [])]
    run = Api(url, token).launch(request, idempotency_key=f"schedule:{flow_run.id}", project=project)
    return Completed(name="Launched", message=str(run["id"]))
