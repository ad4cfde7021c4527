"""A run that was interrupted equals one that was not, bit for bit."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml

from workers.model.checkpoint import load_model
from workers.reporter import MemoryReporter
from workers.specs.events import Command
from workers.specs.training import TrainingSpec
from workers.training.errors import CheckpointError, InputError, TrainingStopped
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]


class StopsAt(MemoryReporter):
    """Asks for a stop once a step is reached."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.at = step

    def metrics(self, step: int, values: object, branch: int = 0) -> None:
        super().metrics(step, values, branch)
        if step + 1 == self.at:
            self.pending.append(Command(id="halt", kind="stop"))


def weights(summary: dict) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(Path(summary["checkpoint"]) / "model.safetensors")


def assert_equal_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, optimizer: str
) -> None:
    spec = make_spec(optimizer={"kind": optimizer, "lr": 5e-3})
    whole = train(spec, dataset=dataset, out=tmp_path / "whole", reporter=MemoryReporter())
    halves, reporter = tmp_path / "halves", StopsAt(7)
    with pytest.raises(TrainingStopped, match="after 7 steps") as stopped:
        train(spec, dataset=dataset, out=halves, reporter=reporter)
    assert stopped.value.by_person
    reporter.flush()
    assert reporter.batch.acks == ["halt"]
    second = MemoryReporter()
    torch.rand(5)  # whatever was drawn in between must not matter
    resumed = train(spec, dataset=dataset, out=halves, reporter=second, resume=halves, first_branch=4)
    assert_equal_bits(weights(whole), weights(resumed))
    assert second.series("loss")[0][0] == 7
    assert {c.branch for c in second.batch.metrics} == {4}
    assert resumed["tokens"] == whole["tokens"]
    assert resumed["first_loss"] == whole["first_loss"]


def test_killed_in_mid_run_it_resumes_from_its_last_checkpoint(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    spec = make_spec(num_steps=80, checkpointing={"every_steps": 20}, heldout={"every_steps": 80, "num_batches": 1})
    whole = train(spec, dataset=dataset, out=tmp_path / "whole", reporter=MemoryReporter())
    spec_file, out = tmp_path / "spec.yaml", tmp_path / "killed"
    spec_file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    command = [sys.executable, "-m", "workers.training", str(spec_file), "--dataset", str(dataset), "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not list((out / "checkpoints").glob("step-0000002?-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    saved = [path.name for path in (out / "checkpoints").glob("step-*")]
    assert saved and not any(name.startswith("step-00000080") for name in saved)
    done = subprocess.run([*command, "--resume"], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert_equal_bits(weights(whole), weights(json.loads(done.stdout.splitlines()[-1])))


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    spec = make_spec()
    whole = train(spec, dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    expected = weights(whole)
    newest = Path(whole["checkpoint"])
    content = bytearray((newest / "optimizer.safetensors").read_bytes())
    content[-1] ^= 1
    (newest / "optimizer.safetensors").write_bytes(content)
    half = newest.with_name("step-00000009-branch-000")  # as if it had been torn by a crash before its checksums
    shutil.copytree(newest, half)
    (half / "checksums.json").unlink()
    reporter = MemoryReporter()
    resumed = train(spec, dataset=dataset, out=tmp_path, reporter=reporter, resume=tmp_path)
    assert_equal_bits(expected, weights(resumed))
    assert reporter.series("loss")[0][0] == 6
    warnings = [event.message for event in reporter.batch.events if event.kind == "warning"]
    assert any("optimizer.safetensors does not match its checksum" in message for message in warnings)
    assert any("checksums.json" in message for message in warnings)


def test_a_checkpoint_of_another_configuration_is_refused(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    other = make_spec(optimizer={"kind": "adamw", "lr": 1e-3}, seed=1)
    with pytest.raises(InputError, match=r"optimizer.lr is 0.005 in the checkpoint and 0.001 now; seed is 0"):
        train(other, dataset=dataset, out=tmp_path, reporter=MemoryReporter(), resume=tmp_path)


def test_weights_that_are_no_numbers_are_refused_or_left_to_the_controller(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    newest = Path(train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter())["checkpoint"])
    tensors = safetensors.torch.load_file(newest / "model.safetensors")
    tensors["embedding.weight"][3, :2] = float("inf")
    safetensors.torch.save_file(tensors, newest / "model.safetensors")
    sums = json.loads((newest / "checksums.json").read_text())
    sums["model.safetensors"] = hashlib.sha256((newest / "model.safetensors").read_bytes()).hexdigest()
    (newest / "checksums.json").write_text(json.dumps(sums))
    message = r"holds values that are NaN or infinite, in embedding\.weight: 2"
    with pytest.raises(InputError, match=message + r"\. Resume from an earlier one"):
        train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter(), resume=tmp_path)
    reporter = MemoryReporter()
    watched = make_spec(monitoring={"mode": "auto"})
    train(watched, dataset=dataset, out=tmp_path, reporter=reporter, resume=tmp_path)
    reporter.flush()
    warnings = [event.message for event in reporter.batch.events if event.kind == "warning"]
    assert any(re.search(message, warning) for warning in warnings)


def test_nothing_to_resume_is_said(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    with pytest.raises(CheckpointError, match="no sound checkpoint"):
        train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter(), resume=tmp_path)


def test_a_fresh_run_never_takes_up_what_lies_in_its_folder(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    first = train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    expected = weights(first)
    again = train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    assert_equal_bits(expected, weights(again))
    assert len(list(tmp_path.glob("checkpoints-until-*"))) == 1


def test_the_last_checkpoint_is_a_model_that_loads(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    summary = train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    model, spec, vocab_size = load_model(Path(summary["checkpoint"]))
    assert (spec, vocab_size) == (make_spec().model, 64)
    assert sum(p.numel() for p in model.parameters()) == summary["num_parameters"]
