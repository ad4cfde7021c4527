"""State hooks: what Prefect knows of a flow run's end that the flow itself could not say."""

import os
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from flows.job import service
from workers.reporter import FencedError, HttpReporter
from workers.specs.events import RunState

_STATES = {"CRASHED": RunState.CRASHED, "CANCELLED": RunState.CANCELLED, "CANCELLING": RunState.CANCELLED}


def report_end(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell the service that this attempt crashed or was cancelled. Fits `on_crashed` and `on_cancellation`."""
    run_id, attempt = flow_run.parameters.get("run_id"), flow_run.parameters.get("attempt")
    if not run_id or not attempt:
        return
    url, token = service()
    spool = Path(os.environ.get("HEADRACE_HOME", ".headrace")).absolute() / "spool"
    reporter = HttpReporter(url, token, str(run_id), int(attempt), spool, source="flow")
    reporter.state(_STATES.get(state.type.value, RunState.CRASHED), error=state.message)
    try:
        reporter.close(20)
    except (FencedError, TimeoutError):
        return  # over already, or the reconciler will see it
