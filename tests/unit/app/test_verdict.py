"""What the reconciler decides, case by case."""

import pytest

from app.services.orchestrator import FlowRunState
from app.services.verdict import Action, Observation, judge
from workers.specs.events import RunState


def look(state, prefect, *, workers=1, unchanged=1.0, silent=1.0, message=""):
    flow_run = None if prefect is None else FlowRunState(prefect, prefect.capitalize(), message)
    return judge(Observation(RunState(state), "gpu", flow_run, workers, unchanged, silent, dead_after_seconds=60))


@pytest.mark.parametrize(
    ("state", "prefect", "times", "action"),
    [
        ("running", "RUNNING", {}, Action.NOTHING),
        ("running", "RUNNING", {"silent": 61}, Action.CRASH),
        ("paused", "RUNNING", {"silent": 61}, Action.CRASH),
        ("running", "CRASHED", {}, Action.CRASH),
        ("running", "FAILED", {}, Action.NOTHING),
        ("running", "FAILED", {"unchanged": 16}, Action.CRASH),
        ("running", "COMPLETED", {"unchanged": 16}, Action.END),
        ("running", "CANCELLED", {}, Action.END),
        ("running", None, {}, Action.NOTHING),
        ("running", None, {"silent": 61}, Action.CRASH),
        ("queued", None, {"silent": 16}, Action.CRASH),
        ("queued", "CRASHED", {}, Action.CRASH),
        ("queued", "COMPLETED", {"unchanged": 16}, Action.CRASH),
        ("queued", "PENDING", {"unchanged": 61}, Action.EXPLAIN),  # loading torch on a machine at work
        ("queued", "PENDING", {"unchanged": 121}, Action.CRASH),
        ("queued", "SCHEDULED", {"unchanged": 10_000, "silent": 10_000}, Action.EXPLAIN),
        ("cancelling", "RUNNING", {}, Action.CANCEL),
        ("cancelling", "CANCELLING", {}, Action.NOTHING),
        ("cancelling", "CANCELLING", {"unchanged": 61}, Action.END),
        ("cancelling", "CANCELLED", {}, Action.END),
        ("cancelling", "CRASHED", {}, Action.END),
        ("cancelling", None, {}, Action.END),
    ],
)
def test_verdicts(state, prefect, times, action):
    assert look(state, prefect, **times).action is action


def test_a_queued_run_says_what_to_do_when_no_worker_is_there():
    assert look("queued", "SCHEDULED", workers=0).reason == (
        "no worker online for pool gpu: start one with `headrace worker --pool gpu`"
    )
    assert "waiting for a worker" in look("queued", "SCHEDULED").reason


def test_the_words_of_prefect_reach_the_person():
    assert look("running", "CRASHED", message="exit status 137").reason == "exit status 137"
