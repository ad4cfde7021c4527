"""Labels through the real API: set, set anew, taken back, listed, counted, exported; and who may do what."""

import hashlib
import json

import pytest

from app.models import DatasetVersion
from workers.curation.quality.labels import read_labels
from workers.specs.curation.quality import FileLabels

URL = "/api/v1/labels"


@pytest.fixture
async def dataset(database):
    digest = "sha256:" + hashlib.sha256(b"labelled").hexdigest()
    async with database.begin() as session:
        session.add(DatasetVersion(digest=digest, name="docs", version=1, lineage={}, statistics={}, files=[]))
    return digest


async def client_with(role, admin):
    """Headers of a new token."""
    made = (await admin.post("/api/v1/tokens", json={"name": f"a {role}", "role": role})).json()
    return {"Authorization": f"Bearer {made['token']}"}


async def put(client, dataset, document_id, score, **arguments):
    body = {"dataset": dataset, "document_id": document_id, "score": score}
    return await client.post(URL, json=body, **arguments)


async def read_all(client, dataset, limit):
    items, cursor = [], None
    for _ in range(20):
        parameters = {"dataset": dataset, "limit": limit, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(URL, params=parameters)).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items
    raise AssertionError("the list does not end")


async def test_a_label_is_set_replaced_and_taken_back(admin, dataset):
    first = await put(admin, dataset, "d/1", 4)
    assert first.status_code == 200, first.text
    assert first.json() | {"created_at": ""} == {
        "dataset": dataset, "document_id": "d/1", "score": 4, "author": "bootstrap-admin", "created_at": "",
    }  # fmt: skip
    second = (await put(admin, dataset.removeprefix("sha256:"), "d/1", 0)).json()
    assert (second["score"], second["dataset"]) == (0, dataset)
    assert second["created_at"] > first.json()["created_at"]
    assert [(one["document_id"], one["score"]) for one in await read_all(admin, dataset, 50)] == [("d/1", 0)]
    assert (await admin.delete(f"{URL}/{dataset}/d/1")).status_code == 204
    assert await read_all(admin, dataset, 50) == []
    assert (await admin.delete(f"{URL}/{dataset}/d/1")).status_code == 404


async def test_lists_the_latest_first_over_pages_and_counts(admin, dataset):
    for number in range(7):
        await put(admin, dataset, f"d{number}", number % 6)
    await put(admin, dataset, "d0", 5)
    found = await read_all(admin, dataset, 2)
    assert [one["document_id"] for one in found] == ["d0", "d6", "d5", "d4", "d3", "d2", "d1"]
    summary = (await admin.get(f"{URL}/summary", params={"dataset": dataset})).json()
    assert summary == {
        "dataset": dataset, "num_labels": 7, "counts": {"0": 1, "1": 1, "2": 1, "3": 1, "4": 1, "5": 2},
    }  # fmt: skip
    other = "sha256:" + "0" * 64
    empty = (await admin.get(f"{URL}/summary", params={"dataset": other})).json()
    assert (empty["num_labels"], set(empty["counts"].values())) == (0, {0})


async def test_the_export_is_what_a_scorer_reads(admin, dataset, tmp_path):
    ids = [f"d{number:04}" for number in range(1203)]  # more than one chunk of the query
    for document_id in ids:
        assert (await put(admin, dataset, document_id, int(document_id[1:]) % 6)).status_code == 200
    answer = await admin.get(f"{URL}/export", params={"dataset": dataset})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line)["document_id"] for line in answer.text.splitlines()] == ids
    (tmp_path / "samples.jsonl").write_text(
        "".join(json.dumps({"document_id": one, "text": f"text of {one}"}) + "\n" for one in ids[:1200])
    )
    (tmp_path / "labels.jsonl").write_text(answer.text)
    labels, bad = read_labels(FileLabels(path=str(tmp_path / "labels.jsonl"), dataset=str(tmp_path)))
    assert (len(labels), labels[7].text, labels[7].score) == (1200, "text of d0007", 1.0)
    assert [(one.line, one.reason) for one in bad] == [(n, "unknown_document") for n in (1201, 1202, 1203)]


async def test_roles(admin, anonymous, dataset):
    headers = {role: await client_with(role, admin) for role in ("viewer", "operator", "worker")}
    for role, status in [("viewer", 403), ("worker", 403), ("operator", 200)]:
        assert (await put(anonymous, dataset, "d", 3, headers=headers[role])).status_code == status, role
    assert (await anonymous.get(f"{URL}/summary", params={"dataset": dataset})).status_code == 401
    for role in ("viewer", "operator", "worker"):
        for path in ("", "/summary", "/export"):
            answer = await anonymous.get(URL + path, params={"dataset": dataset}, headers=headers[role])
            assert answer.status_code == 200, (role, path)
    only = (await anonymous.get(URL, params={"dataset": dataset}, headers=headers["viewer"])).json()["items"]
    assert [(one["author"], one["score"]) for one in only] == [("a operator", 3)]
    assert (await anonymous.delete(f"{URL}/{dataset}/d", headers=headers["viewer"])).status_code == 403
    assert (await anonymous.delete(f"{URL}/{dataset}/d", headers=headers["operator"])).status_code == 204


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"score": 6}, "/score"),
        ({"score": -1}, "/score"),
        ({"score": 2.5}, "/score"),
        ({"dataset": "docs"}, "/dataset"),
        ({"document_id": ""}, "/document_id"),
        ({"document_id": "a\x00b"}, "/document_id"),
        ({"document_id": "a" * 501}, "/document_id"),
        ({"colour": "blue"}, "/colour"),
    ],
)
async def test_wrong_labels_are_refused_with_the_field(admin, dataset, changes, pointer):
    answer = await admin.post(URL, json={"dataset": dataset, "document_id": "d", "score": 1} | changes)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_unknown_datasets_and_foreign_cursors(admin, dataset):
    assert (await put(admin, "sha256:" + "1" * 64, "d", 1)).status_code == 404
    for cursor in ("x", "WyJ4IiwieSJd", "WyIyMDI0LTAxLTAxIiwieSJd"):
        answer = await admin.get(URL, params={"dataset": dataset, "cursor": cursor})
        assert answer.status_code == 422, cursor
