"""A worker's poll is held while there is no work, and answered the moment that there may be some."""

import asyncio
import time

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.routes import prefect_proxy
from app.services import work_polls
from app.services.work_polls import WorkPolls


class Server:
    """Counts the questions that reach it."""

    def __init__(self) -> None:
        self.num_questions = 0
        self.runs: list[str] = []

    async def answer(self) -> list[str]:
        self.num_questions += 1
        return list(self.runs)


def is_empty(answer: list[str]) -> bool:
    return not answer


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_polls, "HOLD_SECONDS", 0.3)
    monkeypatch.setattr(work_polls, "PAUSE_SECONDS", 0.1)


@pytest.fixture
def long_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may be late by seconds; a poll that is held is later still."""
    monkeypatch.setattr(work_polls, "HOLD_SECONDS", 30.0)
    monkeypatch.setattr(work_polls, "PAUSE_SECONDS", 30.0)


async def test_an_idle_pool_asks_once_in_the_time_of_a_hold() -> None:
    server, polls = Server(), WorkPolls()
    begun = time.monotonic()
    for _ in range(4):
        assert await polls.ask("cpu", server.answer, is_empty) == []
    assert time.monotonic() - begun >= 0.85  # the first was answered at once
    assert server.num_questions == 4


async def test_a_submitted_run_is_fetched_at_once(long_times: None) -> None:
    server, polls = Server(), WorkPolls()
    await polls.ask("cpu", server.answer, is_empty)
    held = asyncio.create_task(polls.ask("cpu", server.answer, is_empty))
    await asyncio.sleep(0.05)
    assert server.num_questions == 1
    server.runs.append("run")
    polls.wake()
    begun = time.monotonic()
    assert await held == ["run"]
    assert time.monotonic() - begun < 10


async def test_a_run_submitted_between_two_polls_or_during_one_is_not_held_back(long_times: None) -> None:
    server, polls = Server(), WorkPolls()
    await polls.ask("cpu", server.answer, is_empty)
    polls.wake()
    begun = time.monotonic()
    await polls.ask("cpu", server.answer, is_empty)

    async def submitted_after_the_look() -> list[str]:
        polls.wake()
        return []

    polls.wake()
    await polls.ask("cpu", submitted_after_the_look, is_empty)
    await polls.ask("cpu", server.answer, is_empty)
    assert time.monotonic() - begun < 10


async def test_pools_wait_by_themselves(long_times: None) -> None:
    server, polls = Server(), WorkPolls()
    await polls.ask("cpu", server.answer, is_empty)
    begun = time.monotonic()
    await polls.ask("gpu", server.answer, is_empty)
    assert time.monotonic() - begun < 10


async def test_a_full_worker_is_told_seldom() -> None:
    server, polls = Server(), WorkPolls()
    server.runs.append("run that waits for a slot")
    await polls.ask("cpu", server.answer, is_empty)
    begun = time.monotonic()
    await polls.ask("cpu", server.answer, is_empty)
    assert time.monotonic() - begun >= 0.09


async def test_an_error_reaches_the_worker_and_holds_nothing(long_times: None) -> None:
    server, polls = Server(), WorkPolls()

    async def fails() -> list[str]:
        raise OSError("Prefect is away")

    with pytest.raises(OSError, match="away"):
        await polls.ask("cpu", fails, is_empty)
    begun = time.monotonic()
    await polls.ask("cpu", server.answer, is_empty)
    assert time.monotonic() - begun < 10


async def test_a_packed_answer_of_prefect_reaches_the_worker_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [{"flow_run": {"id": str(number), "name": "long enough to be packed"}} for number in range(100)]

    async def answer(_request: Request) -> JSONResponse:
        return JSONResponse(runs)

    prefect = Starlette(
        routes=[Route("/api/work_pools/cpu/get_scheduled_flow_runs", answer, methods=["POST"])],
        middleware=[Middleware(GZipMiddleware, minimum_size=500)],
    )

    async def is_worker(_app: object, _token: str) -> bool:
        return True

    monkeypatch.setattr(prefect_proxy, "_is_worker", is_worker)
    service = FastAPI()
    service.include_router(prefect_proxy.router)
    service.state.work_polls = WorkPolls()
    there = httpx.ASGITransport(app=prefect)
    here = httpx.ASGITransport(app=service)
    async with (
        httpx.AsyncClient(base_url="http://prefect/api", transport=there) as service.state.prefect_upstream,
        httpx.AsyncClient(base_url="http://service/api/v1/prefect/api", transport=here) as worker,
    ):
        found = await worker.post("/work_pools/cpu/get_scheduled_flow_runs", json={})
    assert found.json() == runs
