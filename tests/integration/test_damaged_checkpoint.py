"""What a training flow goes on from: the newest sound checkpoint, with a word on those that rot in the store; in a
retry that of the run before."""

import asyncio
from pathlib import Path

import pytest
import uvicorn

from flows.api import Api
from flows.job import Job
from flows.training import newest_checkpoint
from workers.reporter import HttpReporter
from workers.storage import ServiceStorage


@pytest.fixture
async def url(core):
    """The service over HTTP."""
    server = uvicorn.Server(uvicorn.Config(core, port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_the_checkpoint_before_a_damaged_one_is_taken(url, settings, launch, api, tmp_path):
    run = await launch()
    token = settings.worker_token.get_secret_value()
    reporter = HttpReporter(url, token, run["id"], 1, spool=tmp_path / "spool")
    job = Job(run["id"], 1, Api(url, token), ServiceStorage(url, token), reporter, tmp_path / "home")

    def publish_and_damage():
        assert newest_checkpoint(job) == (None, None)
        digests = []
        for step in (100, 200):
            folder = tmp_path / f"step-{step}"
            folder.mkdir()
            (folder / "model.safetensors").write_bytes(bytes([step]) * 1000)
            artifact = job.publish(folder, "checkpoint", folder.name, {"step": step}, step)
            digests.append(artifact)
            reporter.flush()  # the order in which the service takes them is the order of the checkpoints
        assert newest_checkpoint(job)[0] == digests[1].digest
        (job.home / "cache" / digests[1].digest.removeprefix("sha256:")).rename(tmp_path / "gone")
        name = digests[1].files[0].sha256
        (Path(settings.storage) / name[:2] / name[2:]).write_bytes(b"rotten")
        digest, resume = newest_checkpoint(job)
        assert digest == digests[0].digest
        assert (resume / "model.safetensors").read_bytes() == bytes([100]) * 1000
        name = digests[0].files[0].sha256
        (Path(settings.storage) / name[:2] / name[2:]).unlink()
        (job.home / "cache" / digests[0].digest.removeprefix("sha256:")).rename(tmp_path / "gone too")
        with pytest.raises(RuntimeError, match="none of the 2 checkpoints of this run can be read"):
            newest_checkpoint(job)
        reporter.flush()
        reporter.close(10)

    await asyncio.to_thread(publish_and_damage)
    events = (await api.get(f"/api/v1/runs/{run['id']}/events")).json()
    items = events["items"] if isinstance(events, dict) else events
    messages = [event["message"] for event in items if event["kind"] == "warning"]
    assert any("checkpoint step-200 in the store cannot be used, the one before it is taken" in m for m in messages)


async def test_a_retried_run_goes_on_from_the_checkpoint_of_the_one_before(
    url, settings, launch, report, api, tmp_path
):
    token = settings.worker_token.get_secret_value()

    def job_of(run):
        reporter = HttpReporter(url, token, run["id"], 1, spool=tmp_path / "spool")
        return Job(run["id"], 1, Api(url, token), ServiceStorage(url, token), reporter, tmp_path / "home")

    def publish(run):
        folder = tmp_path / "step-100"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        job = job_of(run)
        digest = job.publish(folder, "checkpoint", folder.name, {"step": 100}, 100).digest
        job.reporter.flush()
        job.reporter.close(10)
        return digest

    old = await launch(max_attempts=1)
    digest = await asyncio.to_thread(publish, old)
    await report(old["id"], source="flow", state="failed", error="disk full")
    new = (await api.post(f"/api/v1/runs/{old['id']}/retry")).json()
    job = job_of(new)
    found, folder = await asyncio.to_thread(newest_checkpoint, job)
    assert found == digest
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    await asyncio.to_thread(job.reporter.close, 10)
