"""Datasets with samples, evaluations with items, and workers, through the real API."""

import hashlib
import json

import pytest
from sqlalchemy import text

from app.models import DatasetVersion, Evaluation, EvaluationItem, Run, new_id
from workers.specs import SPEC_VERSION

FUNNEL = [{"stage": "read", "documents": 10}, {"stage": "gopher_quality", "documents": 4}]


def sample(number, rule=None, language="en", body="Some words."):
    return {
        "document_id": f"d{number}", "source": f"a.warc#{number}", "url": None, "language": language, "rule": rule,
        "figure": 3.0 if rule else None, "threshold": 5.0 if rule else None, "span": [0, 4] if rule else None,
        "text": f"{body} {number}", "truncated": False,
    }  # fmt: skip


SAMPLES = [
    *(sample(n) for n in range(5)),
    *(sample(n, "gopher_quality.min_words", "fr", "Peu de mots, Éléphant.") for n in range(5, 9)),
    sample(9, "c4_quality.curly_bracket", "en", "<script>alert(1)</script>"),
]


async def put_version(worker, database, name, version, content, files=("samples.jsonl",)):
    sha256 = hashlib.sha256(content).hexdigest()
    assert (await worker.put(f"/api/v1/blobs/{sha256}", content=content)).status_code == 204
    digest = "sha256:" + hashlib.sha256(f"{name}{version}".encode()).hexdigest()
    row = DatasetVersion(
        digest=digest, name=name, version=version, lineage={"spec_hash": "x"}, statistics={"funnel": FUNNEL},
        files=[{"path": path, "sha256": sha256, "num_bytes": len(content)} for path in files],
    )  # fmt: skip
    async with database.begin() as session:
        session.add(row)
    return digest


def lines(samples):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in samples).encode()


@pytest.fixture
async def digest(worker, database):
    return await put_version(worker, database, "web/docs", 1, lines(SAMPLES))


async def read_all(client, url, **parameters):
    items, cursor = [], None
    for _ in range(50):
        answer = await client.get(url, params={**parameters, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return items
    raise AssertionError("the list does not end")


async def test_names_versions_and_funnel(admin, worker, database, digest):
    second = await put_version(worker, database, "web/docs", 2, b"{}")
    await put_version(worker, database, "other", 1, b"{}")
    latest = await read_all(admin, "/api/v1/datasets", limit=1)
    assert [(one["name"], one["version"]) for one in latest] == [("other", 1), ("web/docs", 2)]
    versions = await read_all(admin, "/api/v1/datasets/web/docs/versions", limit=1)
    assert [one["digest"] for one in versions] == [second, digest]
    one = (await admin.get(f"/api/v1/datasets/versions/{digest}")).json()
    assert one["statistics"]["funnel"] == FUNNEL
    assert (await admin.get(f"/api/v1/datasets/versions/{digest}/funnel")).json() == FUNNEL
    assert (await admin.get("/api/v1/datasets/nothing/versions")).status_code == 404
    assert (await admin.get(f"/api/v1/datasets/versions/sha256:{'0' * 64}")).status_code == 404


async def test_samples_by_rule_language_and_words(admin, digest):
    url = f"/api/v1/datasets/versions/{digest}/samples"
    assert len(await read_all(admin, url, limit=3)) == 10
    kept = await read_all(admin, url, kept=True, limit=2)
    assert [one["document_id"] for one in kept] == ["d0", "d1", "d2", "d3", "d4"]
    assert {one["rule"] for one in await read_all(admin, url, kept=False)} == {
        "gopher_quality.min_words", "c4_quality.curly_bracket",
    }  # fmt: skip
    assert len(await read_all(admin, url, rule="gopher_quality")) == 4
    assert len(await read_all(admin, url, rule="gopher_quality.min_words", language="fr")) == 4
    assert await read_all(admin, url, rule="gopher_qual") == []
    assert await read_all(admin, url, rule="gopher_quality", kept=True) == []
    found = await read_all(admin, url, q="éléphant", limit=1)
    assert [one["document_id"] for one in found] == ["d5", "d6", "d7", "d8"]
    assert found[0]["figure"] == 3.0
    assert found[0]["span"] == [0, 4]
    hostile = await read_all(admin, url, q="<script>")
    assert hostile[0]["text"].startswith("<script>alert(1)</script>")


async def test_samples_are_read_again_after_the_cache_was_emptied(admin, digest, settings):
    url = f"/api/v1/datasets/versions/{digest}/samples"
    assert len(await read_all(admin, url)) == 10
    cached = list((settings.home / "cache" / "samples").glob("*.jsonl"))
    assert len(cached) == 1
    cached[0].unlink()
    assert len(await read_all(admin, url)) == 10


async def test_versions_without_samples_and_with_damaged_ones_say_so(admin, worker, database):
    bare = await put_version(worker, database, "bare", 1, b"x", files=["dataset.json"])
    assert (await admin.get(f"/api/v1/datasets/versions/{bare}/samples")).status_code == 404
    broken = await put_version(worker, database, "broken", 1, b'{"rule": 1}\n{"cut')
    answer = await admin.get(f"/api/v1/datasets/versions/{broken}/samples")
    assert answer.status_code == 502
    assert "unreadable" in answer.json()["detail"]


async def test_cursors_that_are_none_of_ours_are_refused(admin, digest):
    for path in ("/datasets", "/evaluations", f"/datasets/versions/{digest}/samples", "/datasets/web/docs/versions"):
        for cursor in ("nonsense!", "bm8", "WzEsMiwzXQ", "W251bGxd", "W3RydWVd", "=", "é"):
            answer = await admin.get(f"/api/v1{path}", params={"cursor": cursor})
            assert answer.status_code == 422, (path, cursor)
            assert answer.json()["errors"][0]["pointer"] == "/query/cursor"


@pytest.fixture
async def evaluations(app, database):
    """Three evaluations of one run and one of another."""
    runs = [
        Run(id=new_id(), name=name, kind="evaluation", spec={}, spec_hash="x", pool="cpu", state="completed")
        for name in ("first", "other")
    ]
    ids = []
    async with database.begin() as session:
        session.add_all(runs)
        await session.flush()
        for run, task in [(0, "bits_per_byte"), (0, "cloze"), (1, "cloze")]:
            ids.append(new_id())
            session.add(
                Evaluation(
                    id=ids[-1],
                    run_id=runs[run].id,
                    task=task,
                    metric="accuracy",
                    value=0.5,
                    low=0.4,
                    high=0.6,
                    chance=0.25,
                    num_items=7,
                    slices={"en": {"value": 0.5}},
                )
            )
        await session.flush()
        session.add_all(
            EvaluationItem(
                evaluation_id=ids[1],
                item_id=f"i{n}",
                slice="en" if n % 2 else "fr",
                score=-n,
                correct=n > 3,
                data={"n": n},
            )
            for n in range(7)
        )
    return runs[0].id, ids


async def test_evaluations_by_run_and_task(admin, evaluations):
    run_id, ids = evaluations
    url = "/api/v1/evaluations"
    assert {one["id"] for one in await read_all(admin, url, limit=1)} == set(ids)
    found = await read_all(admin, url, run_id=run_id)
    assert {one["task"] for one in found} == {"bits_per_byte", "cloze"}
    assert found[0]["run_name"] == "first"
    assert len(await read_all(admin, url, task="cloze", run_id=run_id)) == 1
    items = await read_all(admin, f"{url}/{ids[1]}/items", limit=2)
    assert [one["item_id"] for one in items] == [f"i{n}" for n in range(7)]
    wrong = await read_all(admin, f"{url}/{ids[1]}/items", correct=False, slice="en")
    assert [one["item_id"] for one in wrong] == ["i1", "i3"]
    assert wrong[0]["data"] == {"n": 1}
    assert (await admin.get(f"{url}/nothing/items")).status_code == 404


def hello(**changes):
    fields = {"name": "w1", "pool": "cpu", "host": "box", "version": "0.1.0", "spec_version": SPEC_VERSION}
    return fields | {"resources": {"cpus": 2}} | changes


async def test_workers_are_online_for_thirty_seconds(admin, worker, database):
    answer = await worker.post("/api/v1/workers/hello", json=hello())
    assert answer.json() == {
        "accepted": True, "spec_version": SPEC_VERSION, "prefect_api_url": "/api/v1/prefect/api",
    }  # fmt: skip
    await worker.post("/api/v1/workers/hello", json=hello())
    await worker.post("/api/v1/workers/hello", json=hello(name="w2", pool="gpu"))
    workers = (await admin.get("/api/v1/workers")).json()["items"]
    assert [(one["name"], one["state"]) for one in workers] == [("w1", "online"), ("w2", "online")]
    assert workers[0]["resources"] == {"cpus": 2}
    async with database.begin() as session:
        await session.execute(text("UPDATE workers SET last_seen_at = now() - interval '31 s' WHERE name = 'w1'"))
    workers = (await admin.get("/api/v1/workers")).json()["items"]
    assert [(one["name"], one["state"]) for one in workers] == [("w2", "online"), ("w1", "offline")]
    parts = {part["name"]: part for part in (await admin.get("/api/v1/health")).json()["parts"]}
    assert parts["workers:gpu"]["ok"]
    assert not parts["workers:cpu"]["ok"]


async def test_a_worker_of_another_spec_version_is_told_who_upgrades(worker, admin):
    older = await worker.post("/api/v1/workers/hello", json=hello(spec_version=SPEC_VERSION - 1))
    assert older.status_code == 409
    assert "Upgrade the worker" in older.json()["detail"]
    newer = await worker.post("/api/v1/workers/hello", json=hello(spec_version=SPEC_VERSION + 1, version="9.9"))
    assert newer.status_code == 409
    assert "Upgrade the service to Headrace 9.9" in newer.json()["detail"]
    assert (await admin.get("/api/v1/workers")).json()["items"] == []
