"""The one door to Prefect: its REST API over httpx, so that the service does not load Prefect itself.

https://docs.prefect.io/v3/api-ref/rest-api
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from app.settings import Settings

QUEUES = ("low", "normal", "high")
_OFFLINE_AFTER_SECONDS = 45.0


class PrefectError(RuntimeError):
    """Prefect refused a call (with that `status`) or could not be reached."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class FlowRunState:
    """Where a flow run is. `type`: SCHEDULED PENDING RUNNING CANCELLING CANCELLED COMPLETED FAILED CRASHED PAUSED."""

    type: str
    name: str
    message: str


class PrefectClient:
    """Submits, cancels and looks up flow runs. One instance for the service's life; close it at the end.

    `on_change` is called when a run was made or ended here, so that workers look at once.
    """

    def __init__(self, settings: Settings, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        auth = settings.prefect_auth.get_secret_value().partition(":")
        self._deployments: dict[str, str] = {}
        self._client = httpx.AsyncClient(
            base_url=settings.prefect_api_url.rstrip("/") or "http://127.0.0.1:4200/api",
            auth=(auth[0], auth[2]) if auth[0] else None,
            timeout=httpx.Timeout(20, connect=3),
            transport=httpx.AsyncHTTPTransport(retries=2),
        )

    async def submit(self, kind: str, pool: str, priority: str, parameters: dict[str, Any], name: str) -> str:
        """Make a flow run of deployment `<kind>/<pool>`. Returns its id.

        The idempotency key is (run, attempt): asking twice for the same attempt makes one flow run.
        """
        deployment = await self._deployment(f"{kind}/{pool}")
        body = {
            "name": name,
            "parameters": parameters,
            "work_queue_name": priority if priority in QUEUES else "normal",
            "state": {"type": "SCHEDULED"},
            "idempotency_key": f"{parameters.get('run_id')}:{parameters.get('attempt')}",
        }
        answer = await self.call("POST", f"/deployments/{deployment}/create_flow_run", body)
        self._on_change()
        return str(answer["id"])

    async def cancel(self, flow_run_id: str) -> None:
        """Ask for a flow run's end. One that has not begun is cancelled at once, one that is over stays as it is."""
        current = (await self.states([flow_run_id])).get(flow_run_id)
        begun = current is not None and current.type in {"RUNNING", "PENDING", "CANCELLING"}
        state = {"type": "CANCELLING" if begun else "CANCELLED"}
        await self.call("POST", f"/flow_runs/{flow_run_id}/set_state", {"state": state, "force": False})
        self._on_change()

    def wake_workers(self) -> None:
        """Say that there may be work, after a flow run was made by `call`."""
        self._on_change()

    async def crash(self, flow_run_id: str, message: str) -> None:
        """Mark a flow run as crashed whose worker is gone, so that it holds no slot any more."""
        state = {"type": "CRASHED", "name": "Crashed", "message": message}
        await self.call("POST", f"/flow_runs/{flow_run_id}/set_state", {"state": state, "force": True})
        self._on_change()

    async def states(self, ids: list[str]) -> dict[str, FlowRunState]:
        """States by flow run id; ids that Prefect does not know are left out."""
        found: dict[str, FlowRunState] = {}
        for start in range(0, len(ids), 200):
            body = {"flow_runs": {"id": {"any_": ids[start : start + 200]}}, "limit": 200}
            for row in await self.call("POST", "/flow_runs/filter", body):
                state = row.get("state") or {}
                found[row["id"]] = FlowRunState(
                    type=str(state.get("type") or "SCHEDULED"),
                    name=str(state.get("name") or ""),
                    message=str(state.get("message") or ""),
                )
        return found

    async def held(self, types: Sequence[str]) -> list[dict[str, Any]]:
        """Flow runs in one of these types of state, those that are in it for longest first."""
        body = {
            "flow_runs": {"state": {"type": {"any_": list(types)}}},
            "limit": 200,
            "sort": "EXPECTED_START_TIME_ASC",
        }
        found: list[dict[str, Any]] = await self.call("POST", "/flow_runs/filter", body)
        return found

    async def online_pools(self) -> dict[str, int]:
        """Number of live workers of each work pool."""
        counts: dict[str, int] = {}
        for pool in await self.call("POST", "/work_pools/filter", {"limit": 200}):
            workers = await self.call("POST", f"/work_pools/{pool['name']}/workers/filter", {"limit": 200})
            counts[pool["name"]] = sum(_is_online(worker) for worker in workers)
        return counts

    async def healthy(self) -> bool:
        """Does the server answer?"""
        try:
            await self.call("GET", "/health")
        except PrefectError:
            return False
        return True

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def _deployment(self, name: str) -> str:
        if name not in self._deployments:
            try:
                answer = await self.call("GET", f"/deployments/name/{name}")
            except PrefectError as error:
                raise PrefectError(f"deployment {name} is missing; `python -m flows.deploy` registers it") from error
            self._deployments[name] = str(answer["id"])
        return self._deployments[name]

    async def call(self, method: str, path: str, body: dict[str, Any] | list[Any] | None = None) -> Any:
        """The JSON of an answer; None where it has none. Raises PrefectError, with the status that Prefect gave."""
        reads = method == "GET" or path.endswith("/filter")
        try:
            try:
                response = await self._client.request(method, path, json=body)
            except (httpx.ReadError, httpx.RemoteProtocolError):  # a kept connection that the server has just closed
                if not reads:
                    raise
                response = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise PrefectError(f"Prefect does not answer: {type(error).__name__}: {error}") from error
        if response.is_error:
            if response.status_code == httpx.codes.NOT_FOUND:
                self._deployments.clear()  # the server may have been set up anew
            text = f"Prefect: {method} {path}: {response.status_code} {response.text[:300]}"
            raise PrefectError(text, response.status_code)
        return response.json() if response.content else None


def _is_online(worker: dict[str, Any]) -> bool:
    beat = worker.get("last_heartbeat_time")
    if worker.get("status") != "ONLINE" or not beat:
        return False
    age = datetime.now(UTC) - datetime.fromisoformat(beat)
    return age.total_seconds() < _OFFLINE_AFTER_SECONDS
