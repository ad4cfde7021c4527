"""Checkpoints: written beside the training, whole or not at all, kept by a policy; a full disk costs no run."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.model.checkpoint import write_tensors
from workers.reporter import MemoryReporter
from workers.specs.events import Event
from workers.specs.training import Checkpointing, TrainingSpec
from workers.storage import file_sha256
from workers.training.checkpoint_store import CheckpointStore, Moment, choose_kept
from workers.training.checkpoints import Contents, open_checkpoint
from workers.training.errors import CheckpointError
from workers.training.publisher import Publisher
from workers.training.saver import Saver
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]
TYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool)
MOMENTS = st.builds(Moment, st.integers(0, 3), st.integers(0, 40), st.none() | st.sampled_from([0.5, 1.0, 1.5, 2.0]))


def events(reporter: MemoryReporter, kind: str) -> list[Event]:
    reporter.flush()
    return [event for event in reporter.batch.events if event.kind == kind]


def test_tensor_files_are_what_safetensors_reads(tmp_path: Path) -> None:
    tensors = {f"{n}": (torch.rand(n + 1, 3) * 100).to(dtype) for n, dtype in enumerate(TYPES)}
    tensors |= {"scalar": torch.tensor(7.0), "empty": torch.empty(0, 4), "turned": torch.rand(5, 3).T}
    assert write_tensors(tmp_path / "t.safetensors", tensors) == file_sha256(tmp_path / "t.safetensors")
    back = safetensors.torch.load_file(tmp_path / "t.safetensors")
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype and torch.equal(back[name], tensor), name


def test_what_is_written_is_the_moment_of_the_call_and_not_a_later_one(tmp_path: Path) -> None:
    policy, reporter = Checkpointing(), MemoryReporter()
    store = CheckpointStore(tmp_path, policy)
    saver = Saver(policy, store, Publisher(None, reporter), reporter, pinned=False)
    weights = torch.zeros(4_000_000)
    for step in range(4):  # each finds the one before still being written
        weights.fill_(step)
        tensors = {"model": {"w": weights}, "losses": {}, "optimizer": {}, "random": {}}
        files = {"trainer.json": json.dumps({"state": {"step": step}}).encode()}
        saver.save(store.path(step, 0), Contents(tensors, files), wait=False)
        weights.fill_(-1)
    saver.finish()
    for step in (1, 2, 3):
        found = open_checkpoint(store.path(step, 0)).tensors("model")["w"]
        assert found.unique().tolist() == [step]


def test_written_beside_or_in_between_it_is_the_same(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    for name, beside in (("beside", True), ("between", False)):
        policy = {"every_steps": 3, "keep": 10, "asynchronous": beside}
        reporter = MemoryReporter()
        train(make_spec(checkpointing=policy), dataset=dataset, out=tmp_path / name, reporter=reporter)
        saved = events(reporter, "checkpoint")
        assert [event.step for event in saved] == [0, 3, 6, 9, 12]
    for folder in sorted((tmp_path / "beside" / "checkpoints").iterdir()):
        for file in folder.glob("*.safetensors"):
            other = tmp_path / "between" / "checkpoints" / folder.name / file.name
            assert file.read_bytes() == other.read_bytes(), file


@given(
    st.lists(MOMENTS, unique_by=lambda moment: moment[:2], max_size=12),
    st.integers(2, 4),
    st.sampled_from([None, 5, 10]),
    st.booleans(),
)
def test_the_policy_keeps_the_newest_every_kth_and_the_best(
    moments: list[Moment], keep: int, every: int | None, best: bool
) -> None:
    policy = Checkpointing(every_steps=5, keep=keep, keep_every_steps=every, keep_best=best)
    kept = choose_kept(moments, policy)
    again = {m for m in moments if any(o.step == m.step and o.branch > m.branch for o in moments)}
    assert not kept & again, "written once more on a newer branch"
    moments = [moment for moment in moments if moment not in again]
    losses = [moment.heldout_loss for moment in moments if moment.heldout_loss is not None]
    for moment in moments:
        num_newer = sum(other[:2] > moment[:2] for other in moments)
        is_best = best and losses and moment.heldout_loss == min(losses)
        is_best = is_best and not any(o.heldout_loss == min(losses) and o[:2] > moment[:2] for o in moments)
        is_kth = every is not None and moment.step > 0 and moment.step % every == 0
        assert (moment in kept) == bool(num_newer < keep or is_best or is_kth), moment


def test_a_run_keeps_what_its_policy_says(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    reporter = MemoryReporter()
    spec = make_spec(
        optimizer={"kind": "adamw", "lr": 0.5},  # far too much: the best model is an early one
        schedule={"kind": "wsd", "warmup_steps": 9},
        checkpointing={"every_steps": 1, "keep": 2, "keep_every_steps": 5},
        heldout={"every_steps": 1, "num_batches": 2},
    )
    train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    losses = {step + 1: loss for step, loss in reporter.series("heldout_loss")}
    best = min(losses, key=lambda step: losses[step])
    assert best < 10
    kept = {int(path.name[5:13]) for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {5, 10, 11, 12, best}


@contextmanager
def full_disk(limit_bytes: int = 50_000) -> Iterator[None]:
    """A limit on file sizes stands in for the disk: writing past it fails in the same way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class FillsTheDisk(MemoryReporter):
    """The disk is full from one step on, and has room again from another on."""

    def __init__(self, first: int, last: int = 1_000) -> None:
        super().__init__()
        self.first, self.last, self.disk = first, last, full_disk()

    def metrics(self, step: int, values: Any, branch: int = 0) -> None:
        super().metrics(step, values, branch)
        if "loss" in values and step == self.first:
            self.disk.__enter__()
        if "loss" in values and step == self.last:
            self.disk.__exit__(None, None, None)


def test_a_disk_that_is_full_for_a_while_costs_nothing_but_checkpoints(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    reporter = FillsTheDisk(4, 9)
    spec = make_spec(checkpointing={"every_steps": 3, "keep": 10})
    summary = train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    assert Path(summary["checkpoint"]).is_dir()
    assert [event.step for event in events(reporter, "checkpoint")] == [0, 3, 12]
    warnings = events(reporter, "warning")
    assert len(warnings) == 2
    assert "Free some space" in warnings[0].message
    assert "The last good one is step-00000003-branch-000." in warnings[0].message
    assert not list((tmp_path / "checkpoints").glob("*partial*"))


@pytest.mark.parametrize("policy", ["continue", "stop"])
def test_a_full_disk_ends_the_run_at_once_or_at_its_end(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, policy: str
) -> None:
    whole = train(make_spec(), dataset=dataset, out=tmp_path / "whole", reporter=MemoryReporter())
    spec = make_spec(checkpointing={"every_steps": 3, "keep": 10, "on_failure": policy})
    reporter = FillsTheDisk(4)
    with pytest.raises(CheckpointError, match="cannot be written"):
        train(spec, dataset=dataset, out=tmp_path / "run", reporter=reporter)
    reporter.disk.__exit__(None, None, None)
    done = len(reporter.series("loss"))
    assert done == 12 if policy == "continue" else 6 <= done <= 9
    resumed = train(spec, dataset=dataset, out=tmp_path / "run", reporter=MemoryReporter(), resume=tmp_path / "run")
    for name in ("model", "optimizer"):
        files = [Path(summary["checkpoint"]) / f"{name}.safetensors" for summary in (whole, resumed)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_what_a_killed_process_left_half_written_is_cleared_away(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    left = tmp_path / "checkpoints" / ".step-00000012-branch-000.1.partial"
    left.mkdir()
    (left / "model.safetensors.partial").write_bytes(b"half")
    train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter(), resume=tmp_path)
    assert not left.exists()


def test_steps_that_have_no_checkpoint_cannot_be_kept(make_spec: MakeSpec) -> None:
    with pytest.raises(ValueError, match="keep_every_steps 150 is no multiple of every_steps 100"):
        make_spec(checkpointing={"keep_every_steps": 150})
