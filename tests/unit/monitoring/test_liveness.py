"""Dead and stalled runs are told apart, and those that owe nothing are left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from workers.monitoring.liveness import inspect
from workers.specs.monitoring import StallWatch

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
WATCH = StallWatch(dead_after_seconds=120, stalled_after_seconds=600)


def run(state="running", heard=1.0, stepped=1.0, **more):
    def ago(seconds):
        return None if seconds is None else NOW - timedelta(seconds=seconds)

    return {"id": "r", "state": state, "heartbeat_at": ago(heard), "last_step_at": ago(stepped)} | more


@pytest.mark.parametrize(
    ("row", "condition"),
    [
        (run(), None),
        (run(heard=121), "dead_worker"),
        (run(heard=119, stepped=601), "stalled_run"),
        (run(heard=121, stepped=601), "dead_worker"),
        (run(state="paused", stepped=9999), None),
        (run(state="paused", heard=121), "dead_worker"),
        (run(state="cancelling", heard=121), "dead_worker"),
        (run(state="queued", heard=9999), None),
        (run(state="completed", heard=9999), None),
        (run(heard=None, stepped=None), None),
        (run(heard=None, stepped=None, started_at=NOW - timedelta(seconds=121)), "dead_worker"),
        (run(heard=1, stepped=None, started_at=NOW - timedelta(seconds=601)), "stalled_run"),
        (run(heard=1, stepped=None, started_at=NOW - timedelta(seconds=601), kind="curation"), None),
    ],
)
def test_condition(row, condition):
    expected = [("r", condition)] if condition else []
    assert [(run_id, finding.detector) for run_id, finding in inspect([row], WATCH, NOW)] == expected


def test_rows_from_json_and_a_stable_id():
    row = {"id": "r", "state": "running", "heartbeat_at": "2026-01-02T11:50:00+00:00", "last_step": 41}
    (_, first), (_, later) = (inspect([row], WATCH, NOW + timedelta(seconds=s))[0] for s in (0, 300))
    assert first.id == later.id
    assert (first.step, first.evidence["silent_seconds"], later.evidence["silent_seconds"]) == (41, 600, 900)
    row["heartbeat_at"] = "2026-01-02T11:51:00"  # without zone: UTC
    assert inspect([row], WATCH, NOW)[0][1].id != first.id
