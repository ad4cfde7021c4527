"""Flow runs that Prefect holds for ever: each takes a place in its pool, and nobody in Prefect ends it.

A flow run stays Running when its worker and its process were killed together, Cancelling when its worker was, Pending
when it died at the start. The reconciler ends those of present attempts; this looks at all that Prefect holds, so that
one whose end fell into an outage of the service, or that belongs to no run at all, gives its place back too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

HELD = ("PENDING", "RUNNING", "CANCELLING")
"""States that take a place."""
HELPER_SECONDS = 900.0
"""Most that a flow run which belongs to no run (`launch`, `monitoring`) may take: they need seconds."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A flow run to be ended: asked first (`cancel`), then declared dead (`crash`)."""

    flow_run_id: str
    how: Literal["cancel", "crash"]
    why: str


class Sweep:
    """Remembers since when a flow run was nobody's: what has just ended may be about to tell Prefect so."""

    def __init__(self, dead_after_seconds: float) -> None:
        self._dead_after = dead_after_seconds
        self._since: dict[tuple[str, str], datetime] = {}

    def find(
        self, flow_runs: Collection[Mapping[str, Any]], live: Collection[tuple[str, int]], now: datetime
    ) -> list[Ending]:
        """Which of the flow runs that Prefect holds are to be ended. `live`: (run id, attempt) of all active runs."""
        alive, since, found = set(live), {}, []
        for flow_run in flow_runs:
            state, parameters = flow_run.get("state") or {}, flow_run.get("parameters") or {}
            kind, run_id, attempt = str(state.get("type")), parameters.get("run_id"), parameters.get("attempt")
            if kind not in HELD or (run_id, attempt) in alive:
                continue
            key = (str(flow_run["id"]), kind)
            since[key] = self._since.get(key, now)
            if run_id is None and kind != "CANCELLING":
                seconds = (now - _moment(state.get("timestamp"), now)).total_seconds()
                if seconds > HELPER_SECONDS:
                    words = f"{kind.lower()} for {seconds:.0f} s: it needs seconds, so its process is gone"
                    found.append(Ending(key[0], "crash", words))
            elif (now - since[key]).total_seconds() > self._dead_after:
                gone = kind == "CANCELLING"
                words = "its worker is gone" if gone else f"attempt {attempt} of run {run_id} is over"
                found.append(Ending(key[0], "crash" if gone else "cancel", words))
        self._since = since
        return found


def _moment(text: Any, otherwise: datetime) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC) if text else otherwise
