"""The live stream through a real server: order, resume without loss, filters, bounds."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from sqlalchemy import insert, select, text

from app.db import notify
from app.models import Event, Run, new_id
from app.routes import stream as stream_route
from app.services import live
from app.services.live import _MAX_PENDING, LISTENER, SlowSubscriberError, Subscriber


@pytest.fixture
async def base_url(app):
    """The service on a real socket. The fixture `app` has begun its life already."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
    task = asyncio.create_task(server.serve())
    for _ in range(1000):
        if server.started:
            break
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    server.force_exit = True
    await task


@pytest.fixture
async def run_ids(app):
    """Two runs that the reconciler leaves alone."""
    ids = [new_id(), new_id()]
    fields = {"kind": "training", "spec": {}, "spec_hash": "x", "pool": "cpu", "state": "completed"}
    async with app.state.database.begin() as session:
        session.add_all(Run(id=one, name="r", **fields) for one in ids)
    return ids


async def add_event(session, run_id, message, kind="note"):
    statement = insert(Event).values(run_id=run_id, attempt=1, kind=kind, message=message, time=text("now()"), data={})
    return await session.scalar(statement.returning(Event.id))


async def write(app, run_id, *messages):
    """Events as the service writes them: the run's row is locked first, a note goes out at the commit."""
    async with app.state.database.begin() as session:
        await session.execute(select(Run.id).where(Run.id == run_id).with_for_update())
        ids = [await add_event(session, run_id, message) for message in messages]
        await notify(session, run_id, "default", "event")
    return ids


class Reader:
    """Reads a stream as an EventSource does: remembers the last id."""

    def __init__(self, response):
        self.lines = response.aiter_lines()
        self.last_id = None
        self.comments = 0

    async def message(self, seconds=15):
        async with asyncio.timeout(seconds):
            fields = {}
            async for line in self.lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                elif "data" in fields:
                    self.last_id = fields.get("id", self.last_id)
                    return fields.get("event", "message"), json.loads(fields["data"])
                else:
                    fields = {}
        raise EOFError

    async def ids(self, count):
        return [(await self.message())[1]["id"] for _ in range(count)]


@pytest.fixture
def connect(base_url, settings):
    @asynccontextmanager
    async def open_stream(query="", last_id=None):
        headers = {"Authorization": f"Bearer {settings.admin_token.get_secret_value()}"}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        url = f"{base_url}/api/v1/stream{query}"
        async with (
            httpx.AsyncClient(timeout=httpx.Timeout(10, read=30)) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            assert response.status_code == 200, await response.aread()
            assert response.headers["content-type"].startswith("text/event-stream")
            reader = Reader(response)
            kind, hello = await reader.message()
            assert kind == "hello"
            reader.hello = hello
            yield reader

    return open_stream


async def test_events_arrive_live_and_in_order(app, connect, run_ids, monkeypatch):
    monkeypatch.setattr(live, "_POLL_SECONDS", 300.0)
    async with connect() as reader:
        early = await write(app, run_ids[0], "early")
        assert await reader.ids(1) == early  # the look that was under way when the time was set is over
        written = await write(app, run_ids[0], "a", "b")
        kind, first = await reader.message()  # told by the note: the next look is minutes away
        assert kind == "message"
        assert first["type"] == "event"
        assert first["message"] == "a"
        assert first["run_id"] == run_ids[0]
        assert [first["id"], *await reader.ids(1)] == written
        assert reader.last_id == str(written[-1])


async def test_resume_by_last_event_id_loses_and_doubles_nothing(app, connect, run_ids):
    written, seen = [], []
    last_id = None
    for round_number in range(4):
        async with connect(last_id=last_id) as reader:
            if round_number:
                seen += await reader.ids(700)  # written while nobody read: more than one page
            for _ in range(3):
                written += await write(app, run_ids[0], *(f"live {n}" for n in range(10)))
            seen += await reader.ids(30)
            last_id = reader.last_id
        written += await write(app, run_ids[1], *(f"away {n}" for n in range(700)))
    async with connect(last_id=last_id) as reader:
        seen += await reader.ids(700)
    assert seen == written


async def test_an_id_that_commits_late_is_not_skipped(app, connect, run_ids):
    database = app.state.database
    async with connect() as reader:
        async with database.sessions() as slow:
            await slow.execute(select(Run.id).where(Run.id == run_ids[0]).with_for_update())
            low = await add_event(slow, run_ids[0], "first id, late commit")
            high = (await write(app, run_ids[1], "second id, early commit"))[0]
            assert low < high
            with pytest.raises(TimeoutError):
                await reader.message(seconds=1)
            await slow.commit()
        # The reader's generator was cancelled by its time-out: a new connection resumes where it stood.
        async with connect(last_id=low - 1) as again:
            assert await again.ids(2) == [low, high]


async def test_an_id_that_never_commits_holds_nothing_up(app, connect, run_ids):
    database = app.state.database
    async with connect() as reader:
        async with database.sessions() as session:
            await add_event(session, run_ids[0], "rolled back")
            await session.rollback()
        started = time.monotonic()
        written = await write(app, run_ids[0], "after the gap")
        assert await reader.ids(1) == written
        assert time.monotonic() - started < 5


async def cut_listener(app):
    """Ends the hub's connection once it is there; how many were cut."""
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = :name"
    for _ in range(200):
        async with app.state.database.begin() as session:
            count = await session.scalar(text(f"{cut} AND datname = current_database()"), {"name": LISTENER})
        if count:
            return count
        await asyncio.sleep(0.05)
    return 0


async def test_a_cut_listener_comes_back(app, connect, run_ids):
    async with connect() as reader:
        assert await cut_listener(app) == 1
        written = await write(app, run_ids[0], "after the cut")
        assert await reader.ids(1) == written


async def test_only_the_runs_and_types_that_were_asked_for(app, connect, run_ids):
    async with connect(f"?run_id={run_ids[1]}&types=event,metrics") as reader:
        await write(app, run_ids[0], "not ours")
        async with app.state.database.begin() as session:
            for kind in ("run", "metrics", "finding"):
                await notify(session, run_ids[1], "default", kind)
            await notify(session, run_ids[0], "default", "metrics")
        written = await write(app, run_ids[1], "ours")
        messages = [(await reader.message())[1] for _ in range(2)]
        assert {(one["type"], one["run_id"]) for one in messages} == {("metrics", run_ids[1]), ("event", run_ids[1])}
        assert written[0] in {one.get("id") for one in messages}


async def test_heartbeats_and_a_bounded_life(connect, monkeypatch):
    monkeypatch.setattr(stream_route, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(stream_route, "LIFETIME_SECONDS", 1.0)
    async with connect() as reader:
        started = time.monotonic()
        with pytest.raises(EOFError):
            await reader.message()
        assert 0.5 < time.monotonic() - started < 5
        assert reader.comments >= 2


async def test_open_streams_hold_no_database_connection(app, connect, admin):
    from contextlib import AsyncExitStack

    async with AsyncExitStack() as stack:
        for _ in range(25):  # the pool has 20
            await stack.enter_async_context(connect())
        assert app.state.live.num_subscribers == 25
        assert (await admin.get("/api/v1/workers")).status_code == 200
    for _ in range(100):
        if app.state.live.num_subscribers == 0:
            break
        await asyncio.sleep(0.05)
    assert app.state.live.num_subscribers == 0


async def test_too_many_streams_are_refused(connect, admin, monkeypatch):
    monkeypatch.setattr(stream_route, "MAX_STREAMS", 1)
    async with connect():
        answer = await admin.get("/api/v1/stream")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "10"


async def test_bad_ids_and_types_are_refused(admin):
    for value in ("x", "-1", "1e5", "9" * 20, "\u0661"):
        answer = await admin.get("/api/v1/stream", params={"last_event_id": value})
        assert answer.status_code == 422, value
    answer = await admin.get("/api/v1/stream", params={"types": "run,nonsense"})
    assert "nonsense" in answer.json()["errors"][0]["message"]


async def test_a_slow_reader_is_cut_and_change_notes_are_merged():
    subscriber = Subscriber(frozenset(), frozenset({"event", "metrics"}))
    for step in range(3):
        subscriber.offer({"type": "metrics", "run_id": "r", "keys": [f"k{step}"], "step": step})
    assert await subscriber.take() == {"type": "metrics", "run_id": "r", "keys": ["k0", "k1", "k2"], "step": 2}
    for number in range(_MAX_PENDING + 1):
        subscriber.offer({"type": "event", "run_id": "r", "id": number})
    for number in range(_MAX_PENDING):
        assert (await subscriber.take())["id"] == number
    with pytest.raises(SlowSubscriberError):
        await subscriber.take()
