"""The watch on a real Prefect: places come free, dead workers and missed schedules are told once."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.states import Cancelling, Running, Scheduled
from sqlalchemy import text

from app.services.prefect_client import PrefectClient as Door
from app.services.prefect_schedules import PrefectSchedules
from app.services.watch import Watch

pytestmark = pytest.mark.timeout(300)
HELLO = {"name": "harbour-1", "pool": "cpu", "host": "harbour", "version": "0.1.0"}


@pytest.fixture
async def door(settings, prefect_url):
    made = Door(settings.model_copy(update={"prefect_api_url": prefect_url}))
    yield made
    await made.close()


@pytest.fixture
async def watch(core, settings, door):
    """Its own loop is stopped: tests call `look`."""
    await core.state.watch.stop()
    made = Watch(settings, core.state.database, door, PrefectSchedules(door))
    await made.look()
    yield made
    await made.stop()


@pytest.fixture
def let_pass(core, watch):
    """As if so many seconds had gone by."""

    async def call(seconds):
        async with core.state.database.begin() as session:
            past = f"last_seen_at = last_seen_at - interval '{seconds} seconds'"
            await session.execute(text(f"UPDATE workers SET {past}"))
        watch.watching_since -= timedelta(seconds=seconds)
        since = watch._zombies._since
        since.update({key: moment - timedelta(seconds=seconds) for key, moment in since.items()})

    return call


@pytest.fixture
async def prefect(prefect_url):
    async with PrefectClient(prefect_url) as client:
        yield client


async def test_a_zombie_gives_its_place_in_the_pool_back(watch, prefect, let_pass, launch, report):
    live = await launch()
    await report(live["id"], state="running")
    await prefect.update_work_pool("cpu", _limit(1))
    deployment = await prefect.read_deployment_by_name("training/cpu")
    zombie, ours = [
        await prefect.create_flow_run_from_deployment(deployment.id, parameters=parameters)
        for parameters in ({"run_id": "gone", "attempt": 1}, {"run_id": live["id"], "attempt": 1})
    ]
    await prefect.set_flow_run_state(zombie.id, Running(), force=True)  # its worker and its process were killed
    waiting = await prefect.create_flow_run_from_deployment(deployment.id, state=Scheduled())
    assert await _offered(prefect) == set(), "the zombie has the only place"
    await watch.look()
    await let_pass(121)
    await watch.look()
    assert (await prefect.read_flow_run(zombie.id)).state_type == "CANCELLING"
    await let_pass(121)
    await watch.look()
    await let_pass(121)
    await watch.look()
    assert (await prefect.read_flow_run(zombie.id)).state_type == "CRASHED"
    assert len(await _offered(prefect) & {waiting.id, ours.id}) == 1, "the place is free"
    assert (await prefect.read_flow_run(ours.id)).state_type == "SCHEDULED"
    await prefect.update_work_pool("cpu", _limit(None))


def _limit(count):
    from prefect.client.schemas.actions import WorkPoolUpdate

    return WorkPoolUpdate(concurrency_limit=count)


async def _offered(prefect):
    """What Prefect would give to a worker now."""
    soon = datetime.now(UTC) + timedelta(seconds=10)
    return {one.flow_run.id for one in await prefect.get_scheduled_flow_runs_for_work_pool("cpu", [], soon)}


async def test_a_flow_run_of_a_live_attempt_is_left_alone(watch, prefect, let_pass, launch, report):
    live = await launch()
    await report(live["id"], state="running")
    deployment = await prefect.read_deployment_by_name("training/cpu")
    parameters = {"run_id": live["id"], "attempt": 1}
    made = await prefect.create_flow_run_from_deployment(deployment.id, parameters=parameters)
    await prefect.set_flow_run_state(made.id, Running(), force=True)
    for _ in range(3):
        await watch.look()
        await let_pass(500)
    assert (await prefect.read_flow_run(made.id)).state_type == "RUNNING"
    await prefect.set_flow_run_state(made.id, Cancelling(), force=True)


async def notices(api):
    return [
        n for n in (await api.get("/api/v1/notices")).json()["items"] if n["kind"] in {"worker.dead", "schedule.missed"}
    ]


async def test_a_dead_worker_is_told_once_and_one_that_left_is_not(watch, worker_api, api, let_pass):
    from workers.specs import SPEC_VERSION

    hello = HELLO | {"spec_version": SPEC_VERSION}
    for name in ("harbour-1", "harbour-2"):
        assert (await worker_api.post("/api/v1/workers/hello", json=hello | {"name": name})).status_code == 200
    goodbye = {"name": "harbour-2", "pool": "cpu"}
    assert (await worker_api.post("/api/v1/workers/goodbye", json=goodbye)).status_code == 204
    states = {w["name"]: w["state"] for w in (await api.get("/api/v1/workers")).json()["items"]}
    assert states == {"harbour-1": "online", "harbour-2": "offline"}
    await let_pass(60)
    await watch.look()
    assert await notices(api) == [], "a minute of silence, as of a process that was stopped, is no death"
    await let_pass(70)
    for _ in range(3):
        await watch.look()
    (told,) = await notices(api)
    assert (told["kind"], told["data"]["worker"], told["data"]["pool"]) == ("worker.dead", "harbour-1", "cpu")
    await worker_api.post("/api/v1/workers/hello", json=hello)
    await let_pass(200)
    await watch.look()
    assert len(await notices(api)) == 2, "it died again"


async def test_silence_while_the_service_was_down_is_no_death(watch, core, settings, door, worker_api, api, let_pass):
    from workers.specs import SPEC_VERSION

    await worker_api.post("/api/v1/workers/hello", json=HELLO | {"spec_version": SPEC_VERSION})
    await let_pass(1000)
    await watch.stop()
    fresh = Watch(settings, core.state.database, door, PrefectSchedules(door))
    await fresh.look()
    await fresh.stop()
    assert await notices(api) == []


async def test_a_missed_schedule_is_told_once(watch, core, api, prefect, door):
    core.state.schedules = PrefectSchedules(door)
    timing = {"kind": "interval", "seconds": 3600, "anchor": "2026-01-01T00:00:00Z"}
    body = {"name": "hourly", "preset": "pipeline", "timing": timing}
    made = (await api.post("/api/v1/schedules", json=body)).json()
    due = datetime.now(UTC) - timedelta(hours=2)
    await prefect.create_flow_run_from_deployment(made["deployment_id"], state=Scheduled(scheduled_time=due))
    for _ in range(3):
        await watch.look()
    (told,) = await notices(api)
    assert (told["kind"], told["data"]["schedule"], told["data"]["num_missed"]) == ("schedule.missed", "hourly", 1)
    assert (await api.delete("/api/v1/schedules/hourly")).status_code == 204
