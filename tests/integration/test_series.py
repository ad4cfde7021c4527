"""Series at any zoom against a brute-force computation, also when points are sent again or changed."""

import math
import random

import numpy as np
import pytest
from sqlalchemy import text

from app.models.metrics import FACTOR_BITS, NUM_LEVELS
from app.queries import points

RUNS = "/api/v1/runs"


def points_of(key, branch, points_by_step):
    """As ingest gives them: sorted by step."""
    steps = sorted(points_by_step)
    values = np.array([points_by_step[step] for step in steps], np.float64)
    return points.Points(key, branch, np.array(steps, np.int64), values, np.zeros(len(steps)))


@pytest.fixture
def send(launch, core):
    """Store points of a new run straight through the queries, batch by batch."""

    async def call(batches):
        run = await launch()
        for batch in batches:
            async with core.state.database.begin() as session:
                columns = [points_of(key, branch, steps) for (key, branch), steps in batch.items() if steps]
                await points.store(session, run["id"], columns)
        return run["id"]

    return call


@pytest.fixture
def read(api):
    async def call(run_id, key, **parameters):
        response = await api.get(f"{RUNS}/{run_id}/metrics/{key}", params=parameters)
        assert response.status_code == 200, response.text
        return response.json()

    return call


def brute(steps, first, last, width):
    """What `read` must say, from the points themselves."""
    groups = {}
    for step in sorted(steps):
        if first <= step <= last:
            groups.setdefault(step // width, []).append(steps[step])
    answer = []
    for values in groups.values():
        finite = [value for value in values if math.isfinite(value)]
        answer.append(
            {
                "min": min(finite, default=None),
                "max": max(finite, default=None),
                "mean": sum(finite) / len(finite) if finite else None,
                "last": values[-1] if math.isfinite(values[-1]) else None,
                "num_nonfinite": len(values) - len(finite),
            }
        )
    return answer


def same(found, expected):
    assert len(found["steps"]) == len(expected)
    assert found["steps"] == sorted(found["steps"])
    for name in ("min", "max", "last", "num_nonfinite"):
        assert found[name] == [row[name] for row in expected], name
    for mean, row in zip(found["mean"], expected, strict=True):
        assert mean == pytest.approx(row["mean"]) if row["mean"] is not None else mean is None


def random_value(chance):
    odd = chance.random()
    return math.nan if odd < 0.02 else math.inf if odd < 0.03 else 1e308 if odd < 0.04 else chance.gauss(3, 1)


@pytest.mark.parametrize("seed", range(4))
async def test_any_range_and_zoom_equals_brute_force(send, read, seed):
    chance = random.Random(seed)
    truth, batches = {}, []
    length = chance.choice([40, 3000, 20_000])
    for number in range(6):  # some go behind what is there, some into it
        start = chance.randrange(length) if number in {2, 3} else max(truth, default=-1) + 1
        steps = chance.sample(range(start, start + length // 2 + 1), length // 4)  # out of order, some again
        batch = {step: random_value(chance) for step in steps}
        truth |= batch
        batches.append({("loss", 0): batch})
    run_id = await send(batches)
    for _ in range(25):
        first, last = sorted(chance.choices(range(max(truth) + 2), k=2))
        buckets = chance.choice([1, 2, 7, 100, 1999])
        (found,) = await read(run_id, "loss", from_step=first, to_step=last, buckets=buckets)
        expected = brute(truth, first, last, found["bucket_steps"])
        assert len(expected) <= max(buckets, 1)
        huge = [row for row in expected if row["max"] == 1e308]
        for row in huge:
            row["mean"] = None
        means = found["mean"]
        found["mean"] = [None if row in huge else mean for row, mean in zip(expected, means, strict=True)]
        same(found, expected)


async def test_roll_ups_hold_every_point_once(send, core):
    chance = random.Random(9)
    batch = {step: chance.random() for step in range(0, 70_000, 7)}
    again = dict.fromkeys(list(batch)[::3], -1.0)
    run_id = await send([{("a", 0): batch, ("b", 0): batch}, {("a", 0): again}, {("a", 0): again}])
    count = text(
        "SELECT s.key, r.level, sum(r.count)::int FROM metric_rollups r JOIN series s ON s.id = r.series_id "
        "WHERE s.run_id = :run_id GROUP BY 1, 2 ORDER BY 1, 2"
    )
    async with core.state.database.begin() as session:
        rows = [tuple(row) for row in await session.execute(count, {"run_id": run_id})]
    assert rows == [(key, level, len(batch)) for key in "ab" for level in range(1, NUM_LEVELS + 1)]


async def test_roll_ups_that_are_added_to_equal_those_made_anew(send, core):
    chance = random.Random(5)
    batches, step = [], 0
    for size in (1, 3, 12, 1, 250, 900, 5):
        batch = {}
        for _ in range(size):
            step += chance.choice([1, 1, 1, 2, 40])
            batch[step] = random_value(chance)
        batches.append(batch)
    whole = {step: value for batch in batches for step, value in batch.items()}
    added = await send([{("a", 0): batch, ("b", 0): batch} for batch in batches])
    anew = await send([{("a", 0): whole, ("b", 0): whole}] * 2)  # the second time it is written over
    rows = text(
        "SELECT s.key, s.num_points, s.first_step, s.last_step, level, bucket, min, max, count, nonfinite, "
        "last::text, r.last_step, sum FROM metric_rollups r JOIN series s ON s.id = r.series_id "
        "WHERE s.run_id = :run_id ORDER BY s.key, level, bucket"
    )
    async with core.state.database.begin() as session:
        ours = [tuple(row) for row in await session.execute(rows, {"run_id": added})]
        theirs = [tuple(row) for row in await session.execute(rows, {"run_id": anew})]
    assert [row[:-1] for row in ours] == [row[:-1] for row in theirs]
    assert [row[-1] for row in ours] == pytest.approx([row[-1] for row in theirs])


async def test_times_are_kept_to_the_microsecond(launch, report, core):
    run = await launch()
    moment = 1_700_000_000.123456
    column = {"key": "loss", "steps": [1, 2], "values": [1.0, "NaN"], "times": [moment, moment + 1]}
    await report(run["id"], state="running", metrics=[column])
    async with core.state.database.begin() as session:
        query = text("SELECT extract(epoch FROM time)::float8, value::text FROM metrics ORDER BY step")
        rows = [tuple(row) for row in await session.execute(query)]
    assert rows == [(pytest.approx(moment, abs=1e-6), "1"), (pytest.approx(moment + 1, abs=1e-6), "NaN")]


async def test_one_spike_among_many_is_seen_at_every_zoom(send, read):
    steps = dict.fromkeys(range(100_000), 2.0)
    steps[61_803] = 99.0
    run_id = await send([{("loss", 0): steps}])
    for buckets in (1, 3, 50, 500, 2000):
        (found,) = await read(run_id, "loss", buckets=buckets)
        assert max(found["max"]) == 99.0
        assert len(found["steps"]) <= buckets
    (near,) = await read(run_id, "loss", from_step=61_800, to_step=61_806)
    assert near["steps"] == list(range(61_800, 61_807))
    assert near["max"] == [2.0, 2.0, 2.0, 99.0, 2.0, 2.0, 2.0]


async def test_branches_apart_and_flattened(api, send, read):
    run_id = await send(
        [
            {("loss", 0): dict.fromkeys(range(100), 1.0)},
            {("loss", 1): dict.fromkeys(range(60, 130), 2.0)},
            {("loss", 2): dict.fromkeys(range(50, 55), 3.0)},
        ]
    )
    apart = await read(run_id, "loss")
    assert [(part["branch"], part["steps"][0], part["steps"][-1]) for part in apart] == [
        (0, 0, 99),
        (1, 60, 129),
        (2, 50, 54),
    ]
    (line,) = await read(run_id, "loss", flatten=True)
    assert line["steps"] == list(range(55))
    assert line["last"] == [1.0] * 50 + [3.0] * 5
    (info,) = (await api.get(f"{RUNS}/{run_id}/metrics")).json()
    assert (info["num_points"], info["first_step"], info["last_step"], info["last_value"]) == (175, 0, 54, 3.0)


async def test_ranges_outside_and_backwards(api, send, read):
    run_id = await send([{("loss/en", 0): {10: 1.0, 20: 2.0}}])
    (empty,) = await read(run_id, "loss/en", from_step=30, to_step=40)
    assert empty["steps"] == []
    (all_of_it,) = await read(run_id, "loss/en", from_step=0, to_step=2**60)
    assert all_of_it["steps"] == [10, 20]
    url = f"{RUNS}/{run_id}/metrics/loss/en"
    backwards = await api.get(url, params={"from_step": 5, "to_step": 4})
    assert backwards.status_code == 422
    assert (await api.get(f"{RUNS}/{run_id}/metrics/nope")).status_code == 404
    assert (await api.get(url, params={"buckets": 2001})).status_code == 422


def test_levels_are_what_the_documents_say():
    assert [1 << FACTOR_BITS * level for level in range(1, NUM_LEVELS + 1)] == [16, 256, 4096, 65_536]


async def test_times_of_first_points_stand_beside_their_buckets(api, launch, core, read):
    run = await launch()
    columns = [
        points.Points("loss", 0, list(range(100)), [1.0] * 100, [1.7e9 + step / 2 for step in range(100)]),
        points.Points("loss", 1, [50, 51], [2.0, 2.0], [1.8e9, 1.8e9 + 1]),
    ]
    async with core.state.database.begin() as session:
        await points.store(session, run["id"], columns)
    apart = await read(run["id"], "loss", buckets=10, times=True)
    assert apart[0]["times"] == [1.7e9 + step / 2 for step in apart[0]["steps"]]
    assert apart[1]["times"] == [1.8e9] and len(apart[1]["steps"]) == 1
    (line,) = await read(run["id"], "loss", flatten=True, times=True)
    assert line["times"][48:52] == [1.7e9 + 24, 1.7e9 + 24.5, 1.8e9, 1.8e9 + 1]
    (plain, _) = await read(run["id"], "loss", buckets=10)
    assert plain["times"] == []
