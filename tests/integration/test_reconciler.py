"""The reconciler's passes on the real database, with flow runs that do what a test says."""

import pytest
from sqlalchemy import text

from app.services.reconciler import Reconciler

RUNS = "/api/v1/runs"


@pytest.fixture
async def reconciler(core, settings, orchestrator):
    await core.state.reconciler.stop()  # the application's own: its lease goes to this one
    made = Reconciler(settings.model_copy(update={"dead_after_seconds": 60.0}), core.state.database, orchestrator)
    await made.look()
    return made


@pytest.fixture
def get(api):
    async def call(run):
        return (await api.get(f"{RUNS}/{run['id']}")).json()

    return call


@pytest.fixture
def let_pass(core, reconciler):
    """As if so many seconds had gone by: everything that is remembered moves into the past."""

    async def call(seconds):
        past = f"- interval '{seconds} seconds'"
        async with core.state.database.begin() as session:
            await session.execute(
                text(f"UPDATE runs SET heartbeat_at = heartbeat_at {past}, submit_after = submit_after {past}")
            )
            await session.execute(
                text(f"UPDATE attempts SET created_at = created_at {past}, started_at = started_at {past}")
            )
        from datetime import timedelta

        reconciler._watching_since -= timedelta(seconds=seconds)
        for seen in (reconciler._seen, reconciler._leftover):
            seen.update({key: since - seconds for key, since in seen.items()})

    return call


@pytest.fixture
async def running(launch, report, get, orchestrator, reconciler):
    run = await launch()
    await report(run["id"], state="running")
    found = await get(run)
    orchestrator.set(found["prefect_flow_run_id"], "RUNNING")
    return found


async def test_what_prefect_missed_is_handed_over_later(launch, get, orchestrator, reconciler, let_pass):
    orchestrator.away = True
    run = await launch()
    orchestrator.away = False
    await let_pass(5)
    await reconciler.look()
    found = await get(run)
    assert found["prefect_flow_run_id"]
    assert found["state_reason"] == "waiting for a worker of pool cpu"
    await reconciler.look()
    assert len(orchestrator.submitted) == 1


async def test_without_a_worker_it_says_how_to_start_one(launch, get, orchestrator, reconciler):
    run = await launch(spec={"kind": "training", "resources": {"gpus": 1}})
    await reconciler.look()
    assert (await get(run))["state_reason"] == (
        "no worker online for pool gpu: start one with `headrace worker --pool gpu`"
    )
    orchestrator.pools["gpu"] = 1
    await reconciler.look()
    assert "waiting for a worker" in (await get(run))["state_reason"]


async def test_a_crash_in_prefect_gives_a_new_attempt(running, get, report, orchestrator, reconciler, api):
    orchestrator.set(running["prefect_flow_run_id"], "CRASHED", "exit status -9")
    await reconciler.look()
    found = await get(running)
    assert (found["state"], found["attempt"]) == ("queued", 2)
    await reconciler.look()
    assert [sent["parameters"]["attempt"] for sent in orchestrator.submitted] == [1, 2]
    assert (await report(running["id"], attempt=1)).status_code == 409
    assert (await report(running["id"], attempt=2, state="running")).status_code == 200
    (retry,) = (await api.get(f"{RUNS}/{running['id']}/events", params={"kind": "retry"})).json()
    assert "exit status -9" in retry["message"]


async def test_silence_gives_a_new_attempt_and_ends_the_old_flow_run(running, get, orchestrator, reconciler, let_pass):
    await let_pass(59)
    await reconciler.look()
    assert (await get(running))["attempt"] == 1
    await let_pass(2)
    await reconciler.look()
    found = await get(running)
    assert (found["state"], found["attempt"]) == ("queued", 2)
    assert running["prefect_flow_run_id"] in orchestrator.cancelled
    assert orchestrator.flow_runs[running["prefect_flow_run_id"]].type == "CANCELLING"
    await reconciler.look()
    await let_pass(61)
    await reconciler.look()
    assert orchestrator.flow_runs[running["prefect_flow_run_id"]].type == "CRASHED"


async def test_a_heartbeat_keeps_it_alive(running, get, report, reconciler, let_pass):
    for _ in range(3):
        await let_pass(50)
        await report(running["id"], source="worker.heartbeat", seq=0)
        await reconciler.look()
    assert (await get(running))["attempt"] == 1


async def test_silence_while_the_service_was_down_does_not_count(
    running, get, core, settings, orchestrator, reconciler, let_pass
):
    await let_pass(1000)
    await reconciler.stop()
    fresh = Reconciler(settings.model_copy(update={"dead_after_seconds": 60.0}), core.state.database, orchestrator)
    await fresh.look()
    assert (await get(running))["attempt"] == 1


async def test_silence_counts_also_while_prefect_is_away(running, get, orchestrator, reconciler, let_pass):
    orchestrator.away = True
    await let_pass(61)
    await reconciler.look()
    assert (await get(running))["attempt"] == 2


async def test_attempts_are_used_up(launch, report, get, orchestrator, reconciler):
    run = await launch(max_attempts=1)
    await report(run["id"], state="running")
    orchestrator.set((await get(run))["prefect_flow_run_id"], "CRASHED", "out of memory")
    await reconciler.look()
    found = await get(run)
    assert (found["state"], found["error"]) == ("crashed", "out of memory")
    await reconciler.look()
    assert (await get(run))["state"] == "crashed"


async def test_failed_in_prefect_waits_for_the_word_of_the_worker(running, get, report, orchestrator, reconciler):
    orchestrator.set(running["prefect_flow_run_id"], "FAILED", "ValueError")
    await reconciler.look()
    assert (await get(running))["state"] == "running"
    await report(running["id"], state="failed", error="ValueError: empty folder")
    await reconciler.look()
    found = await get(running)
    assert (found["state"], found["attempt"]) == ("failed", 1)


async def test_cancellation_is_told_to_prefect_until_it_is_done(running, api, get, orchestrator, reconciler):
    orchestrator.away = True
    await api.post(f"{RUNS}/{running['id']}/cancel")
    orchestrator.away = False
    await reconciler.look()
    assert orchestrator.cancelled == [running["prefect_flow_run_id"]]
    assert (await get(running))["state"] == "cancelling"
    orchestrator.set(running["prefect_flow_run_id"], "CANCELLED")
    await reconciler.look()
    assert (await get(running))["state"] == "cancelled"


async def test_a_cancellation_that_hangs_ends(running, api, get, orchestrator, reconciler, let_pass):
    await api.post(f"{RUNS}/{running['id']}/cancel")
    await reconciler.look()
    await let_pass(61)
    await reconciler.look()
    assert (await get(running))["state"] == "cancelled"
    await reconciler.look()
    await let_pass(61)
    await reconciler.look()
    assert orchestrator.flow_runs[running["prefect_flow_run_id"]].type == "CRASHED"


async def test_cancelled_in_prefect_is_cancelled_here(running, get, orchestrator, reconciler):
    orchestrator.set(running["prefect_flow_run_id"], "CANCELLED")
    await reconciler.look()
    found = await get(running)
    assert (found["state"], found["state_reason"]) == ("cancelled", "cancelled in Prefect")


async def test_children_end_with_their_parent(launch, report, get, orchestrator, reconciler):
    parent = await launch(spec={"kind": "pipeline"})
    child = await launch(parent_id=parent["id"])
    await report(child["id"], state="running")
    await report(parent["id"], state="failed", error="StageError")
    await reconciler.look()
    found = await get(child)
    assert (found["state"], found["state_reason"]) == ("cancelled", "its parent has ended")
    assert found["prefect_flow_run_id"] in orchestrator.cancelled


async def test_a_new_attempt_of_a_parent_keeps_its_children(launch, report, get, orchestrator, reconciler):
    parent = await launch(spec={"kind": "pipeline"})
    child = await launch(parent_id=parent["id"])
    await report(child["id"], state="running")
    await report(parent["id"], source="flow", state="crashed")
    await reconciler.look()
    assert (await get(parent))["attempt"] == 2
    assert (await get(child))["state"] == "running"


async def test_one_of_two_services_reconciles(core, settings, orchestrator, reconciler, running, get):
    other = Reconciler(settings, core.state.database, orchestrator)
    orchestrator.set(running["prefect_flow_run_id"], "CRASHED")
    await other.look()
    assert (await get(running))["attempt"] == 1, "the first has the lease"
    await reconciler.stop()
    await other.look()
    assert (await get(running))["attempt"] == 2
