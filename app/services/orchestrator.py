"""What the service asks of whatever starts flow runs. `PrefectClient` is the real one."""

from collections.abc import Sequence
from typing import Any, Protocol

from app.services.prefect_client import FlowRunState, PrefectError

__all__ = ["FlowRunState", "Orchestrator", "PrefectError"]


class Orchestrator(Protocol):
    """Starts and ends flow runs. Every call raises PrefectError when it is refused or nobody answers."""

    async def submit(self, kind: str, pool: str, priority: str, parameters: dict[str, Any], name: str) -> str:
        """Make a flow run; its id. The same (run_id, attempt) in `parameters` makes one flow run only."""
        ...

    async def cancel(self, flow_run_id: str) -> None:
        """Ask for its end."""
        ...

    async def crash(self, flow_run_id: str, message: str) -> None:
        """Mark a flow run as crashed whose worker is gone."""
        ...

    async def states(self, ids: list[str]) -> dict[str, FlowRunState]:
        """States by id; unknown ids are left out."""
        ...

    async def held(self, types: Sequence[str]) -> list[dict[str, Any]]:
        """Flow runs in one of these types of state: `id`, `parameters`, and `state` with `type` and `timestamp`."""
        ...

    async def online_pools(self) -> dict[str, int]:
        """Number of live workers of each pool."""
        ...
