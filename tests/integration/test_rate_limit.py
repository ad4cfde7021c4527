"""How many requests a caller may make: headers, 429, who is counted together, and the buckets themselves."""

import asyncio

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.routes.rate_limit import _MAX_BUCKETS, Buckets

LIMIT = 120


@pytest.fixture
async def limited(settings, orchestrator, application):
    """An application with a small limit."""
    changes = {"rate_limit_per_minute": LIMIT, "reconcile_seconds": 3600.0}
    async with application(settings.model_copy(update=changes), orchestrator) as app:
        yield app


async def test_a_caller_above_the_limit_is_told_when_to_come_back(limited, settings, client_for):
    async with client_for(limited, settings.admin_token) as admin, client_for(limited, settings.worker_token) as worker:
        first = await admin.get("/api/v1/projects")
        assert first.headers["RateLimit-Policy"] == f'"default";q={LIMIT};w=60'
        assert first.headers["RateLimit"] == f'"default";r={LIMIT - 1};t=1'
        answers = [await admin.get("/api/v1/projects") for _ in range(LIMIT)]
        while answers[-1].status_code != 429:
            answers.append(await admin.get("/api/v1/projects"))
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["RateLimit"] == '"default";r=0;t=1'
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
        assert "HEADRACE_RATE_LIMIT_PER_MINUTE" in refused.json()["detail"]
        assert {answer.status_code for answer in answers[:-1]} == {200}
        assert (await worker.get("/api/v1/projects")).status_code == 200, "others go on"
        await asyncio.sleep(int(refused.headers["Retry-After"]))
        assert (await admin.get("/api/v1/projects")).status_code == 200


async def test_what_workers_report_is_not_counted(limited, settings, client_for):
    async with client_for(limited, settings.worker_token) as worker:
        report = {"attempt": 1, "source": "worker", "seq": 0}
        answers = [await worker.post("/api/v1/ingest/runs/none", json=report) for _ in range(LIMIT + 5)]
        assert {answer.status_code for answer in answers} == {409}, "there is no such run"
        assert "RateLimit" not in answers[0].headers
    transport = httpx.ASGITransport(limited, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as nobody:
        found = [(await nobody.get("/api/v1/runs")).status_code for _ in range(2 * LIMIT)]
    assert found[0] == 401
    assert found[-1] == 429, "callers without a token count by their address"


async def test_the_limit_can_be_off(settings, serving, orchestrator):
    async with serving(settings.model_copy(update={"rate_limit_per_minute": 0}), orchestrator) as admin:
        assert "RateLimit" not in (await admin.get("/api/v1/projects")).headers


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=200))
def test_in_any_window_no_more_pass_than_a_full_bucket_and_what_flows_in(limit, pauses):
    moment = 0.0
    buckets, passed = Buckets(limit, lambda: moment), []
    for pause in pauses:
        moment += pause
        left, wait = buckets.take(b"caller")
        assert 0 <= left < limit
        if wait:
            assert wait <= 60 / limit + 1e-9
        else:
            passed.append(moment)
    for number, begun in enumerate(passed):
        within = [time for time in passed[number:] if time - begun <= 60]
        assert len(within) <= 2 * limit
    moment += 60 / limit + 1e-6
    assert buckets.take(b"caller")[1] == 0, "after the time of one request one is allowed"


def test_memory_is_bounded():
    buckets = Buckets(10, lambda: 0.0)
    for number in range(_MAX_BUCKETS + 100):
        buckets.take(str(number).encode())
    assert len(buckets._buckets) == _MAX_BUCKETS
