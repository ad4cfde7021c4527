"""Runs once more: retry from the checkpoint, pipelines that take over stages, dry runs, pools without a worker."""

import pytest

RUNS = "/api/v1/runs"


def checkpoint(digit, step):
    return {"kind": "checkpoint", "name": f"step-{step}", "digest": "sha256:" + digit * 64, "step": step}


@pytest.fixture
def retry(api):
    async def call(run, **headers):
        return await api.post(f"{RUNS}/{run['id']}/retry", headers=headers)

    return call


@pytest.fixture
def hello(worker_api):
    """A worker of this pool is alive."""

    async def call(pool):
        body = {"name": "w", "pool": pool, "host": "h", "version": "1", "spec_version": SPEC_VERSION}
        assert (await worker_api.post("/api/v1/workers/hello", json=body)).status_code == 200

    from workers.specs import SPEC_VERSION

    return call


async def test_a_failed_run_goes_on_from_its_newest_checkpoint_in_a_new_run(api, launch, report, retry, orchestrator):
    run = await launch(name="toy", tags=["a"], priority="high", max_attempts=5)
    await report(run["id"], state="running", artifacts=[checkpoint("a", 100)])
    assert (await retry(run)).status_code == 409
    await report(run["id"], state="failed", error="disk full")
    answer = await retry(run, **{"Idempotency-Key": "once"})
    assert answer.status_code == 201
    new = answer.json()
    assert answer.headers["location"] == f"{RUNS}/{new['id']}"
    assert (await retry(run, **{"Idempotency-Key": "once"})).json()["id"] == new["id"]
    for field in ("spec", "spec_hash", "name", "tags", "priority", "max_attempts"):
        assert new[field] == run[field]
    assert (new["state"], new["retry_of"], new["attempt"]) == ("queued", run["id"], 1)
    assert [s["parameters"]["run_id"] for s in orchestrator.submitted] == [run["id"], new["id"]]

    async def steps(of):
        return [artifact["step"] for artifact in (await api.get(f"{RUNS}/{of['id']}/checkpoints")).json()]

    assert await steps(new) == [100]
    await report(new["id"], state="running", artifacts=[checkpoint("b", 200)])
    assert await steps(new) == [200, 100]
    await report(new["id"], source="flow", state="failed", error="again")
    third = (await retry(new)).json()
    assert await steps(third) == [200, 100]
    assert (await api.get(f"{RUNS}/{run['id']}")).json()["state"] == "failed", "what has ended stays as it is"
    refused = await api.delete(f"{RUNS}/{new['id']}", params={"confirm": "toy"})
    assert (refused.status_code, third["id"] in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize("state", ["failed", "crashed", "cancelled", "completed"])
async def test_what_has_completed_is_not_retried(api, launch, report, retry, state):
    run = await launch(max_attempts=1)
    await report(run["id"], state="running")
    if state == "cancelled":
        await api.post(f"{RUNS}/{run['id']}/cancel")
    await report(run["id"], source="flow", state=state)
    answer = await retry(run)
    assert answer.status_code == (409 if state == "completed" else 201)
    if state == "completed":
        assert "clone" in answer.json()["detail"]


async def test_a_retried_pipeline_takes_over_what_was_completed(api, launch, report, retry, orchestrator):
    async def stage(parent, kind, **changes):
        spec = {"kind": kind} | changes
        return (await api.post(RUNS, json={"spec": spec, "parent_id": parent["id"], "stage": kind})).json()

    async def end(run, state):
        await report(run["id"], state="running")
        assert (await report(run["id"], state=state, error="x")).status_code == 200

    old = await launch(spec={"kind": "pipeline"})
    await report(old["id"], state="running")
    curation, training = await stage(old, "curation"), await stage(old, "training")
    await end(curation, "completed")
    await end(training, "failed")
    await report(old["id"], state="failed", error="a stage failed")
    new = (await retry(old)).json()
    num_submitted = len(orchestrator.submitted)
    assert (await stage(new, "curation"))["id"] == curation["id"]
    assert len(orchestrator.submitted) == num_submitted, "a stage that is taken over is not run again"
    again = await stage(new, "training")
    assert (again["retry_of"], again["parent_id"]) == (training["id"], new["id"])
    other = await stage(new, "curation", name="another spec")
    assert (other["id"] != curation["id"], other["retry_of"]) == (True, None)


async def test_a_dry_run_checks_estimates_and_launches_nothing(api, hello, orchestrator):
    await hello("cpu")
    body = {"spec": {"kind": "training", "name": "toy", "resources": {"gpus": 1}}, "name": "dry"}
    answer = await api.post(RUNS, params={"dry_run": True}, json=body)
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert (plan["kind"], plan["name"], plan["pool"], plan["workers"]) == ("training", "dry", "gpu", {"gpu": 0})
    assert plan["spec"]["optimizer"], "the spec comes with its defaults"
    assert plan["estimate"]["training"]["num_parameters"] > 0
    assert any("no worker online for pool gpu" in warning for warning in plan["warnings"])
    pipeline = (await api.post(RUNS, params={"dry_run": True}, json={"spec": {"kind": "pipeline"}})).json()
    assert pipeline["workers"] == {"control": 0, "cpu": 1}
    wrong = await api.post(RUNS, params={"dry_run": True}, json={"spec": {"kind": "training", "nonsense": 1}})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/spec/nonsense")
    assert (await api.get(RUNS)).json()["items"] == []
    assert orchestrator.submitted == []


async def test_a_launch_and_the_list_say_that_a_pool_has_no_worker(api, hello, launch):
    words = "no worker online for pool cpu: start one with `headrace worker --pool cpu`"
    run = await launch()
    assert run["state_reason"] == words
    (listed,) = (await api.get(RUNS)).json()["items"]
    assert listed["state_reason"] == words, "also after Prefect has it"
    warnings = (await api.get(f"{RUNS}/{run['id']}/events", params={"kind": "warning"})).json()
    assert words in [warning["message"] for warning in warnings]
    await hello("cpu")
    assert (await launch(name="second"))["state_reason"] == ""
