"""Several processes: the same training as one, commands and failures through the parent, and none left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.reporter import FencedError, MemoryReporter
from workers.specs.events import Command
from workers.specs.training import TrainingSpec
from workers.training.errors import InputError, TrainingStopped
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]
TWO = {"num_processes": 2}


@pytest.fixture(autouse=True)
def one_thread_a_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def batch(micro: int, passes: int = 2) -> dict[str, int]:
    return {"sequence_tokens": 32, "micro_batch_sequences": micro, "accumulation": passes}


def ranks_of(out: Path) -> list[int]:
    """Living processes whose job is below `out`'s folder: found by their working files, not by name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if f"HEADRACE_TEST_MARK={out}".encode() in environment and state != "Z":
            found.append(int(folder.name))
    return found


@pytest.fixture
def one(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> MemoryReporter:
    """What one process reports of the run that the tests share out."""
    reporter = MemoryReporter()
    train(make_spec(batch=batch(4)), dataset=dataset, out=tmp_path / "one", reporter=reporter)
    return reporter


def test_two_processes_train_as_one(dataset: Path, tmp_path: Path, make_spec: MakeSpec, one: MemoryReporter) -> None:
    two = MemoryReporter()
    published: list[int] = []
    summary = train(
        make_spec(batch=batch(2), resources=TWO),
        dataset=dataset,
        out=tmp_path / "two",
        reporter=two,
        publish=lambda folder, step: published.append(step),
    )
    for key in ("loss", "grad_norm", "heldout_loss"):
        assert [v for _, v in two.series(key)] == pytest.approx([v for _, v in one.series(key)], rel=2e-3), key
    assert published[-1] == 12
    assert summary["tokens"] == 12 * 256
    assert Path(summary["checkpoint"]).is_dir()


def test_commands_reach_all_processes_and_a_stopped_run_resumes(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    class Stops(MemoryReporter):
        def metrics(self, step: int, values: Any, branch: int = 0) -> None:
            super().metrics(step, values, branch)
            if step == 2 and "loss" in values:
                self.pending.append(Command(id="halt", kind="stop"))

    spec = make_spec(batch=batch(2), resources=TWO, num_steps=500, checkpointing={"every_steps": 500})
    reporter = Stops()
    with pytest.raises(TrainingStopped) as stopped:
        train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    assert stopped.value.by_person
    reporter.flush()
    assert reporter.batch.acks == ["halt"]
    again, last = Stops(), reporter.series("loss")[-1][0]
    again.pending.append(Command(id="halt", kind="stop"))
    with pytest.raises(TrainingStopped):
        train(spec, dataset=dataset, out=tmp_path, reporter=again, resume=tmp_path)
    again.flush()
    assert next(e.step for e in again.batch.events if e.kind == "resume") == last + 1


class StopsAfter(MemoryReporter):
    """Asks for a stop once so many steps are done."""

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        self.num_steps = num_steps

    def metrics(self, step: int, values: Any, branch: int = 0) -> None:
        super().metrics(step, values, branch)
        if step + 1 == self.num_steps and "loss" in values:
            self.pending.append(Command(id="halt", kind="stop"))


def test_a_run_goes_on_with_two_processes_and_again_with_one(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, one: MemoryReporter
) -> None:
    out = tmp_path / "changing"
    spec = make_spec(batch=batch(4))
    first, second, third = StopsAfter(4), MemoryReporter(), MemoryReporter()
    with pytest.raises(TrainingStopped):
        train(spec, dataset=dataset, out=out, reporter=first)
    wider = make_spec(batch=batch(4, passes=1), resources=TWO)
    train(wider, dataset=dataset, out=out, reporter=second, resume=out)
    middle = next(path for path in (out / "checkpoints").glob("step-00000006-*"))
    train(spec, dataset=dataset, out=out, reporter=third, resume=middle)
    assert [step for step, _ in second.series("loss")] == list(range(4, 12))
    assert [step for step, _ in third.series("loss")] == list(range(6, 12))
    for key in ("loss", "grad_norm", "heldout_loss", "epoch", "tokens"):
        expected = dict(one.series(key))
        for reporter in (first, second, third):
            for step, value in reporter.series(key):
                assert value == pytest.approx(expected[step], rel=1e-4), (key, step)
    twice = make_spec(batch=batch(4), resources=TWO)
    with pytest.raises(InputError, match=r"batch.sequences is 8 in the checkpoint and 16 now \(of one step over all"):
        train(twice, dataset=dataset, out=out, reporter=MemoryReporter(), resume=out)


def test_a_rank_that_is_killed_starts_again_with_the_others(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, one: MemoryReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "killed"
    monkeypatch.setenv("HEADRACE_TEST_MARK", str(out))

    class Kills(MemoryReporter):
        def metrics(self, step: int, values: Any, branch: int = 0) -> None:
            super().metrics(step, values, branch)
            if step == 8 and branch == 0 and "loss" in values:
                os.kill(rank_process(out, 1), signal.SIGKILL)

    reporter = Kills()
    spec = make_spec(batch=batch(2), resources=TWO)
    summary = train(spec, dataset=dataset, out=out, reporter=reporter)
    assert summary["steps"] == 12
    steps = [step for step, _ in reporter.series("loss")]
    assert steps[-6:] == list(range(6, 12)) and len(steps) > 12
    reporter.flush()
    assert any("a training process died" in event.message for event in reporter.batch.events)
    assert next(event.step for event in reporter.batch.events if event.kind == "resume") == 6
    expected = dict(one.series("loss"))
    for step, loss in reporter.series("loss"):
        assert loss == pytest.approx(expected[step], rel=2e-3), step
    found = {(step, loss) for step, loss in reporter.series("loss")}
    assert len(found) == 12  # a step that was done twice had the same loss, to the last bit


def rank_process(out: Path, rank: int) -> int:
    """Process id of a rank of the job below `out`."""
    return next(pid for pid in ranks_of(out) if f"\0RANK={rank}\0".encode() in environment_of(pid))


def environment_of(pid: int) -> bytes:
    return b"\0" + Path(f"/proc/{pid}/environ").read_bytes() + b"\0"


def test_failures_of_ranks_and_fences_come_through(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    spec = make_spec(batch={"sequence_tokens": 3_000, "micro_batch_sequences": 1}, resources=TWO)
    with pytest.raises(InputError, match="the held-out part has"):
        train(spec, dataset=dataset, out=tmp_path, reporter=MemoryReporter())

    class Fenced(MemoryReporter):
        def commands(self) -> list[Command]:
            raise FencedError("attempt 2 exists")

    with pytest.raises(FencedError):
        train(make_spec(resources=TWO), dataset=dataset, out=tmp_path, reporter=Fenced())


def test_the_ranks_die_with_their_parent(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    spec = make_spec(batch=batch(2), resources=TWO, num_steps=100_000)
    spec_file = tmp_path / "spec.yaml"
    spec_file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    command = [
        sys.executable,
        "-m",
        "workers.training",
        str(spec_file),
        "--dataset",
        str(dataset),
        "--out",
        str(tmp_path),
    ]
    environment = os.environ | {"HEADRACE_TEST_MARK": str(tmp_path)}
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any((tmp_path / "checkpoints").glob("step-00000006-*")), 90)
    assert len(ranks_of(tmp_path)) >= 4  # parent, torchrun, two ranks
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    wait_until(lambda: not ranks_of(tmp_path), 20)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
