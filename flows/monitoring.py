"""Monitoring, on a schedule: what is dead, stands still or is off its forecast, seen from outside the service.

It only tells. A new attempt is the reconciler's to give, which sees a dead worker earlier, and knows of the service's
own outages; notices go out from what is told.
"""

import os
import time
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.api import Api
from flows.job import service
from workers.monitoring.liveness import check_forecast, inspect
from workers.reporter import FencedError, HttpReporter
from workers.specs.events import Finding, RunState, now
from workers.specs.monitoring import StallWatch

_LATE_SECONDS = 600.0
"""A look that begins so long after its time is left out: a later one waits behind it."""


@flow(name="monitoring", retries=2, retry_delay_seconds=10)
def monitoring(spec: dict[str, Any] | None = None) -> int:
    """Look at all running runs once. Returns the number of findings."""
    due = flow_run.scheduled_start_time
    if due and (now() - due).total_seconds() > _LATE_SECONDS:
        return 0
    url, token = service()
    api, watch = Api(url, token), StallWatch.model_validate(spec or {})
    found = look(api, watch)
    for run, finding in found:
        get_run_logger().warning("%s: %s", run["id"], finding.message)
        spool = Path(os.environ.get("HEADRACE_HOME", ".headrace")).absolute() / "spool"
        reporter = HttpReporter(url, token, run["id"], run["attempt"], spool, source="monitor")
        reporter.finding(finding)
        try:
            reporter.close(20)
        except FencedError:
            continue  # it ended, or began anew, while we looked
    return len(found)


def look(api: Api, watch: StallWatch) -> list[tuple[dict[str, Any], Finding]]:
    """Runs with what is wrong with them. What seems dead or stalled is looked at twice."""
    runs = api.runs(state=RunState.RUNNING)
    silent = {(run_id, finding.id) for run_id, finding in inspect(runs, watch, now())}
    if silent:
        time.sleep(watch.confirm_seconds)
        runs = api.runs(state=RunState.RUNNING)
    by_id = {run["id"]: run for run in runs}
    found = [(by_id[i], finding) for i, finding in inspect(runs, watch, now()) if (i, finding.id) in silent]
    for run in runs:
        if run["kind"] == "training" and (seconds := api.forecast_seconds(run["id"])):
            finding = check_forecast(run, seconds, watch, now())
            if finding:
                found.append((run, finding))
    return found
