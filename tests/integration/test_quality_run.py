"""A run of kind quality on the real service: people's labels, the flow's work, the scorer as an artifact, its use."""

import asyncio
import json
from types import SimpleNamespace

import numpy as np
import pytest
import uvicorn
from typer.testing import CliRunner

from app.cli import app as cli
from app.models import DatasetVersion
from flows.api import Api
from flows.job import Job
from flows.quality import run_quality
from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.text import Text
from workers.data.documents import DocumentWriter
from workers.reporter import HttpReporter
from workers.specs.curation.quality import QualityScore, QualityTrainingSpec
from workers.specs.events import RunState
from workers.storage import ServiceStorage, put_folder

PROSE = ["The mill stands by the river.", "Its wheel turns because water falls on it.", "So the stones grind the corn."]
MENU = ["Home", "Next", "Cart (0)", "Login", "Share", "Print", "Terms", "Top"]


def text_of(number):
    """Even documents are prose, odd ones menus; of any length."""
    random = np.random.default_rng(number)
    count = int(random.integers(5, 60))
    return " ".join(random.choice(PROSE, count)) if number % 2 == 0 else "\n".join(random.choice(MENU, count))


@pytest.fixture
async def service(core, settings, database, tmp_path):
    """The service over HTTP with a dataset version of 80 documents, and what a worker works with."""
    server = uvicorn.Server(uvicorn.Config(core, port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.02)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    token = settings.worker_token.get_secret_value()
    storage = ServiceStorage(url, token)
    folder = tmp_path / "dataset"
    folder.mkdir()
    writer = DocumentWriter(folder)
    for number in range(80):
        writer.add({"id": f"d{number}", "text": text_of(number), "language": "en", "source": "s"}, number)
    writer.close()
    artifact = await asyncio.to_thread(put_folder, storage, folder, "dataset", "docs", {})
    files = [file.model_dump() for file in artifact.files]
    async with database.begin() as session:
        row = {"digest": artifact.digest, "name": "docs", "version": 1, "files": files}
        session.add(DatasetVersion(**row, statistics={}, lineage={}))

    def open_job(run_id):
        reporter = HttpReporter(url, token, run_id, 1, spool=tmp_path / "home" / "spool")
        return Job(run_id, 1, Api(url, token), storage, reporter, tmp_path / "home")

    yield SimpleNamespace(url=url, token=settings.admin_token.get_secret_value(), dataset=artifact.digest, job=open_job)
    server.should_exit = True
    await serving


async def label(api, dataset, number, score):
    body = {"dataset": dataset, "document_id": f"d{number}", "score": score}
    assert (await api.post("/api/v1/labels", json=body)).status_code == 200


async def test_labels_of_people_become_a_scorer_that_a_filter_uses(service, api):
    for number in range(80):
        await label(api, service.dataset, number, 5 if number % 2 == 0 else 0)
    spec = {
        "kind": "quality", "name": "mills", "labels": {"kind": "people", "dataset": service.dataset},
        "features": {"num_buckets_log2": 12}, "num_bootstrap": 100,
    }  # fmt: skip
    run = (await api.post("/api/v1/runs", json={"spec": spec})).json()
    assert (run["kind"], run["pool"], run["state"]) == ("quality", "cpu", "queued")

    def work():
        job = service.job(run["id"])
        job.reporter.state(RunState.RUNNING)
        summary = run_quality.fn(job, QualityTrainingSpec.model_validate(run["spec"]))
        job.complete(summary)
        job.reporter.close(10)
        return job.fetch(summary["scorer"])

    folder = await asyncio.to_thread(work)
    run = (await api.get(f"/api/v1/runs/{run['id']}")).json()
    assert run["state"] == "completed"
    assert run["summary"]["threshold_3"]["f1"] > 0.95
    assert run["summary"]["length_baseline"]["spearman_gain_low"] > 0
    (artifact,) = [one for one in run["artifacts"] if one["kind"] == "scorer"]
    assert artifact["digest"] == run["summary"]["scorer"]
    assert artifact["metadata"]["lineage"] == {"dataset": service.dataset, "run": run["id"]}
    assert {"scorer.json", "weights.npz", "evaluation.json"} <= {file["path"] for file in artifact["files"]}
    assert json.loads((folder / "scorer.json").read_text())["labels"]["source"]["dataset"] == service.dataset
    judge = build_filter(QualityScore(scorer=str(folder), min_score=2.5))
    verdicts = []
    for number in (100, 101):
        document = Document(id="x", source="s", text=text_of(number), media_type="text/plain", language="en")
        verdicts.append(judge.judge(document, Text(document.text, "en")))
    assert not isinstance(verdicts[0], Drop)
    assert verdicts[1].rule == "quality_score.min_score"


async def test_labels_whose_documents_are_not_there_fail_the_run_with_words(service, api):
    for number in range(78, 100):
        await label(api, service.dataset, number, number % 6)
    spec = QualityTrainingSpec.model_validate({"labels": {"kind": "people", "dataset": service.dataset}})
    run = (await api.post("/api/v1/runs", json={"spec": spec.model_dump(mode="json")})).json()
    job = service.job(run["id"])
    with pytest.raises(ValueError, match=r"20 of 22 labels .* unknown_document d80"):
        await asyncio.to_thread(run_quality.fn, job, spec)
    job.reporter.close(10)


async def test_the_command_counts_exports_and_launches(service, api, tmp_path, monkeypatch):
    await label(api, service.dataset, 1, 4)
    await label(api, service.dataset, 2, 4)
    monkeypatch.setenv("HEADRACE_API_URL", service.url)
    monkeypatch.setenv("HEADRACE_API_TOKEN", service.token)

    async def call(*arguments):
        return await asyncio.to_thread(CliRunner().invoke, cli, ["quality", *arguments])

    counted = await call("labels", "--dataset", "docs", "--out", str(tmp_path / "labels.jsonl"), "--json")
    assert counted.exit_code == 0, counted.output
    found = json.loads(counted.output)
    assert (found["num_labels"], found["counts"]["4"], found["dataset"]) == (2, 2, service.dataset)
    exported = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [(row["document_id"], row["score"]) for row in exported] == [("d1", 4), ("d2", 4)]
    shown = await call("labels", "--dataset", service.dataset)
    assert "2 labels" in shown.output
    assert "no dataset" in str((await call("labels", "--dataset", "nothing")).exception)
    (tmp_path / "spec.yaml").write_text(
        f"{{kind: quality, name: from-cli, labels: {{kind: people, dataset: '{service.dataset}'}}}}"
    )
    launched = await call("train", str(tmp_path / "spec.yaml"), "--set", "seed=7", "--json")
    run = json.loads(launched.stdout)
    assert (run["name"], run["spec"]["seed"]) == ("from-cli", 7)
