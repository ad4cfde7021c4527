"""Garbage collection through the real API, on a folder and on S3 (moto's server)."""

import asyncio
import hashlib
import os
import time
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import text

from app.models import Artifact, DatasetVersion, Run, new_id
from app.queries import blobs as queries
from app.services import collection
from app.services.blobs import FolderStore, S3Store, StoredBlob, build_store
from app.settings import Settings

OLD = 3 * 86_400


@pytest.fixture(scope="module")
def s3_endpoint():
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        os.environ.setdefault(f"AWS_{name}", value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="blobs")
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def settings(request, settings):
    if request.param == "folder":
        return settings
    endpoint = request.getfixturevalue("s3_endpoint")
    changes = {"storage": f"s3://blobs/{settings.home.parent.name}", "s3_endpoint_url": endpoint}
    return Settings(**(settings.model_dump() | changes))


@pytest.fixture
def aged(settings, monkeypatch):
    """Blobs look three days old until they are named here as young (an S3 server's clock cannot be set)."""
    young = set()
    kind = S3Store if settings.storage.startswith("s3://") else FolderStore
    original = kind.listing

    async def listing(self, prefix):
        found = await original(self, prefix)
        return [b if b.sha256 in young else StoredBlob(b.sha256, b.num_bytes, b.modified - OLD) for b in found]

    monkeypatch.setattr(kind, "listing", listing)
    return young


async def put(worker, content):
    sha256 = hashlib.sha256(content).hexdigest()
    assert (await worker.put(f"/api/v1/blobs/{sha256}", content=content)).status_code == 204
    return sha256


def file(sha256, path="f"):
    return {"path": path, "sha256": sha256, "num_bytes": 1}


async def put_run(database, state="completed", spec=None, started=None):
    run_id = new_id()
    async with database.begin() as session:
        session.add(Run(id=run_id, name="r", kind="training", spec=spec or {}, spec_hash="x", pool="cpu", state=state))
        if started:
            await session.flush()
            await session.execute(text(f"UPDATE runs SET started_at = now() - interval '{started}'"))
    return run_id


async def put_artifact(database, worker, run_id, kind, names, name="a"):
    """An artifact of these blobs; its digest is that of a blob, as the manifest's is."""
    digest = "sha256:" + await put(worker, f"manifest {kind} {name}".encode())
    row = Artifact(run_id=run_id, attempt=1, kind=kind, name=name, digest=digest, files=[file(n) for n in names])
    async with database.begin() as session:
        session.add(row)
    return digest


async def put_version(database, digest, names, version=1, lineage=None):
    async with database.begin() as session:
        session.add(
            DatasetVersion(
                digest=digest, name="web/docs", version=version, statistics={"n": 1}, files=[file(n) for n in names],
                lineage=lineage or {},
            )
        )  # fmt: skip


async def collect(admin, **request):
    """All steps; the sums of their counts."""
    total, cursor = {}, None
    while True:
        answer = await admin.post("/api/v1/gc", json={**request, "cursor": cursor})
        assert answer.status_code == 200, answer.text
        step = answer.json()
        for key, value in step.items():
            if isinstance(value, int):
                total[key] = total.get(key, 0) + value
        cursor = step["next_cursor"]
        if cursor is None:
            return total


async def there(worker, *names):
    return [(await worker.head(f"/api/v1/blobs/{name}")).status_code == 200 for name in names]


async def test_only_blobs_that_nothing_names_go_and_a_dry_run_changes_nothing(admin, worker, database, aged):
    shared, own, loose, fresh = [await put(worker, name.encode()) for name in ("shared", "own", "loose", "fresh")]
    aged.add(fresh)
    run_id = await put_run(database)
    first = await put_artifact(database, worker, run_id, "checkpoint", [shared, own], "one")
    second = await put_artifact(database, worker, run_id, "checkpoint", [shared], "two")
    seen = await collect(admin)
    assert (seen["blobs"], seen["referenced"], seen["shared"]) == (6, 4, 1)
    assert (seen["young"], seen["garbage"], seen["deleted"]) == (1, 1, 0)
    assert all(await there(worker, shared, own, loose, fresh))
    done = await collect(admin, apply=True)
    assert (done["deleted"], done["deleted_bytes"]) == (1, len("loose"))
    manifests = [digest.removeprefix("sha256:") for digest in (first, second)]
    assert await there(worker, shared, own, loose, fresh, *manifests) == [True, True, False, True, True, True]
    assert (await collect(admin, apply=True))["deleted"] == 0


async def test_a_deleted_version_frees_what_no_other_names_and_keeps_its_lineage(admin, worker, database, aged):
    shared, old, new, page = [await put(worker, name.encode()) for name in ("s", "old", "new", "page")]
    run_id = await put_run(database)
    documents = await put_artifact(database, worker, run_id, "other", [page], "documents")
    lineage = {"documents": documents, "spec": "abc"}
    first = await put_artifact(database, worker, run_id, "dataset", [shared, old], "v1")
    second = await put_artifact(database, worker, run_id, "dataset", [shared, new], "v2")
    await put_version(database, first, [shared, old], 1, lineage)
    await put_version(database, second, [shared, new], 2, lineage)
    url = f"/api/v1/datasets/versions/{first}"
    wrong = await admin.delete(url, params={"confirm": "web/docs@2"})
    assert wrong.status_code == 422
    assert "web/docs@1" in wrong.json()["errors"][0]["message"]
    assert (await admin.delete(url, params={"confirm": "web/docs@1"})).status_code == 204
    kept = (await admin.get(url)).json()
    assert kept["lineage"] == lineage and kept["statistics"] == {"n": 1} and kept["deleted_at"]
    listed = (await admin.get("/api/v1/datasets/web/docs/versions")).json()["items"]
    assert [one["version"] for one in listed] == [2]
    await collect(admin, apply=True)
    assert await there(worker, shared, old, new, page) == [True, False, True, True]
    await admin.delete(f"/api/v1/datasets/versions/{second}", params={"confirm": "web/docs@2"})
    await collect(admin, apply=True)
    assert await there(worker, shared, new, page, documents.removeprefix("sha256:")) == [False, False, False, False]


async def test_a_version_that_a_run_uses_is_deleted_by_force_alone(admin, worker, database):
    digest = await put_artifact(database, worker, await put_run(database), "dataset", [], "v")
    await put_version(database, digest, [])
    user = await put_run(database, "queued", {"mixture": [{"dataset": digest, "weight": 1}]})
    url, confirm = f"/api/v1/datasets/versions/{digest}", {"confirm": "web/docs@1"}
    answer = await admin.delete(url, params=confirm)
    assert answer.status_code == 409
    assert user in answer.json()["detail"]
    assert (await admin.delete(url, params=confirm | {"force": True})).status_code == 204


async def test_what_a_run_that_still_runs_stored_is_left_alone(admin, worker, database, aged):
    loose = await put(worker, b"on its way")
    await put_run(database, "running", started="5 days")
    assert (await collect(admin, apply=True))["young"] == 1
    assert await there(worker, loose) == [True]
    async with database.begin() as session:
        await session.execute(text("UPDATE runs SET state = 'completed'"))
    assert (await collect(admin, apply=True))["deleted"] == 1


async def test_an_upload_beside_the_collection_survives(admin, worker, database, aged, settings):
    """The worker finds the blob there and goes on, while the collection has it on its list already."""
    name = await put(worker, b"there before")
    store = build_store(settings)
    async with database.begin() as session:
        await queries.collect(session, [name])  # noted, not yet deleted
    assert (await worker.post(f"/api/v1/blobs/{name}/touch")).status_code == 204
    assert await collection._delete(database, store, [name]) == []
    assert await there(worker, name) == [True]
    async with database.begin() as session:
        await queries.collect(session, [name])
    assert await collection._delete(database, store, [name]) == [name]
    assert (await worker.post(f"/api/v1/blobs/{name}/touch")).status_code == 404
    assert await put(worker, b"there before") == name
    assert await there(worker, name) == [True]


async def test_a_collection_waits_for_the_artifact_that_is_being_recorded(database, worker, settings, aged):
    name = await put(worker, b"claimed")
    store = build_store(settings)
    run_id = await put_run(database)
    digest = "sha256:" + await put(worker, b"its manifest")
    protocol = {"kind": "checkpoint", "name": "a", "digest": digest, "files": [file(name)]}
    async with database.begin() as session:
        await queries.collect(session, [name])
    async with database.begin() as session:
        await collection.claim(session, store, collection.Artifact.model_validate(protocol))
        deleting = asyncio.create_task(collection._delete(database, store, [name]))
        await asyncio.sleep(0.3)
        assert not deleting.done()
        session.add(
            Artifact(run_id=run_id, attempt=1, kind="checkpoint", name="a", digest=digest, files=protocol["files"])
        )
    assert await deleting == []
    assert await there(worker, name) == [True]


async def test_a_collection_that_was_cut_off_is_taken_up(admin, worker, database, aged, settings, monkeypatch):
    names = [await put(worker, f"loose {n}".encode()) for n in range(3)]
    store_kind = type(build_store(settings))
    original = store_kind.delete

    async def cut(self, sha256s):
        raise ConnectionResetError("the machine went away")

    monkeypatch.setattr(store_kind, "delete", cut)
    assert (await admin.post("/api/v1/gc", json={"apply": True})).status_code == 503
    assert all(await there(worker, *names))
    monkeypatch.setattr(store_kind, "delete", original)
    run_id = await put_run(database)
    await worker.post(f"/api/v1/blobs/{names[0]}/touch")  # stored again by a worker that knows nothing of it
    aged.add(names[0])
    await put_artifact(database, worker, run_id, "checkpoint", [names[0]])
    assert (await collect(admin, apply=True))["deleted"] == 2
    assert await there(worker, *names) == [True, False, False]


async def test_an_artifact_of_a_deleted_blob_is_refused_so_that_it_is_stored_again(admin, worker, database, settings):
    name = await put(worker, b"gone")
    run_id = await put_run(database, "running", started="1 minute")
    async with database.begin() as session:
        await queries.collect(session, [name])
    await collection._delete(database, build_store(settings), [name])
    artifact = {"kind": "checkpoint", "name": "c", "digest": "sha256:" + "1" * 64, "files": [file(name)]}
    batch = {"attempt": 1, "source": "worker", "seq": 0, "artifacts": [artifact]}
    answer = await worker.post(f"/api/v1/ingest/runs/{run_id}", json=batch)
    assert answer.status_code == 409
    assert "store the artifact again" in answer.json()["detail"]
    await put(worker, b"gone")
    assert (await worker.post(f"/api/v1/ingest/runs/{run_id}", json=batch)).status_code == 200


async def test_broken_uploads_are_swept_when_they_are_old(admin, worker, settings):
    if settings.storage.startswith("s3://"):
        return  # unfinished uploads are no objects there
    await put(worker, b"x")
    folder = Path(settings.storage) / "ab"
    folder.mkdir(exist_ok=True)
    old, young = folder / ".old.partial", folder / ".young.partial"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (time.time() - OLD, time.time() - OLD))
    await collect(admin, apply=True)
    assert (old.exists(), young.exists()) == (False, True)


async def test_the_grace_period_has_a_floor(admin):
    assert (await admin.post("/api/v1/gc", json={"apply": True, "grace_hours": 0})).status_code == 422
    assert (await admin.post("/api/v1/gc", json={"cursor": "WzMwMF0"})).status_code == 422
