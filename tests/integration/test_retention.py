"""What is kept for a while only: points of ended runs go and their roll-ups stay; notes of batches go."""

import pytest
from sqlalchemy import text

from app.services import deletion
from app.services.blobs import build_store

RUNS = "/api/v1/runs"


@pytest.fixture
def sql(core):
    async def call(statement, **parameters):
        async with core.state.database.begin() as session:
            result = await session.execute(text(statement), parameters)
            return result.scalar() if result.returns_rows else None

    return call


@pytest.fixture
def tidy(core):
    """Look as upkeep does once an hour."""

    async def call():
        core.state.upkeep._tidied_at = None
        await core.state.upkeep.look()
        await core.state.upkeep.look()

    return call


@pytest.fixture
def ended(launch, report, sql):
    """A run of 5000 points with one spike, that ended so many days ago."""

    async def call(days, **changes):
        run = await launch(**changes)
        values = [99.0 if step == 3210 else 1.0 for step in range(5000)]
        column = {"key": "loss", "steps": list(range(5000)), "values": values}
        await report(run["id"], state="running", metrics=[column])
        await report(run["id"], state="completed")
        ago = "UPDATE runs SET finished_at = now() - make_interval(days => :days) WHERE id = :id"
        await sql(ago, days=days, id=run["id"])
        return run

    return call


async def test_points_go_after_their_days_and_the_spike_stays_at_every_zoom(api, ended, tidy, sql):
    due, early, for_ever = await ended(8, keep_raw_days=7), await ended(6, keep_raw_days=7), await ended(4000)
    await tidy()
    count = "SELECT count(*) FROM metrics m JOIN series s ON s.id = m.series_id WHERE s.run_id = :id"
    assert [await sql(count, id=run["id"]) for run in (due, early, for_ever)] == [0, 5000, 5000]
    for first, last, buckets in [(0, 4999, 10), (3205, 3212, 2000), (3000, 3300, 5), (0, 4999, 2000), (3210, 3210, 1)]:
        parameters = {"from_step": first, "to_step": last, "buckets": buckets}
        (found,) = (await api.get(f"{RUNS}/{due['id']}/metrics/loss", params=parameters)).json()
        assert max(found["max"]) == 99.0, (first, last)
        assert len(found["steps"]) <= buckets
        assert found["bucket_steps"] % 16 == 0
    (outside,) = (await api.get(f"{RUNS}/{due['id']}/metrics/loss", params={"from_step": 6000})).json()
    assert outside["steps"] == []
    (info,) = (await api.get(f"{RUNS}/{due['id']}/metrics")).json()
    assert info["num_points"] == 5000
    refused = await api.get(f"{RUNS}/{due['id']}/export")
    assert (refused.status_code, "roll-ups" in refused.json()["detail"]) == (409, True)


async def test_a_thinned_run_can_be_deleted_whole(api, ended, tidy, sql, core):
    run = await ended(3, keep_raw_days=2)
    await tidy()
    assert (await api.delete(f"{RUNS}/{run['id']}", params={"confirm": run["name"]})).status_code == 204
    assert await sql("SELECT count(*) FROM metric_rollups") == 0


async def test_the_settings_say_how_long_where_the_run_does_not(ended, core, sql):
    run, other = await ended(31), await ended(31, keep_raw_days=90)
    database = core.state.database
    async with database.begin() as session:
        assert await deletion.request_thinning(session, 30, 10) == 1
    operation_id = await sql("SELECT id FROM operations")
    status = await deletion.proceed(database, build_store(core.state.settings), operation_id, 10)
    assert (status.kind, status.state, status.target) == ("thin_run", "done", run["id"])
    assert await sql("SELECT count(*) FROM metrics") == 5000, f"those of {other['id']}"


async def test_notes_of_batches_go_a_day_after_the_end_or_a_week_after_their_arrival(ended, launch, report, tidy, sql):
    await ended(2)
    kept = await launch()
    await report(kept["id"], state="running")
    await report(kept["id"], logs=[{"message": "new"}])
    await sql("UPDATE ingest_batches SET received_at = now() - interval '8 days' WHERE run_id = :id AND seq = ("
              "SELECT min(seq) FROM ingest_batches WHERE run_id = :id)", id=kept["id"])  # fmt: skip
    await tidy()
    assert await sql("SELECT count(*) FROM ingest_batches") == 1
    assert await sql("SELECT run_id FROM ingest_batches") == kept["id"]
