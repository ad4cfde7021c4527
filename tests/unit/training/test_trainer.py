"""What a training run reports, refuses and survives."""

import math
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from counting_language import write_dataset

from workers.reporter import FencedError, MemoryReporter
from workers.specs.events import Command
from workers.specs.training import TrainingSpec
from workers.training.__main__ import read_spec
from workers.training.errors import CheckpointError, InputError
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]
SERIES = ("loss", "grad_norm", "update_norm", "lr", "lr_scale", "clip_norm", "tokens_per_second", "tokens", "epoch")


def commands_at(orders: dict[int, Command]) -> MemoryReporter:
    """A reporter that hands out a command once the step is done."""

    class Orders(MemoryReporter):
        def metrics(self, step: int, values: Any, branch: int = 0) -> None:
            super().metrics(step, values, branch)
            if "loss" in values and step in orders:
                self.pending.append(orders.pop(step))

    return Orders()


def test_every_step_is_reported_and_the_model_learns(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    reporter = MemoryReporter()
    spec = make_spec(num_steps=60, heldout={"every_steps": 20, "num_batches": 4})
    summary = train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    for key in SERIES:
        assert [step for step, _ in reporter.series(key)] == list(range(60)), key
    assert [step for step, _ in reporter.series("heldout_loss")] == [19, 39, 59]
    assert summary["heldout_loss"] == reporter.series("heldout_loss")[-1][1]
    assert summary["first_loss"] == pytest.approx(math.log(64), abs=0.1)
    assert summary["heldout_loss"] < summary["unigram_loss"] * 0.9
    assert summary["bigram_loss"] < summary["unigram_loss"]
    assert summary["tokens"] == 60 * spec.tokens_per_step == reporter.series("tokens")[-1][1]
    assert all(norm <= 1.0 + 1e-6 for _, norm in reporter.series("clip_norm"))
    kinds = [event.kind for event in reporter.batch.events]
    assert kinds.index("stage") < kinds.index("checkpoint") < kinds.index("summary")


def test_accumulated_passes_equal_one_large_pass(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    losses = []
    for micro, passes in ((8, 1), (2, 4)):
        reporter = MemoryReporter()
        batch = {"sequence_tokens": 32, "micro_batch_sequences": micro, "accumulation": passes}
        train(make_spec(batch=batch), dataset=dataset, out=tmp_path / str(micro), reporter=reporter)
        losses.append([value for _, value in reporter.series("loss")])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_checkpoints_are_published_and_only_the_newest_kept(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    published = []
    spec = make_spec(checkpointing={"every_steps": 2, "keep": 2})

    def publish(folder: Path, step: int) -> None:
        assert (folder / "checksums.json").is_file()
        published.append(step)

    summary = train(spec, dataset=dataset, out=tmp_path, reporter=MemoryReporter(), publish=publish)
    assert published == sorted(published)
    assert published[-1] == 12
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept[-1] == Path(summary["checkpoint"]).name == "step-00000012-branch-000"
    assert kept[-2] == "step-00000010-branch-000"


def test_a_slow_upload_does_not_hold_up_training_and_its_folder_stays(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    release, seen = threading.Event(), []

    def publish(folder: Path, step: int) -> None:
        if not seen:
            assert release.wait(60)
        seen.append((step, (folder / "model.safetensors").is_file()))

    class Releases(MemoryReporter):
        def metrics(self, step: int, values: Any, branch: int = 0) -> None:
            if step == 11:  # training came to its end while the first upload still stood
                release.set()

    train(
        make_spec(checkpointing={"every_steps": 1, "keep": 2}),
        dataset=dataset,
        out=tmp_path,
        reporter=Releases(),
        publish=publish,
    )
    assert seen[0] == (0, True)
    assert seen[-1] == (12, True)
    assert all(there for _, there in seen)
    assert len(seen) <= 6


def test_a_failed_last_upload_fails_the_run(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    def publish(folder: Path, step: int) -> None:
        if step == 12:
            raise OSError("the store is away")

    with pytest.raises(CheckpointError, match="the store is away"):
        train(make_spec(), dataset=dataset, out=tmp_path, reporter=MemoryReporter(), publish=publish)


def test_people_change_rate_and_clip_and_go_back(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    reporter = commands_at(
        {
            1: Command(id="a", kind="set_lr_scale", arguments={"value": 0.5}),
            3: Command(id="b", kind="set_clip", arguments={"value": 0.01}),
            7: Command(id="c", kind="rollback", arguments={"step": 6}),
            9: Command(id="d", kind="set_clip", arguments={"value": "tight"}),
            10: Command(id="e", kind="checkpoint"),
        }
    )
    train(make_spec(), dataset=dataset, out=tmp_path, reporter=reporter)
    reporter.flush()
    assert reporter.batch.acks == ["a", "b", "c", "d", "e"]
    assert dict(reporter.series("lr_scale"))[1] == 1.0
    assert dict(reporter.series("lr_scale"))[2] == 0.5
    assert all(norm == pytest.approx(0.01) for step, norm in reporter.series("clip_norm") if step >= 4)
    assert [step for step, _ in reporter.series("loss")] == [*range(8), *range(6, 12)]
    branches = [(s, c.branch) for c in reporter.batch.metrics if c.key == "loss" for s in c.steps]
    assert branches == [(s, 0) for s in range(8)] + [(s, 1) for s in range(6, 12)]
    assert next(e.message for e in reporter.batch.events if e.kind == "warning").startswith("command set_clip")
    assert (tmp_path / "checkpoints" / "step-00000011-branch-001").is_dir()
    done = [(i.action, i.after, i.outcome) for i in reporter.batch.interventions]
    assert done == [
        ("scale_lr", {"lr_scale": 0.5}, "done"),
        ("set_clip", {"clip_scale": 0.01, "limit": 0.01}, "done"),
        ("rollback", {"step": 6}, "done"),
        ("set_clip", {}, "refused"),
        ("checkpoint_now", {"step": 11}, "done"),
    ]


def test_people_set_the_rate_itself_leave_batches_out_and_change_the_mode(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    reporter = commands_at(
        {
            3: Command(id="a", kind="set_lr", arguments={"value": 1e-4}, author="ada"),
            5: Command(id="b", kind="skip", arguments={"batches": 3}, author="ada"),
            7: Command(id="c", kind="set_mode", arguments={"mode": "shadow"}),
            8: Command(id="d", kind="set_mode", arguments={"mode": "bold"}),
            9: Command(id="e", kind="rollback", arguments={"step": 99}),
        }
    )
    spec = make_spec(monitoring={"mode": "auto"})
    train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    reporter.flush()
    lr, epoch = dict(reporter.series("lr")), dict(reporter.series("epoch"))
    assert lr[3] == pytest.approx(5e-3) and lr[4] == pytest.approx(1e-4)
    one_batch = epoch[0]
    assert [round(epoch[step] / one_batch) for step in (5, 6, 7)] == [6, 10, 11]
    told = {i.id: i for i in reporter.batch.interventions}
    assert [told[f"command-{name}"].outcome for name in "abcde"] == ["done", "done", "done", "refused", "refused"]
    assert told["command-a"].author == "ada" and told["command-a"].after["lr"] == 1e-4
    assert told["command-c"].before == {"mode": "auto"} and "training is at step" in told["command-e"].evidence["error"]


def test_a_pause_outlives_the_process_where_somebody_can_end_it(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    class Asked(MemoryReporter):
        takes_commands = True
        polls = 0

        def commands(self) -> list[Command]:
            self.polls += 1
            return [Command(id=f"r{self.polls}", kind="resume")] if self.polls == 4 else []

    first = commands_at({4: Command(id="p", kind="pause")})
    halted = first.commands

    def pause_then_die() -> list[Command]:
        if "p" in first.batch.acks:
            raise FencedError("killed")
        taken = halted()
        first.flush()
        return taken

    first.commands = pause_then_die  # type: ignore[method-assign]
    with pytest.raises(FencedError):
        train(make_spec(), dataset=dataset, out=tmp_path, reporter=first)
    second = Asked()
    train(make_spec(), dataset=dataset, out=tmp_path, reporter=second, resume=tmp_path)
    second.flush()
    assert [i.action for i in second.batch.interventions] == ["resume"]
    notes = [e.message for e in second.batch.events if e.kind == "note" and "at step" in e.message]
    assert notes == ["paused at step 5", "resumed at step 5"]


def test_pause_waits_for_resume(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    class Patient(MemoryReporter):
        polls = 0

        def commands(self) -> list[Command]:
            self.polls += 1
            return {
                3: [Command(id="p", kind="pause")],
                6: [Command(id="r", kind="resume")],
            }.get(self.polls, [])

    reporter = Patient()
    train(make_spec(), dataset=dataset, out=tmp_path, reporter=reporter)
    reporter.flush()
    times = next(c.times for c in reporter.batch.metrics if c.key == "loss")
    assert times[2] - times[1] >= 0.55
    assert reporter.batch.acks == ["p", "r"]
    assert len(times) == 12


def test_a_fence_stops_the_process(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    class Fenced(MemoryReporter):
        def commands(self) -> list[Command]:
            if self.series("loss"):
                raise FencedError("attempt 2 exists")
            return []

    reporter = Fenced()
    with pytest.raises(FencedError):
        train(make_spec(), dataset=dataset, out=tmp_path, reporter=reporter)
    assert len(reporter.series("loss")) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": {"sequence_tokens": 30_000}}, "training tokens, one step needs"),
        ({"batch": {"sequence_tokens": 3_000, "micro_batch_sequences": 2}}, "the held-out part has"),
    ],
)
def test_a_dataset_that_is_too_small_is_refused(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, changes: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train(make_spec(**changes), dataset=dataset, out=tmp_path, reporter=MemoryReporter())


def test_a_folder_without_dataset_and_a_torn_one_are_refused(tmp_path: Path, make_spec: MakeSpec) -> None:
    with pytest.raises(InputError, match="is no dataset folder"):
        train(make_spec(), dataset=tmp_path, out=tmp_path / "out", reporter=MemoryReporter())
    torn = write_dataset(tmp_path / "torn")
    shard = next(torn.glob("train-00001.tokens"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match="its manifest says"):
        train(make_spec(), dataset=torn, out=tmp_path / "out", reporter=MemoryReporter())
    for content in (shard.read_bytes()[:-1], b""):
        shard.write_bytes(content)
        with pytest.raises(InputError, match=rf"train-00001\.tokens is torn: {len(content):,} bytes"):
            train(make_spec(), dataset=torn, out=tmp_path / "out", reporter=MemoryReporter())


def test_a_place_for_checkpoints_that_is_none_and_a_spec_without_fields_are_said(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    (tmp_path / "spec.yaml").write_text("# nothing yet\n")
    with pytest.raises(CheckpointError, match=r"no folder for checkpoints can be made at .*: Not a directory"):
        train(make_spec(), dataset=dataset, out=tmp_path / "spec.yaml", reporter=MemoryReporter())
    with pytest.raises(InputError, match=r"spec\.yaml holds no fields: a training spec is a YAML mapping"):
        read_spec(tmp_path / "spec.yaml")


def test_tokens_outside_the_vocabulary_are_refused(tmp_path: Path, make_spec: MakeSpec) -> None:
    wrong = write_dataset(tmp_path / "wrong")
    info = (wrong / "dataset.json").read_text()
    (wrong / "dataset.json").write_text(info.replace('"vocab_size": 64', '"vocab_size": 40'))
    with pytest.raises(InputError, match=r"has token 63, its vocabulary ends at 39"):
        train(make_spec(), dataset=wrong, out=tmp_path / "out", reporter=MemoryReporter())


def test_a_full_disk_fails_with_advice_and_leaves_nothing_half_written(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    spec_file = tmp_path / "spec.yaml"
    spec_file.write_text(make_spec(model={"d_model": 128, "d_ffn": 512}).model_dump_json())
    # A limit on file sizes stands in for the disk: writing past it fails in the same way.
    limit = (200_000, 200_000)
    done = subprocess.run(
        [sys.executable, "-m", "workers.training", str(spec_file), "--dataset", str(dataset), "--out", str(tmp_path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "cannot be written" in done.stderr and "Free some space" in done.stderr
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_command_line_names_each_wrong_field(dataset: Path, tmp_path: Path) -> None:
    spec_file = tmp_path / "spec.yaml"
    spec_file.write_text("kind: training\nnum_steps: 0\noptimizer: {kind: adamw, learning_rate: 1}\n")
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
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "/num_steps" in done.stderr and "learning_rate" in done.stderr


def test_people_leave_batches_out_and_set_the_mode(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    reporter = commands_at(
        {
            2: Command(id="a", kind="skip", arguments={"batches": 3}),
            4: Command(id="b", kind="skip", arguments={"batches": 0}),
            5: Command(id="c", kind="set_mode", arguments={"mode": "shadow"}),
            6: Command(id="d", kind="set_mode", arguments={"mode": "bold"}),
        }
    )
    spec = make_spec(monitoring={"mode": "auto"})
    train(spec, dataset=dataset, out=tmp_path / "skips", reporter=reporter)
    reporter.flush()
    assert reporter.batch.acks == ["a", "b", "c", "d"]
    (told,) = [i for i in reporter.batch.interventions if i.action == "skip_batches"]
    assert told.after == {"skip_batches": 3} and told.cost_steps == 3 and told.outcome == "done"
    warnings = [e.message for e in reporter.batch.events if e.kind == "warning" and e.message.startswith("command")]
    assert len(warnings) == 2 and "batches" in warnings[0] and "bold" in warnings[1]
    assert any("controller mode is shadow" in e.message for e in reporter.batch.events)
    plain = MemoryReporter()
    train(spec, dataset=dataset, out=tmp_path / "plain", reporter=plain)
    skipped, whole = dict(reporter.series("loss")), dict(plain.series("loss"))
    skip_from = told.step
    assert skipped.keys() == whole.keys()  # the number of steps stays
    assert all(skipped[step] == whole[step] for step in range(skip_from))
    assert skipped[skip_from] != whole[skip_from]  # another batch
