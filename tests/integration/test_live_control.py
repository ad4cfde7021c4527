"""People steer a real training over REST and the command line; each order is an intervention with its author."""

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import uvicorn

from workers.data.shards import ShardWriter
from workers.reporter import HttpReporter
from workers.specs.events import RunState
from workers.specs.training import TrainingSpec
from workers.training.errors import TrainingStopped
from workers.training.trainer import train

HEADRACE = str(Path(sys.executable).with_name("headrace"))
SPEC = {
    "kind": "training", "name": "steered", "num_steps": 100_000, "dtype": "float32",
    "model": {"d_model": 16, "num_layers": 1, "num_heads": 2, "num_kv_heads": 1, "d_ffn": 32},
    "optimizer": {"kind": "adamw", "lr": 1e-3}, "schedule": {"kind": "wsd", "warmup_steps": 2},
    "batch": {"sequence_tokens": 16, "micro_batch_sequences": 2}, "heldout": {"every_steps": 50_000},
    "checkpointing": {"every_steps": 20, "keep": 4},
}  # fmt: skip


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    random = np.random.default_rng(3)
    for split, num in (("train", 4000), ("heldout", 400)):
        writer = ShardWriter(folder, split, 32, 1 << 16)
        for _ in range(num // 40):
            writer.add([*random.integers(1, 32, 39).tolist(), 0])
        writer.close()
    info = {"vocab_size": 32, "dtype": "<u2", "eos_token_id": 0, "num_tokens": {"train": 4000, "heldout": 400}}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


@pytest.fixture
async def steered(core, api, settings, dataset, tmp_path):
    """A training in a thread that reports over HTTP, and `headrace` against the same service."""
    server = uvicorn.Server(uvicorn.Config(core, port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.02)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    run = (await api.post("/api/v1/runs", json={"spec": SPEC})).json()
    token = settings.worker_token.get_secret_value()
    reporter = HttpReporter(url, token, run["id"], 1, tmp_path / "spool", interval_seconds=0.1)
    reporter.state(RunState.RUNNING)

    def work():
        torch.set_num_threads(1)
        try:
            train(TrainingSpec.model_validate(run["spec"]), dataset=dataset, out=tmp_path / "out", reporter=reporter)
        except TrainingStopped as stopped:
            return stopped
        finally:
            reporter.close(20)

    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), "HEADRACE_API_URL": url}
    environment["HEADRACE_API_TOKEN"] = settings.admin_token.get_secret_value()

    async def headrace(*arguments):
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(HEADRACE, *arguments, env=environment, stdout=pipe, stderr=pipe)
        out, err = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode, out.decode(), err.decode()

    working = asyncio.create_task(asyncio.to_thread(work))
    yield SimpleNamespace(id=run["id"], headrace=headrace, working=working)
    if not working.done():  # the test has failed: end what it began
        await api.post(f"/api/v1/runs/{run['id']}/commands", json={"kind": "stop"})
    await asyncio.wait_for(working, 30)
    server.should_exit = True
    await serving


@pytest.mark.timeout(240)
async def test_every_order_reaches_the_training_and_is_kept_with_its_author(steered, api):
    url = f"/api/v1/runs/{steered.id}"

    async def order(kind, **arguments):
        """Over REST; the intervention that it becomes."""
        sent = (await api.post(f"{url}/commands", json={"kind": kind, "arguments": arguments})).json()
        async with asyncio.timeout(30):
            while True:
                found = {i["id"]: i for i in (await api.get(f"{url}/interventions")).json()}
                if f"command-{sent['id']}" in found:
                    return found[f"command-{sent['id']}"]
                await asyncio.sleep(0.1)

    async def state():
        return (await api.get(url)).json()["state"]

    async def wait_until(happened):
        async with asyncio.timeout(60):
            while not await happened():  # noqa: ASYNC110  it happens in another process
                await asyncio.sleep(0.1)

    async def has_checkpoints():
        return len((await api.get(f"{url}/events", params={"kind": "checkpoint"})).json()) >= 4

    async def trains_on():
        lr = (await api.get(f"{url}/metrics/lr")).json()[-1]["last"][-1]
        return await state() == "running" and lr < 2.1e-4

    await wait_until(has_checkpoints)
    code, out, err = await steered.headrace("pause", steered.id)
    assert code == 0 and "pause at step" in out, err
    assert await state() == "paused"
    here = (await order("checkpoint"))["step"]
    assert here > 40 and (await order("checkpoint"))["step"] == here, "it stands still"

    code, out, err = await steered.headrace("set-lr", steered.id, "2e-4", "--json")
    assert code == 0, err
    assert json.loads(out)["intervention"]["after"] == {"lr_scale": pytest.approx(0.2), "lr": 2e-4}
    assert (await order("set_clip", value=0.25))["after"] == {"clip_scale": 0.25, "limit": 0.25}
    assert (await order("skip", batches=7))["before"] == {"next_batch": here}
    changed = await order("set_mode", mode="approve")
    assert (changed["before"], changed["after"]) == ({"mode": "auto"}, {"mode": "approve"})
    code, _, err = await steered.headrace("rollback", steered.id, str(here + 100))
    assert code == 1 and f"training is at step {here}" in err
    back = await order("rollback", step=here - 10)
    assert here - 40 < back["after"]["step"] <= here - 10 and back["cost_steps"] == here - back["after"]["step"]
    nothing = await order("rollback", step=0)
    assert nothing["outcome"] == "no_checkpoint", "only the newest are kept"
    assert (await order("resume"))["outcome"] == "done"
    await wait_until(trains_on)
    code, out, err = await steered.headrace("stop", steered.id)
    assert code == 0 and "stop at step" in out, err
    stopped = await asyncio.wait_for(asyncio.shield(steered.working), 30)
    assert isinstance(stopped, TrainingStopped) and stopped.by_person

    kept = (await api.get(f"{url}/interventions")).json()
    assert [i["rule"].split()[0] for i in kept] == [
        *("pause", "checkpoint", "checkpoint", "set_lr", "set_clip", "skip", "set_mode"),
        *("rollback", "rollback", "rollback", "resume", "stop"),
    ]
    assert len({i["author"] for i in kept}) == 1 and kept[0]["author"] not in {"", "person", "controller"}
    outcomes = {i["outcome"] for i in kept}
    assert outcomes == {"done", "refused", "no_checkpoint"}
