"""Two evaluations item by item, against a brute-force count."""

import math
import random
import statistics

import pytest

BASE = "/api/v1"


@pytest.fixture
async def scored(launch, report, worker_api):
    """Report an evaluation with items; its id."""

    async def call(name, task, items, metric="accuracy"):
        run = await launch(spec={"kind": "evaluation", "name": name})
        result = {"task": task, "metric": metric, "value": 0.5, "low": 0.4, "high": 0.6, "num_items": len(items)}
        artifact = {
            "kind": "evaluation", "name": name, "digest": "sha256:" + name[0] * 64, "files": [],
            "metadata": {"results": [result | {"chance": None, "slices": {}}]},
        }  # fmt: skip
        answer = await report(run["id"], state="running", artifacts=[artifact])
        assert answer.status_code == 200, answer.text
        body = {"attempt": 1, "task": task, "items": items}
        answer = await worker_api.post(f"{BASE}/ingest/runs/{run['id']}/evaluation-items", json=body)
        assert answer.is_success, answer.text
        return run["id"]

    return call


def item(number, slice_name, score, correct):
    return {"item_id": f"i{number:03}", "slice": slice_name, "score": score, "correct": correct, "data": {"n": number}}


async def evaluation_id(api, run_id):
    return (await api.get(f"{BASE}/evaluations", params={"run_id": run_id})).json()["items"][0]["id"]


async def test_differences_and_pairs_are_those_of_the_items(api, scored):
    rng = random.Random(5)
    a = {n: item(n, "en" if n % 3 else "de", rng.random(), rng.random() < 0.6) for n in range(60)}
    b = {n: item(n, "en" if n % 3 else "de", rng.random(), rng.random() < 0.4) for n in range(10, 75)}
    one = await evaluation_id(api, await scored("a", "cloze", list(a.values())))
    two = await evaluation_id(api, await scored("b", "cloze", list(b.values())))
    url = f"{BASE}/evaluations/{one}/against/{two}"
    answer = (await api.get(url)).json()
    both = sorted(a.keys() & b.keys())
    for row, numbers in [
        (answer["whole"], both),
        *((row, [n for n in both if a[n]["slice"] == row["slice"]]) for row in answer["slices"]),
    ]:
        differences = [int(a[n]["correct"]) - int(b[n]["correct"]) for n in numbers]
        half = 1.96 * statistics.stdev(differences) / math.sqrt(len(differences))
        assert row["num_items"] == len(numbers)
        assert row["difference"] == pytest.approx(statistics.mean(differences))
        assert (row["low"], row["high"]) == pytest.approx((row["difference"] - half, row["difference"] + half))
        assert row["only_a"] == sum(d == 1 for d in differences)
        assert row["only_b"] == sum(d == -1 for d in differences)
        assert row["both_right"] + row["both_wrong"] == differences.count(0)
    assert [row["slice"] for row in answer["slices"]] == ["en", "de"]

    wanted = [n for n in both if a[n]["slice"] == "en" and not a[n]["correct"] and b[n]["correct"]]
    wanted.sort(key=lambda n: -abs(a[n]["score"] - b[n]["score"]))
    seen, cursor = [], None
    while True:
        query = {"slice": "en", "outcome": "only_b", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(f"{url}/items", params=query)).json()
        seen += [pair["a"]["data"]["n"] for pair in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == wanted and len(wanted) > 2


async def test_different_tasks_and_unknown_ones_are_refused(api, scored):
    one = await evaluation_id(api, await scored("a", "cloze", [item(1, "en", 0.5, True)]))
    two = await evaluation_id(api, await scored("b", "other", [item(1, "en", 0.5, True)]))
    assert (await api.get(f"{BASE}/evaluations/{one}/against/{two}")).status_code == 422
    assert (await api.get(f"{BASE}/evaluations/{one}/against/nothing/items")).status_code == 404
    alone = (await api.get(f"{BASE}/evaluations/{one}/against/{one}")).json()
    assert alone["whole"]["low"] is None  # one item has no spread
