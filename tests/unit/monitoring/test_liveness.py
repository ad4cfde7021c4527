"""Dead and stalled runs are told apart, and those that owe nothing are left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from workers.monitoring.liveness import check_forecast, inspect
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


def forecast(elapsed, done, forecast_seconds=1000.0, **more):
    progress = [{"stage": "training", "done": done, "total": 100, "unit": "steps"}]
    row = run(started_at=NOW - timedelta(seconds=elapsed), progress=progress, attempt=2) | more
    return check_forecast(row, forecast_seconds, WATCH, NOW)


@pytest.mark.parametrize(
    ("elapsed", "done", "off"),
    [
        (1000, 50, False),  # will take 2000 s: the forecast's factor, and the slack above it
        (1000, 44, False),  # 2273 s
        (1000, 43, True),  # 2326 s
        (30, 1, False),  # too early to say
        (2200, 0, False),
        (2301, 0, True),  # no step in all that time
    ],
)
def test_a_run_off_its_forecast_is_told(elapsed, done, off):
    assert (forecast(elapsed, done) is not None) is off


def test_the_finding_says_both_figures_and_keeps_its_id():
    first, later = forecast(1000, 20), forecast(2000, 25)
    assert first.id == later.id == "off-forecast-2"
    assert (first.evidence["forecast_seconds"], first.evidence["expected_seconds"]) == (1000, 5000)
    assert forecast(1000, 1, state="paused") is None
    assert forecast(9000, 1, forecast_seconds=0.0) is None
