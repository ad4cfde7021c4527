"""Flow runs that hold a place for nobody are ended; those of live attempts, and new ones, are left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from app.services.sweep import HELPER_SECONDS, Sweep

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
LIVE = {("alive", 2)}


def flow_run(kind, run_id=None, attempt=None, age=10.0):
    parameters = {"run_id": run_id, "attempt": attempt} if run_id else {"preset": "pipeline"}
    moment = (NOW - timedelta(seconds=age)).isoformat()
    return {"id": f"{kind}-{run_id}-{attempt}", "parameters": parameters, "state": {"type": kind, "timestamp": moment}}


def after(seconds, *flow_runs):
    """What is ended when all has been like this for so many seconds."""
    sweep = Sweep(dead_after_seconds=60)
    sweep.find(flow_runs, LIVE, NOW - timedelta(seconds=seconds))
    return [(ending.flow_run_id, ending.how) for ending in sweep.find(flow_runs, LIVE, NOW)]


@pytest.mark.parametrize("kind", ["PENDING", "RUNNING", "CANCELLING"])
def test_a_live_attempt_is_left_alone(kind):
    assert after(10_000, flow_run(kind, "alive", 2, age=10_000)) == []


@pytest.mark.parametrize(("kind", "how"), [("PENDING", "cancel"), ("RUNNING", "cancel"), ("CANCELLING", "crash")])
@pytest.mark.parametrize(("run_id", "attempt"), [("alive", 1), ("ended", 1), ("unknown", 3)])
def test_an_attempt_that_is_over_gives_its_place_back(kind, how, run_id, attempt):
    zombie = flow_run(kind, run_id, attempt)
    assert after(61, zombie) == [(zombie["id"], how)]
    assert after(59, zombie) == [], "its process may be about to end"


def test_a_long_run_that_has_just_ended_has_time_to_tell_prefect():
    assert after(5, flow_run("RUNNING", "ended", 1, age=80_000)) == []


def test_a_flow_run_of_no_run_may_take_minutes():
    assert after(300, flow_run("RUNNING", age=HELPER_SECONDS - 1)) == []
    assert after(300, flow_run("RUNNING", age=HELPER_SECONDS + 1)) == [("RUNNING-None-None", "crash")]
    assert after(61, flow_run("CANCELLING", age=61)) == [("CANCELLING-None-None", "crash")]


def test_what_holds_no_place_is_not_looked_at():
    assert after(10_000, flow_run("SCHEDULED", "ended", 1), flow_run("COMPLETED", "ended", 1)) == []


def test_a_state_that_changes_is_new():
    sweep = Sweep(60)
    sweep.find([flow_run("RUNNING", "ended", 1)], LIVE, NOW - timedelta(seconds=100))
    sweep.find([], LIVE, NOW - timedelta(seconds=50))
    assert sweep.find([flow_run("RUNNING", "ended", 1)], LIVE, NOW) == []
