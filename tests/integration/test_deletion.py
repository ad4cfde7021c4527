"""Deleting runs through the real API: what goes, what stays, what is refused, and a crash in between."""

import hashlib

import pytest
from sqlalchemy import text

from app.queries import deletion as queries
from app.services import deletion
from app.services.blobs import FolderStore, StoredBlob, build_store
from workers.specs.events import RunState

RUNS = "/api/v1/runs"
TABLES = [
    "runs", "attempts", "events", "findings", "interventions", "commands", "artifacts", "series", "metrics",
    "metric_rollups", "ingest_batches", "evaluations", "evaluation_items",
]  # fmt: skip


@pytest.fixture
def counts(core):
    """Number of rows in each table that holds something of runs."""

    async def call():
        async with core.state.database.begin() as session:
            found = {table: await session.scalar(text(f"SELECT count(*) FROM {table}")) for table in TABLES}
        return {table: count for table, count in found.items() if count}

    return call


@pytest.fixture
def old_blobs(monkeypatch):
    """All blobs look three days old."""
    original = FolderStore.listing

    async def listing(self, prefix):
        return [StoredBlob(b.sha256, b.num_bytes, b.modified - 3 * 86_400) for b in await original(self, prefix)]

    monkeypatch.setattr(FolderStore, "listing", listing)


@pytest.fixture
def put(worker_api):
    async def call(content):
        sha256 = hashlib.sha256(content).hexdigest()
        assert (await worker_api.put(f"/api/v1/blobs/{sha256}", content=content)).status_code == 204
        return sha256

    return call


@pytest.fixture
def make_run(api, launch, report, put, worker_api):
    """A completed run with something in every table, and the blobs that it made."""

    async def call(name="toy", shared=(), **changes):
        run = await launch(name=name, **changes)
        own, manifest = await put(f"weights of {run['id']}".encode()), await put(f"manifest of {run['id']}".encode())
        files = [{"path": sha256, "sha256": sha256, "num_bytes": 1} for sha256 in (own, *shared)]
        result = {"task": "cloze", "metric": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6}
        artifacts = [
            {"kind": "checkpoint", "name": "step-1", "digest": f"sha256:{manifest}", "files": files},
            {"kind": "evaluation", "name": "e", "digest": f"sha256:{manifest}", "metadata": {"results": [result]}},
        ]
        steps = list(range(3000))
        await report(run["id"], state="running", logs=[{"message": "hello"}])
        await api.post(f"{RUNS}/{run['id']}/commands", json={"kind": "checkpoint"})
        batch = {
            "metrics": [{"key": key, "steps": steps, "values": [1.0] * len(steps)} for key in ("loss", "lr")],
            "findings": [{"id": "f", "detector": "d", "step": 1, "message": "m"}],
            "interventions": [{"id": "i", "step": 1, "action": "a"}],
        }
        assert (await report(run["id"], artifacts=artifacts, **batch)).status_code == 200
        items = [{"item_id": str(i), "slice": "en", "score": 1.0} for i in range(5)]
        url = f"/api/v1/ingest/runs/{run['id']}/evaluation-items"
        assert (await worker_api.post(url, json={"attempt": 1, "task": "cloze", "items": items})).status_code == 200
        assert (await report(run["id"], state="completed")).status_code == 200
        return run | {"blobs": [own, manifest], "digest": f"sha256:{manifest}"}

    return call


def delete(api, run, confirm=None):
    return api.delete(f"{RUNS}/{run['id']}", params={"confirm": run["name"] if confirm is None else confirm})


async def test_all_of_a_run_goes_and_nothing_of_another(api, worker_api, make_run, put, counts, old_blobs):
    shared = await put(b"shared")
    kept = await make_run("kept", [shared])
    before = await counts()
    assert set(before) == set(TABLES), "the run of this test must have a row in every table"
    run = await make_run("gone", [shared])
    refused = await delete(api, run, confirm="other")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/confirm")
    assert (await delete(api, run)).status_code == 204
    assert await counts() == before
    assert (await api.get(f"{RUNS}/{run['id']}")).status_code == 404
    assert (await delete(api, run)).status_code == 404
    there = [(await worker_api.head(f"/api/v1/blobs/{name}")).status_code == 200 for name in (*run["blobs"], shared)]
    assert there == [False, False, True]
    assert (await api.get(f"{RUNS}/{kept['id']}/metrics/loss")).json()[0]["steps"]


async def test_a_parent_goes_with_its_descendants_once_all_have_ended(api, launch, report, make_run, counts):
    parent = await launch(name="parent", spec={"kind": "pipeline"})
    child = await make_run("child", parent_id=parent["id"])
    in_use = await delete(api, child)
    assert (in_use.status_code, in_use.json()["type"].rpartition("/")[2]) == (409, "run-in-use")
    active = await delete(api, parent)
    assert (active.status_code, active.json()["type"].rpartition("/")[2]) == (409, "run-active")
    assert "cancel" in active.json()["detail"]
    await report(parent["id"], source="flow", state="running")
    await report(parent["id"], source="flow", state="completed")
    assert (await delete(api, parent)).status_code == 202  # its files are young
    assert await counts() == {}


@pytest.mark.parametrize("state", ["queued", "running", "paused", "cancelling"])
async def test_a_run_that_has_not_ended_is_refused_and_can_be_cancelled(api, launch, report, state):
    run = await launch()
    if state != "queued":
        await report(run["id"], state="running")
    if state == "paused":
        await report(run["id"], state="paused")
    if state == "cancelling":
        await api.post(f"{RUNS}/{run['id']}/cancel")
    assert (await api.get(f"{RUNS}/{run['id']}")).json()["state"] == state
    assert (await delete(api, run)).status_code == 409
    cancelled = await api.post(f"{RUNS}/{run['id']}/cancel")
    expected = "cancelled" if state == "queued" else "cancelling"
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, expected)
    if state != "queued":
        await report(run["id"], source="flow", state="cancelled")
    again = await api.post(f"{RUNS}/{run['id']}/cancel")
    assert (again.status_code, again.json()["state"]) == (202, "cancelled")
    assert (await delete(api, run)).status_code == 204


@pytest.mark.parametrize("state", ["completed", "failed", "crashed", "cancelled"])
async def test_cancelling_what_has_ended_changes_nothing(api, launch, report, state):
    run = await launch(max_attempts=1)
    await report(run["id"], state="running")
    if state == "cancelled":
        await api.post(f"{RUNS}/{run['id']}/cancel")
    await report(run["id"], source="flow", state=state)
    assert RunState(state).terminal
    assert (await api.post(f"{RUNS}/{run['id']}/cancel")).json()["state"] == state


async def test_what_others_need_is_refused_with_their_names(api, make_run, launch, report, core):
    run = await make_run("teacher")
    user = await launch(name="user", spec={"kind": "evaluation", "checkpoint": run["digest"]})
    refused = await delete(api, run)
    assert refused.status_code == 409
    assert user["id"] in refused.json()["detail"]
    await report(user["id"], source="flow", state="failed", error="x")
    release = await launch(name="shipped", spec={"kind": "release", "checkpoint": run["digest"]})
    await report(release["id"], state="running")
    shipped = {"kind": "release", "name": "model", "digest": "sha256:" + "a" * 64}
    assert (await report(release["id"], artifacts=[shipped], state="completed")).status_code == 200
    assert "release" in (await delete(api, run)).json()["detail"]
    assert (await delete(api, release)).status_code == 204
    assert (await delete(api, run)).status_code == 202


async def test_a_dataset_keeps_its_run_until_it_is_deleted(api, launch, report):
    run = await launch(name="corpus run", spec={"kind": "curation"})
    digest = "sha256:" + "d" * 64
    await report(run["id"], state="running")
    await report(run["id"], artifacts=[{"kind": "dataset", "name": "web", "digest": digest}], state="completed")
    assert "web@1" in (await delete(api, run)).json()["detail"]
    assert (await api.delete(f"/api/v1/datasets/versions/{digest}", params={"confirm": "web@1"})).status_code == 204
    assert (await delete(api, run)).status_code == 204
    assert (await api.get(f"/api/v1/datasets/versions/{digest}")).json()["run_id"] is None


async def test_a_deletion_that_was_cut_off_is_hidden_and_taken_up_again(api, core, make_run, counts, monkeypatch):
    monkeypatch.setattr(queries, "_MAX_POINTS", 1000)
    run = await make_run("long")
    database, store = core.state.database, build_store(core.state.settings)
    async with database.begin() as session:
        operation_id = await deletion.request(session, run["id"], "long", "me")
    status = await deletion.proceed(database, store, operation_id, 0.0)
    assert status.state == "running"
    assert (await counts())["metrics"] == 6000
    assert (await api.get(f"{RUNS}/{run['id']}")).status_code == 404
    assert (await api.get(RUNS)).json()["items"] == []
    assert (await api.get("/api/v1/evaluations")).json()["items"] == []
    assert (await delete(api, run)).status_code == 404
    await core.state.upkeep.look()
    assert await counts() == {}
    seen = (await api.get(f"/api/v1/operations/{operation_id}")).json()
    assert (seen["state"], seen["target"]) == ("running", run["id"])
    assert "2 files" in seen["detail"], "young files wait: a run may be about to name them"


async def test_a_zombie_of_a_deleted_run_is_told_to_stop(api, launch, report):
    run = await launch()
    await api.post(f"{RUNS}/{run['id']}/cancel")
    assert (await delete(api, run)).status_code == 204
    assert (await report(run["id"], source="worker.heartbeat")).status_code == 409
