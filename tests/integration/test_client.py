"""The typed client against the real service over HTTP; the example of the docs as it stands there."""

import asyncio
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn

from app.client import Headrace, RunEndedError, ServiceError
from workers.specs.training import TrainingSpec

ROOT = Path(__file__).parents[2]
EXAMPLE = re.search(r"```python\n(.*?)```", (ROOT / "docs/how-to/python.md").read_text(encoding="utf-8"), re.DOTALL)
WEIGHTS = b"weights"


@pytest.fixture
async def url(core):
    """The service on a real socket."""
    server = uvicorn.Server(uvicorn.Config(core, port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
def headrace(url, settings):
    with Headrace(url, settings.admin_token.get_secret_value()) as made:
        yield made


async def do(call, *arguments, **more):
    """A call of the client, which blocks, beside the service that answers it."""
    return await asyncio.wait_for(asyncio.to_thread(call, *arguments, **more), 60)


@pytest.fixture
def complete(worker_api, report):
    """Do what a worker does for a run: series, a checkpoint, its end."""

    async def call(run_id):
        sha256 = hashlib.sha256(WEIGHTS).hexdigest()
        assert (await worker_api.put(f"/api/v1/blobs/{sha256}", content=WEIGHTS)).status_code == 204
        files = [{"path": "deep/model.safetensors", "sha256": sha256, "num_bytes": len(WEIGHTS)}]
        digest = "sha256:" + "7" * 64
        made = {"kind": "checkpoint", "name": "c", "digest": digest, "step": 2, "files": files, "metadata": {}}
        metrics = [{"key": "loss", "steps": [0, 1, 2], "values": [3.0, 2.0, 1.5], "times": [1.0, 2.0, 3.0]}]
        log = [{"time": 1.0, "level": "info", "message": "hello"}]
        first = await report(run_id, state="running", metrics=metrics, artifacts=[made], logs=log)
        assert first.status_code == 200, first.text
        assert (await report(run_id, state="completed")).status_code == 200

    return call


async def test_the_example_of_the_docs_runs(url, settings, api, complete, tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HEADRACE_API_URL": url,
        "HEADRACE_API_TOKEN": settings.admin_token.get_secret_value(),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", EXAMPLE[1], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(60):
        while not (found := (await api.get("/api/v1/runs?tag=example")).json()["items"]):
            assert process.returncode is None, (await process.communicate())[1].decode()
            await asyncio.sleep(0.1)
    await complete(found[0]["id"])
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    assert "for the pool cpu" in out.decode()
    assert "loss 2 1.5" in out.decode()
    assert (tmp_path / "checkpoint" / "deep" / "model.safetensors").read_bytes() == WEIGHTS


async def test_a_run_from_its_launch_to_its_figures(headrace, complete):
    spec = TrainingSpec(name="typed", num_steps=777)
    run = await do(headrace.launch, spec, priority="high", tags=["a"], key="once")
    assert (run.spec["num_steps"], run.priority, run.state.value) == (777, "high", "queued")
    assert (await do(headrace.launch, spec, priority="high", tags=["a"], key="once")).id == run.id
    looks = []
    waiting = asyncio.create_task(do(headrace.wait, run.id, 60, looks.append))
    await complete(run.id)
    assert (await waiting).state.value == looks[-1].state.value == "completed"
    assert {one.key for one in await do(headrace.series, run.id)} == {"loss"}
    assert (await do(headrace.metrics, run.id, "loss", from_step=1))[0].min == [2.0, 1.5]
    assert [event.message for event in await do(lambda: list(headrace.events(run.id, "log")))] == ["hello"]
    assert [found.id for found in await do(lambda: list(headrace.runs(name="typ", tags=["a"])))] == [run.id]
    assert await do(lambda: list(headrace.datasets())) == []
    assert await do(lambda: list(headrace.evaluations(run.id))) == []


async def test_what_goes_wrong_is_told(headrace, report):
    with pytest.raises(ServiceError, match="num_steps") as wrong:
        await do(headrace.launch, {"kind": "training", "num_steps": -1})
    assert (wrong.value.status, wrong.value.code) == (422, 2)
    assert [pointer for pointer, _ in wrong.value.fields] == ["/spec/num_steps"]
    with pytest.raises(ServiceError) as missing:
        await do(headrace.run, "none")
    assert missing.value.status == 404
    run = await do(headrace.launch, preset="smol-5m")
    with pytest.raises(TimeoutError, match="queued"):
        await do(headrace.wait, run.id, 0.5)
    await report(run.id, state="running")
    await report(run.id, state="failed", error="out of luck")
    with pytest.raises(RunEndedError, match="out of luck") as ended:
        await do(headrace.wait, run.id)
    assert ended.value.run.state.value == "failed"
    again = await do(headrace.retry, run.id)
    assert again.retry_of == run.id
    assert (await do(headrace.cancel, again.id)).state.value == "cancelled"


async def test_a_damaged_artifact_leaves_nothing_behind(headrace, complete, tmp_path):
    run = await do(headrace.launch, preset="smol-5m")
    await complete(run.id)
    (artifact,) = (await do(headrace.run, run.id)).artifacts
    wrong = artifact.files[0].model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ServiceError, match="damaged"):
        await do(headrace.download, artifact.model_copy(update={"files": [wrong]}), tmp_path / "c")
    outside = artifact.files[0].model_copy(update={"path": "../escaped"})
    with pytest.raises(ServiceError, match="outside"):
        await do(headrace.download, artifact.model_copy(update={"files": [outside]}), tmp_path / "c")
    assert not (tmp_path / "c").exists()
    assert not (tmp_path / "escaped").exists()
