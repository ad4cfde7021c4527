"""Checkpoints on a real S3 server: a machine that has nothing goes on from them, and what the policy drops is gone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from workers.reporter import MemoryReporter
from workers.specs.events import Command
from workers.specs.training import TrainingSpec
from workers.storage import S3Storage
from workers.training.__main__ import main
from workers.training.errors import TrainingStopped
from workers.training.remote_checkpoints import INDEX, RemoteCheckpoints
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Storage]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("HEADRACE_S3_ENDPOINT_URL", f"http://{host}:{port}")
    httpx.post(f"http://{host}:{port}/moto-api/reset")  # what it keeps belongs to the process, not to the server
    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="headrace")
    yield S3Storage("s3://headrace/runs/mill", f"http://{host}:{port}")
    server.stop()


class StopsAfter(MemoryReporter):
    def __init__(self, num_steps: int) -> None:
        super().__init__()
        self.num_steps = num_steps

    def metrics(self, step: int, values: Any, branch: int = 0) -> None:
        super().metrics(step, values, branch)
        if step + 1 == self.num_steps and "loss" in values:
            self.pending.append(Command(id="halt", kind="stop"))


def names(storage: S3Storage) -> list[str]:
    return [entry["name"] for entry in json.loads(storage.read(INDEX) or b"[]")]


def test_a_machine_without_the_folder_goes_on_from_the_store(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, storage: S3Storage
) -> None:
    spec = make_spec(checkpointing={"every_steps": 2, "keep": 2, "keep_best": False})
    whole = train(spec, dataset=dataset, out=tmp_path / "whole", reporter=MemoryReporter())
    reporter = MemoryReporter()
    remote = RemoteCheckpoints(storage, spec.checkpointing, reporter)
    with pytest.raises(TrainingStopped):
        train(spec, dataset=dataset, out=tmp_path / "a", reporter=StopsAfter(7), publish=remote.publish)
    assert names(storage) == ["step-00000006-branch-000", "step-00000007-branch-000"]
    assert remote.fetch_newer(tmp_path / "a") == tmp_path / "a"  # the same is here: nothing is brought
    found = storage.client.list_objects_v2(Bucket=storage.bucket)["Contents"]
    wanted = {blob for entry in json.loads(storage.read(INDEX) or b"[]") for blob in entry["blobs"]}
    assert len(found) == len(wanted) + 1  # and the index

    newest = json.loads(storage.read(INDEX) or b"[]")[-1]
    damaged = max(
        newest["blobs"],
        key=lambda blob: storage.client.head_object(Bucket=storage.bucket, Key=storage._key(blob))["ContentLength"],
    )
    storage.client.put_object(Bucket=storage.bucket, Key=storage._key(damaged), Body=b"rotten")
    resume = remote.fetch_newer(tmp_path / "b")
    reporter.flush()
    assert any("step-00000007-branch-000 in the store cannot be used" in e.message for e in reporter.batch.events)
    again = MemoryReporter()
    resumed = train(spec, dataset=dataset, out=tmp_path / "b", reporter=again, resume=resume)
    assert again.series("loss")[0][0] == 6
    for file in ("model.safetensors", "optimizer.safetensors"):
        assert (Path(whole["checkpoint"]) / file).read_bytes() == (Path(resumed["checkpoint"]) / file).read_bytes()


def test_the_command_line_keeps_and_takes_them_up(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, storage: S3Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    spec_file = tmp_path / "spec.yaml"
    spec_file.write_text(make_spec().model_dump_json())
    command = [str(spec_file), "--dataset", str(dataset), "--storage", "s3://headrace/runs/mill"]
    assert main([*command, "--out", str(tmp_path / "a")]) == 0
    assert names(storage)[-1] == "step-00000012-branch-000"
    assert main([*command, "--out", str(tmp_path / "b"), "--resume"]) == 0
    shown = capsys.readouterr()
    first, second = (json.loads(line) for line in shown.out.splitlines() if line.startswith("{"))
    assert first["heldout_loss"] == second["heldout_loss"]
    assert main([*command[:-1], "s3://nowhere/x", "--out", str(tmp_path / "c")]) == 2
    assert main([*command[:-1], "/tmp/x", "--out", str(tmp_path / "c")]) == 2
    shown = capsys.readouterr()
    assert "--storage s3://nowhere/x cannot be used" in shown.err and "is no s3:// address" in shown.err
