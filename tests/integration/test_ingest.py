"""Ingest through the real API: fencing, repeats, what each part of a batch becomes."""

import asyncio
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.ingest import merge_columns
from workers.specs.events import MetricColumn

RUNS = "/api/v1/runs"


def digest_of(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def column(key, steps, values, branch=0):
    return {"key": key, "branch": branch, "steps": steps, "values": values}


@pytest.fixture
async def run(launch, report):
    """A training run that is running."""
    made = await launch()
    assert (await report(made["id"], state="running")).status_code == 200
    return made


@pytest.fixture
def get(api, run):
    async def call(path="", **parameters):
        response = await api.get(f"{RUNS}/{run['id']}{path}", params=parameters)
        assert response.status_code == 200, response.text
        return response.json()

    return call


async def test_a_repeat_has_no_effect(get, run, report):
    batch = {"logs": [{"message": "once"}], "metrics": [column("loss", [1], [2.0])]}
    assert (await report(run["id"], seq=50, **batch)).json()["accepted"] is True
    assert (await report(run["id"], seq=50, **batch)).json()["accepted"] is False
    assert len(await get("/events", kind="log")) == 1
    other = await report(run["id"], seq=50, source="flow", logs=[{"message": "another source"}])
    assert other.json()["accepted"] is True


async def test_the_same_batch_sent_at_once_counts_once(get, run, report):
    answers = await asyncio.gather(*(report(run["id"], seq=9, logs=[{"message": "x"}]) for _ in range(8)))
    assert sorted(answer.json()["accepted"] for answer in answers) == [False] * 7 + [True]
    assert len(await get("/events", kind="log")) == 1


async def test_an_older_attempt_is_fenced(get, run, report):
    await report(run["id"], source="flow", state="crashed", error="killed")
    found = await get()
    assert (found["state"], found["attempt"]) == ("queued", 2)
    late = await report(run["id"], attempt=1, metrics=[column("loss", [5], [1.0])])
    assert late.status_code == 409
    assert late.headers["content-type"] == "application/problem+json"
    assert late.json()["type"].endswith("/fenced")
    assert (await report(run["id"], attempt=2, state="running")).status_code == 200
    assert await get("/metrics") == []


async def test_a_run_that_has_ended_takes_nothing_but_repeats(get, run, report):
    last = {"seq": 77, "state": "completed", "events": [{"kind": "summary", "data": {"loss": 1.5}}]}
    assert (await report(run["id"], **last)).json()["accepted"] is True
    assert (await report(run["id"], **last)).json()["accepted"] is False
    assert (await report(run["id"], source="worker.heartbeat", seq=0)).status_code == 200
    late = await report(run["id"], seq=78, logs=[{"message": "late"}])
    assert late.status_code == 409
    again = await report(run["id"], seq=78, logs=[{"message": "late"}])
    assert again.status_code == 409, "a refused batch must not be noted as taken"
    found = await get()
    assert found["state"] == "completed"
    assert found["summary"] == {"loss": 1.5}
    assert found["finished_at"]


async def test_a_cancelled_run_stops_its_worker_by_its_heartbeat(api, run, report):
    await api.post(f"{RUNS}/{run['id']}/cancel")
    assert (await report(run["id"], source="worker.heartbeat", seq=0)).status_code == 200
    assert (await report(run["id"], source="flow", state="cancelled")).status_code == 200
    assert (await report(run["id"], source="worker.heartbeat", seq=0)).status_code == 409


async def test_failed_by_its_own_code_is_not_tried_again(get, run, report):
    await report(run["id"], state="failed", error="ValueError: no documents")
    found = await get()
    assert (found["state"], found["attempt"], found["error"]) == ("failed", 1, "ValueError: no documents")
    assert found["state_reason"] == "ValueError: no documents"


async def test_crashes_end_when_the_attempts_are_used_up(get, launch, report, api):
    run = await launch(max_attempts=2)
    await report(run["id"], source="flow", state="crashed", error="oom")
    await report(run["id"], source="flow", attempt=2, state="crashed", error="oom")
    found = (await api.get(f"{RUNS}/{run['id']}")).json()
    assert (found["state"], found["attempt"]) == ("crashed", 2)
    assert "attempt 2 of 2" in found["state_reason"]
    kinds = [event["kind"] for event in (await api.get(f"{RUNS}/{run['id']}/events")).json()]
    assert kinds.count("retry") == 1


async def test_only_the_worker_itself_counts_as_a_sign_of_life(get, run, report):
    before = (await get())["heartbeat_at"]
    await report(run["id"], source="monitor", findings=[_finding("stall")])
    await report(run["id"], source="monitor.heartbeat", seq=0)
    assert (await get())["heartbeat_at"] == before
    await report(run["id"], source="worker.heartbeat", seq=0)
    assert (await get())["heartbeat_at"] > before


async def test_progress_keeps_the_order_of_stages_and_makes_no_events(get, run, report):
    def progress(stage, done):
        return {"kind": "progress", "data": {"stage": stage, "done": done, "total": 10, "unit": "documents"}}

    await report(run["id"], events=[progress("read", 1), progress("filter", 0), progress("read", 10)])
    await report(run["id"], events=[progress("filter", 4)])
    found = await get()
    assert [(p["stage"], p["done"]) for p in found["progress"]] == [("read", 10), ("filter", 4)]
    assert await get("/events", kind="progress") == []


def _finding(identifier, **changes):
    return {"id": identifier, "detector": "loss_spike", "step": 7, "message": "loss is up"} | changes


async def test_findings_and_interventions_are_kept_once_with_their_outcome(get, run, report):
    finding = _finding("f1", evidence={"loss": "NaN", "threshold": 4.5})
    intervention = {
        "id": "i1",
        "finding_id": "f1",
        "step": 7,
        "action": "rollback+scale_lr",
        "after": {"lr_scale": 0.5},
        "evidence": {"checkpoint": "step-7"},
    }
    await report(run["id"], findings=[finding], interventions=[intervention])
    again = {"outcome": "recovered", "outcome_step": 30, "evidence": {"loss_after": 2.5}}
    await report(run["id"], interventions=[intervention | again])
    (found,) = await get("/interventions")
    assert found["evidence"] == {"checkpoint": "step-7", "loss_after": 2.5}
    assert (found["outcome"], found["outcome_step"], found["after"]) == ("recovered", 30, {"lr_scale": 0.5})
    (seen,) = await get("/findings")
    assert seen["evidence"]["threshold"] == 4.5
    assert (await get())["num_interventions"] == 1


async def test_the_verdict_of_a_replay_stands_with_the_intervention(api, get, run, launch, report):
    await report(run["id"], interventions=[{"id": "intervention-1-7", "step": 7, "action": "rollback"}])
    wanted = {"run": run["id"], "intervention": "intervention-1-7"}
    other = await launch(spec={"kind": "training", "name": "replay", "replay": wanted})
    curves = {"with": {"steps": [7], "losses": [2.0]}, "without": {"steps": [7], "losses": [4.0]}}
    summary = {"replay": {"verdict": "helped", "curves": curves} | wanted}
    await report(other["id"], state="running")
    await report(other["id"], events=[{"kind": "summary", "data": summary}])
    await report(run["id"], interventions=[{"id": "intervention-1-7", "step": 7, "action": "rollback"}])
    (found,) = await get("/interventions")
    assert found["evidence"]["verdict"] == "helped" and found["evidence"]["replay"]["curves"] == curves
    assert found["evidence"]["replay"]["replayed_by"] == other["id"]


async def test_nan_and_infinity_travel_and_are_shown(get, run, report):
    await report(run["id"], metrics=[column("loss", [1, 2, 3, 4], [1.0, "NaN", "Infinity", 3.0])])
    (series,) = await get("/metrics/loss")
    assert series["min"] == [1.0, None, None, 3.0]
    assert series["num_nonfinite"] == [0, 1, 1, 0]
    (one,) = await get("/metrics/loss", buckets=1)
    assert (one["min"], one["max"], one["mean"], one["num_nonfinite"]) == ([1.0], [3.0], [2.0], [2])
    await report(run["id"], metrics=[column("loss", [5], ["-Infinity"])])
    assert (await get())["headline"]["loss"] is None


async def test_wrong_columns_are_refused_whole_with_a_pointer(get, run, report):
    for wrong, pointer in [
        (column("loss", [1, 2], [1.0]), "/metrics/1/values"),
        (column("loss", [-1], [1.0]), "/metrics/1/steps"),
        (column("loss", [2**70], [1.0]), "/metrics/1/steps"),
        (column("loss", [1], [1.0]) | {"times": ["NaN"]}, "/metrics/1/times"),
        (column("loss", [1], [1.0]) | {"nonsense": 1}, "/metrics/1/nonsense"),
    ]:
        answer = await report(run["id"], metrics=[column("good", [1], [1.0]), wrong])
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert await get("/metrics") == []
    assert (await report(run["id"], events=[{"kind": "note", "step": 2**70}])).status_code == 422


async def test_text_that_postgres_cannot_hold_loses_its_nul(get, run, worker_api):
    body = {"attempt": 1, "source": "worker", "seq": 900, "logs": [{"message": "a\x00b \\u0000 c"}]}
    answer = await worker_api.post(f"/api/v1/ingest/runs/{run['id']}", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    assert [event["message"] for event in await get("/events", kind="log")] == ["ab \\u0000 c"]


async def test_the_newest_committed_checkpoint_counts_from_any_attempt(api, get, run, report):
    def checkpoint(step):
        return {"kind": "checkpoint", "name": f"step-{step}", "digest": digest_of(f"{step}"), "step": step}

    async def steps():
        return [artifact["step"] for artifact in (await api.get(f"{RUNS}/{run['id']}/checkpoints")).json()]

    assert await steps() == []
    await report(run["id"], artifacts=[checkpoint(100), checkpoint(200)])
    await report(run["id"], source="flow", state="crashed")
    refused = await report(run["id"], attempt=1, artifacts=[checkpoint(300)])
    assert refused.status_code == 409
    assert await steps() == [200, 100]
    await report(run["id"], attempt=2, artifacts=[checkpoint(150)])
    assert await steps() == [150, 200, 100]
    assert [artifact["step"] for artifact in await get("/artifacts", kind="checkpoint")] == [100, 200, 150]


async def test_a_dataset_is_versioned_by_its_digest(api, launch, report):
    def dataset(text):
        metadata = {"statistics": {"documents": 3}, "lineage": {"documents": "sha256:1"}}
        return {"kind": "dataset", "name": "corpus", "digest": digest_of(text), "metadata": metadata}

    for text in ("one", "two", "one"):
        run = await launch(spec={"kind": "curation"})
        assert (await report(run["id"], state="running", artifacts=[dataset(text)])).status_code == 200
    versions = (await api.get("/api/v1/datasets/corpus/versions")).json()["items"]
    assert sorted((v["version"], v["digest"]) for v in versions) == [(1, digest_of("one")), (2, digest_of("two"))]
    assert versions[0]["statistics"] == {"documents": 3}
    assert versions[0]["lineage"] == {"documents": "sha256:1"}


async def test_scores_then_items(api, launch, report, worker_api):
    run = await launch(spec={"kind": "evaluation"})
    url = f"/api/v1/ingest/runs/{run['id']}/evaluation-items"
    items = [{"item_id": f"i{i}", "slice": "en", "score": i / 10, "correct": i % 2 == 0, "data": {}} for i in range(5)]
    body = {"attempt": 1, "task": "cloze", "items": items}
    assert (await worker_api.post(url, json=body)).status_code == 404
    score = {
        "task": "cloze",
        "metric": "accuracy",
        "value": 0.6,
        "low": 0.5,
        "high": 0.7,
        "chance": 0.25,
        "num_items": 5,
    }
    artifact = {"kind": "evaluation", "name": "e", "digest": digest_of("e"), "metadata": {"results": [score]}}
    assert (await report(run["id"], artifacts=[artifact])).status_code == 200
    for _ in range(2):
        assert (await worker_api.post(url, json=body)).status_code == 200
    assert (await worker_api.post(url, json=body | {"attempt": 2})).status_code == 409
    (found,) = (await api.get("/api/v1/evaluations", params={"run_id": run["id"]})).json()["items"]
    assert (found["value"], found["chance"], found["num_items"]) == (0.6, 0.25, 5)
    kept = (await api.get(f"/api/v1/evaluations/{found['id']}/items")).json()["items"]
    assert len(kept) == 5
    bad = artifact | {"metadata": {"results": [score | {"value": "NaN"}]}}
    assert (await report(run["id"], artifacts=[bad])).status_code == 422


async def test_the_outbox_learns_of_everything_once(core, run, report):
    await report(run["id"], seq=60, metrics=[column("loss", [1, 2], [3.0, "NaN"]), column("layers.0.norm", [1], [1.0])])
    await report(run["id"], seq=60, metrics=[column("loss", [1, 2], [3.0, "NaN"])])
    await report(run["id"], seq=61, state="completed", events=[{"kind": "summary", "data": {"a": 1}}])
    from app.queries import outbox

    async with core.state.database.begin() as session:
        rows = await outbox.entries(session, run["id"], 100)
    assert [row.kind for row in rows] == ["run", "state", "metrics", "summary", "state"]
    (sent,) = rows[2].payload["columns"]
    assert (sent["key"], sent["steps"], sent["values"]) == ("loss", [1], [3.0])


async def test_listeners_hear_of_a_batch_after_its_commit(core, run, report):
    import asyncpg

    heard = asyncio.Queue()
    connection = await asyncpg.connect(core.state.database.url)
    await connection.add_listener("headrace", lambda *args: heard.put_nowait(json.loads(args[3])))
    await report(run["id"], metrics=[column("loss", [1], [1.0])], logs=[{"message": "m"}])
    messages = [await asyncio.wait_for(heard.get(), 5) for _ in range(3)]
    assert {message["type"] for message in messages} == {"run", "metrics", "event"}
    assert {message["run_id"] for message in messages} == {run["id"]}
    await connection.close()


_steps = st.lists(st.integers(0, 50), max_size=20)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1), _steps), max_size=6))
def test_merged_columns_have_each_step_once_with_its_last_value(parts):
    columns, expected = [], {}
    for i, (key, branch, steps) in enumerate(parts):
        values = [float(i * 1000 + j) for j in range(len(steps))]
        columns.append(MetricColumn(key=key, branch=branch, steps=steps, values=values))
        expected.setdefault((key, branch), {}).update(zip(steps, values, strict=True))
    merged = merge_columns(columns, now=5.0)
    found = {(c.key, c.branch): dict(zip(c.steps, c.values, strict=True)) for c in merged}
    assert found == {key: points for key, points in expected.items() if points}
    assert all(len(set(c.steps)) == len(c.steps) == len(c.times) for c in merged)
