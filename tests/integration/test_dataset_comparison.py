"""Packed versions through the real API: histograms, clusters, and the difference of two."""

import hashlib
import random

import orjson
import pytest
import zstandard

from app.models import DatasetVersion
from workers.curation.lines import FrameWriter, write_json, write_lines
from workers.curation.pack import pack
from workers.data.documents import DocumentWriter
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, TokenizerTraining
from workers.storage import describe_folder

HISTOGRAM = {
    "rule": "gopher_quality.min_words", "language": "en", "bound": "min", "threshold": 50.0,
    "edges": [0.0, 50.0, 100.0], "documents": [3, 7], "bytes": [30, 700],
}  # fmt: skip
MEMBER = {
    "document_id": "d", "source": "a/b", "url": None, "kept": True, "similarity": None, "text": "x", "truncated": False,
}  # fmt: skip


def document(number, text=None):
    rng = random.Random(number)
    body = text or " ".join("".join(rng.choices("abcdefgh", k=4)) for _ in range(40))
    id_ = hashlib.sha256(str(number).encode()).hexdigest()
    return {"id": id_, "source": f"web/{number}", "language": "en", "text": body, "url": None, "metadata": {}}


def packed(folder, documents, dropped, clusters=0):
    source = folder / "documents"
    source.mkdir(parents=True)
    with FrameWriter(source / "documents.jsonl.zst") as writer:
        writer.write(zstandard.compress(b"".join(orjson.dumps(one) + b"\n" for one in documents)))
    write_lines(source / "samples.jsonl", [])
    write_lines(source / "inputs.jsonl", [])
    statistics = {"documents": {"read": len(documents)}, "dropped": dropped, "rejects": {}, "funnel": []}
    write_json(source / "statistics.json", statistics)
    if clusters:
        write_json(source / "histograms.json", [HISTOGRAM])
        cluster = {"cluster_id": 0, "language": "en", "size": 2, "members": [MEMBER, MEMBER | {"similarity": 0.9}]}
        write_lines(source / "clusters.jsonl", [cluster | {"cluster_id": n} for n in range(clusters)])
    spec = CurationSpec(tokenizer=TokenizerTraining(vocab_size=300), heldout_share=0.05)
    spec = spec.model_copy(update={"repair_text": clusters == 0})
    pack(spec, documents=source, out=folder / "dataset", reporter=MemoryReporter())
    return folder / "dataset"


async def stored(worker, database, folder, name):
    """The folder in the store, and its row."""
    artifact, manifest = describe_folder(folder, "dataset", name, {})
    contents = {file.sha256: (folder / file.path).read_bytes() for file in artifact.files}
    contents[artifact.digest.removeprefix("sha256:")] = manifest
    for sha256, content in contents.items():
        assert (await worker.put(f"/api/v1/blobs/{sha256}", content=content)).status_code == 204
    info = orjson.loads((folder / "dataset.json").read_bytes())
    lineage, digest, files = info.pop("lineage"), artifact.digest, [file.model_dump() for file in artifact.files]
    row = DatasetVersion(digest=digest, name=name, version=1, statistics=info, files=files, lineage=lineage)
    async with database.begin() as session:
        session.add(row)
    return digest


@pytest.fixture
async def versions(worker, database, tmp_path, monkeypatch):
    """One of 200 documents; one without 3 of them, with 2 new ones, and with another text in one."""
    monkeypatch.setattr("workers.curation.pack.DocumentWriter", lambda folder: DocumentWriter(folder, 4000))
    before = [document(n) for n in range(200)]
    after = [document(n) for n in range(3, 202)]
    after[10] = document(13, "Altogether other words stand here now.")
    left = packed(tmp_path / "left", before, {"c4_quality.lorem": {"en": 4, "fr": 1}}, clusters=3)
    right = packed(tmp_path / "right", after, {"c4_quality.lorem": {"en": 2}, "url.host": {"en": 1}})
    return [await stored(worker, database, folder, name) for folder, name in ((left, "l"), (right, "r"))]


async def test_the_difference_of_two_versions(admin, versions):
    left, right = versions
    answer = await admin.get("/api/v1/datasets/compare", params={"left": left, "right": right})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["documents"] == {"only_left": 3, "only_right": 2, "both": 197, "changed": 1}
    ids = {side: {one["document_id"] for one in found["examples"][side]} for side in ("only_left", "only_right")}
    assert ids["only_left"] <= {document(n)["id"] for n in range(3)} and ids["only_left"]
    assert ids["only_right"] == {document(n)["id"] for n in (200, 201)}
    texts = {one["document_id"]: one["text"] for one in found["examples"]["only_right"]}
    assert texts[document(200)["id"]] == document(200)["text"]
    assert found["rules"] == [
        {"rule": "c4_quality.lorem", "left": 5, "right": 2}, {"rule": "url.host", "left": 0, "right": 1},
    ]  # fmt: skip
    assert found["spec"] == [{"pointer": "/repair_text", "left": False, "right": True}]
    assert found["tokens"]["en"]["left"] == sum(found["left"]["statistics"]["tokens"]["en"].values())
    mirrored = (await admin.get("/api/v1/datasets/compare", params={"left": right, "right": left})).json()
    assert mirrored["documents"] == {"only_left": 2, "only_right": 3, "both": 197, "changed": 1}
    same = (await admin.get("/api/v1/datasets/compare", params={"left": left, "right": left})).json()
    assert same["documents"] == {"only_left": 0, "only_right": 0, "both": 200, "changed": 0}
    assert same["examples"] == {"only_left": [], "only_right": []}


async def test_histograms_and_clusters_are_served_and_may_be_missing(admin, versions):
    left, right = (f"/api/v1/datasets/versions/{digest}" for digest in versions)
    assert (await admin.get(f"{left}/histograms")).json() == [HISTOGRAM]
    assert (await admin.get(f"{right}/histograms")).json() == []
    assert (await admin.get(f"{right}/clusters")).json() == {"items": [], "next_cursor": None}
    page = (await admin.get(f"{left}/clusters", params={"limit": 2})).json()
    assert [one["cluster_id"] for one in page["items"]] == [0, 1]
    assert [member["similarity"] for member in page["items"][0]["members"]] == [None, 0.9]
    rest = (await admin.get(f"{left}/clusters", params={"limit": 2, "cursor": page["next_cursor"]})).json()
    assert [one["cluster_id"] for one in rest["items"]] == [2]
    assert rest["next_cursor"] is None


async def test_versions_without_an_index_are_compared_by_their_figures_alone(admin, worker, database, versions):
    digest = "sha256:" + "7" * 64
    async with database.begin() as session:
        row = DatasetVersion(digest=digest, name="old", version=1, statistics={"tokens": {}}, files=[], lineage={})
        session.add(row)
    answer = await admin.get("/api/v1/datasets/compare", params={"left": versions[0], "right": digest})
    assert answer.status_code == 200, answer.text
    assert answer.json()["documents"] is None
    assert answer.json()["tokens"]["en"]["right"] == 0
    unknown = await admin.get("/api/v1/datasets/compare", params={"left": versions[0], "right": "sha256:" + "8" * 64})
    assert unknown.status_code == 404
