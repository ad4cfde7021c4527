"""Schedules as Prefect keeps them: deployments of the flow `launch`, whose times and flow runs are read and written.

Nothing of a schedule is kept elsewhere, so what Prefect's own command line and UI show and change is the same.
https://docs.prefect.io/v3/api-ref/rest-api/server/deployments
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from app.services.prefect_client import PrefectClient, PrefectError

FLOW = "launch"
TEMPLATE = "control"
"""Deployment `launch/control`, which `flows.deploy` registers: the others are copies of it."""
_COPIED = (
    "flow_id", "entrypoint", "path", "work_pool_name", "work_queue_name", "parameter_openapi_schema",
    "enforce_parameter_schema", "pull_steps", "version", "job_variables",
)  # fmt: skip

_NO_NAME = re.compile(r"[/%&<>\x00-\x1f\x7f\ud800-\udfff]")
"""Prefect refuses the first five in names; the others break paths."""

Deployment = dict[str, Any]
FlowRun = dict[str, Any]


class PrefectSchedules:
    """Reads and writes them. Every call raises PrefectError."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client

    async def list(self) -> Sequence[Deployment]:
        """All of them, by name."""
        found: list[Deployment] = []
        while True:
            page = {"flows": {"name": {"any_": [FLOW]}}, "limit": 200, "offset": len(found), "sort": "NAME_ASC"}
            rows = await self._client.call("POST", "/deployments/filter", page)
            found += rows
            if len(rows) < 200:
                return [row for row in found if row["name"] != TEMPLATE]

    async def get(self, name: str) -> Deployment | None:
        """One by its name. What cannot be a name of Prefect's never gets into a path of its API."""
        if name in {TEMPLATE, "", ".", ".."} or _NO_NAME.search(name):
            return None
        return await self._read(name)

    async def create(
        self,
        name: str,
        description: str,
        parameters: dict[str, Any],
        schedule: dict[str, Any],
        paused: bool,
        labels: dict[str, str],
    ) -> None:
        """A copy of the template with parameters and times of its own."""
        template = await self._read(TEMPLATE)
        if template is None:
            raise PrefectError(f"deployment {FLOW}/{TEMPLATE} is missing; `python -m flows.deploy` registers it")
        body = {field: template[field] for field in _COPIED if template.get(field) is not None} | {
            "name": name,
            "description": description,
            "parameters": parameters,
            "paused": paused,
            "labels": {f"headrace.{key}": value for key, value in labels.items()},
            "schedules": [{"active": not paused, "schedule": schedule}],
        }
        await self._client.call("POST", "/deployments/", body)

    async def update(self, deployment: Deployment, changes: dict[str, Any]) -> None:
        """Set `description` or `parameters`."""
        await self._client.call("PATCH", f"/deployments/{deployment['id']}", changes)

    async def set_times(self, deployment: Deployment, schedule: dict[str, Any]) -> None:
        """Put one schedule in the place of all. The new one comes first, so that there is always one."""
        path = f"/deployments/{deployment['id']}/schedules"
        await self._client.call("POST", path, [{"active": not deployment["paused"], "schedule": schedule}])
        for old in deployment["schedules"]:
            await self._client.call("DELETE", f"{path}/{old['id']}")

    async def set_paused(self, deployment: Deployment, paused: bool) -> None:
        """Pause or resume it with all its times; Prefect drops the flow runs that it has made ahead."""
        path = f"/deployments/{deployment['id']}"
        for schedule in deployment["schedules"]:
            if schedule["active"] is paused:
                await self._client.call("PATCH", f"{path}/schedules/{schedule['id']}", {"active": not paused})
        await self._client.call("POST", f"{path}/{'pause' if paused else 'resume'}_deployment")

    async def delete(self, deployment: Deployment) -> None:
        """Take it away. Runs that it has launched stay."""
        await self._client.call("DELETE", f"/deployments/{deployment['id']}")

    async def run(self, deployment: Deployment, key: str | None) -> str:
        """Make a flow run for now; its id."""
        body = {
            "state": {"type": "SCHEDULED"},
            "tags": ["by-hand"],
            "idempotency_key": key,
            "parameters": {"catch_up": True},
        }
        answer = await self._client.call("POST", f"/deployments/{deployment['id']}/create_flow_run", body)
        self._client.wake_workers()
        return str(answer["id"])

    async def flow_runs(
        self, deployment_id: str, since: datetime, until: datetime, limit: int = 200
    ) -> Sequence[FlowRun]:
        """Flow runs that were due within these times, the latest due first."""
        body: dict[str, Any] = {
            "deployments": {"id": {"any_": [deployment_id]}},
            "flow_runs": {"expected_start_time": {"after_": since.isoformat(), "before_": until.isoformat()}},
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": limit,
        }
        found: list[FlowRun] = await self._client.call("POST", "/flow_runs/filter", body)
        return found

    async def _read(self, name: str) -> Deployment | None:
        try:
            found: Deployment = await self._client.call("GET", f"/deployments/name/{FLOW}/{quote(name, safe='')}")
        except PrefectError as error:
            if error.status == 404:
                return None
            raise
        return found
