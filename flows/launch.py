"""Launches a preset through the REST API: what scheduled deployments run."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.api import Api
from flows.job import service


@flow(name="launch", retries=2, retry_delay_seconds=30)
def launch_preset(preset: str, overrides: dict[str, Any] | None = None) -> str:
    """Make one run of a preset. Returns its id. A retry of the same flow run makes no second one."""
    url, token = service()
    request = {"preset": preset, "overrides": overrides or {}, "tags": ["scheduled"]}
    run = Api(url, token).launch(request, idempotency_key=f"schedule:{flow_run.id}")
    return str(run["id"])
