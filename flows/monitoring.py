"""Monitoring, on a schedule: runs whose worker died, and runs that stand still."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from flows.api import Api
from flows.job import service
from workers.monitoring.liveness import inspect
from workers.reporter import FencedError, HttpReporter
from workers.specs.events import RunState, now
from workers.specs.monitoring import StallWatch


@flow(name="monitoring", retries=2, retry_delay_seconds=10)
def monitoring(spec: dict[str, Any] | None = None) -> int:
    """Look at all running runs once. Returns the number of findings."""
    url, token = service()
    watch = StallWatch.model_validate(spec or {})
    runs = Api(url, token).runs(state=RunState.RUNNING)
    findings = inspect([_row(run) for run in runs], watch, now())
    attempts = {run["id"]: run["attempt"] for run in runs}
    for run_id, finding in findings:
        get_run_logger().warning("%s: %s", run_id, finding.message)
        spool = Path(os.environ.get("HEADRACE_HOME", ".headrace")).absolute() / "spool"
        reporter = HttpReporter(url, token, run_id, attempts[run_id], spool, source="monitor")
        reporter.finding(finding)
        if finding.detector == "dead_worker":
            reporter.state(RunState.CRASHED, error=finding.message)
        try:
            reporter.close(20)
        except FencedError:
            continue  # it ended, or began anew, while we looked
    return len(findings)


def _row(run: dict[str, Any]) -> dict[str, Any]:
    moments = {key: run.get(key) for key in ("started_at", "heartbeat_at", "last_step_at")}
    parsed = {key: datetime.fromisoformat(text) if text else None for key, text in moments.items()}
    return {"id": run["id"], "state": run["state"], "kind": run["kind"]} | parsed
