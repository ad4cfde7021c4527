"""What would have been without an intervention: the same run again, with it and without, from the pinned checkpoint."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.reporter import MemoryReporter
from workers.specs.events import Command, Intervention
from workers.specs.training import TrainingSpec
from workers.training.__main__ import main
from workers.training.errors import InputError
from workers.training.pins import MAX_PINS, Pins, read_pin
from workers.training.replay import replay, verdict
from workers.training.replay_command import find_pin, replay_of
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]


def struck(make_spec: MakeSpec, **changes: Any) -> TrainingSpec:
    detectors = [{"kind": "non_finite"}, {"kind": "spike", "min_steps": 16, "window_steps": 32}]
    settings: dict[str, Any] = {
        "num_steps": 90,
        "batch": {"sequence_tokens": 32, "micro_batch_sequences": 8},
        "checkpointing": {"every_steps": 10, "keep": 2},
        "heldout": {"every_steps": 90, "num_batches": 8},
        "telemetry": {"every_steps": 0, "probe_every_steps": 0},
        "monitoring": {"mode": "auto", "detectors": detectors},
        "drills": [{"kind": "lr_times", "step": 40, "factor": 30.0}],
    }
    return make_spec(**settings | changes)


def test_the_way_with_it_is_the_run_itself_and_the_verdict_says_that_it_helped(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, reporter = struck(make_spec), MemoryReporter()
    train(spec, dataset=dataset, out=tmp_path / "run", reporter=reporter)
    reporter.flush()
    original = dict(reporter.series("loss"))
    records = {i.id: i for i in reporter.batch.interventions}
    _, record = find_pin(tmp_path / "run", "1")
    assert records[record.id].evidence["checkpoint"] == "step-00000040-branch-000"
    assert not (tmp_path / "run" / "checkpoints" / "step-00000030-branch-000").exists(), "it outlives its checkpoint"

    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    common = ["replay", str(path), "--dataset", str(dataset), "--out", str(tmp_path / "run")]
    assert main([*common, "--intervention", "1", "--window", "30"]) == 0
    found = json.loads(capsys.readouterr().out)["replay"]
    assert found["verdict"] == "helped" and found["intervention"] == record.id
    ways = found["curves"]
    assert ways["with"]["steps"] == ways["without"]["steps"] == list(range(40, record.step + 30))
    again = dict(zip(ways["with"]["steps"], ways["with"]["losses"], strict=True))
    assert again == {step: pytest.approx(original[step], abs=1e-5) for step in again}
    assert max(ways["without"]["losses"]) > 1.5 * max(ways["with"]["losses"])
    assert ways["with"]["heldout_loss"] < ways["without"]["heldout_loss"]
    assert ways["with"]["num_steps"] > ways["without"]["num_steps"] == len(ways["without"]["steps"])
    assert ways["with"]["interventions"] and not ways["without"]["interventions"]

    assert main([*common, "--intervention", "77"]) == 2
    assert "for intervention 77; there are: intervention-1-" in capsys.readouterr().err


def test_what_a_person_did_is_replayed_and_other_actions_can_be_tried(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    class Asks(MemoryReporter):
        def metrics(self, step: int, values: Any, branch: int = 0) -> None:
            super().metrics(step, values, branch)
            if step == 24 and "loss" in values:
                self.pending.append(Command(id="x", kind="set_lr_scale", arguments={"value": 0.001}, author="ada"))

    spec = struck(make_spec, drills=[], num_steps=70)
    train(spec, dataset=dataset, out=tmp_path / "run", reporter=Asks())
    checkpoint, record = find_pin(tmp_path / "run", "command-x")
    policy = tmp_path / "policy.yaml"
    policy.write_text("{budget: 3, rules: []}")
    wanted = replay_of(record, 30, policy)
    reporter = MemoryReporter()
    found = replay(
        spec.model_copy(update={"replay": wanted}),
        dataset=dataset,
        checkpoint=checkpoint,
        out=tmp_path / "replay",
        reporter=reporter,
    )["replay"]
    assert found["verdict"] == "harmful", "a rate of almost nothing learns nothing"
    assert (found["first_step"], found["last_step"]) == (20, 55)
    assert (
        found["other_verdict"] == "harmless"
        and found["curves"]["other"]["losses"] == found["curves"]["without"]["losses"]
    )
    series = dict(reporter.series("replay/with")), dict(reporter.series("replay/without"))
    assert series[0][24] == series[1][24] and series[0][54] > series[1][54]


@pytest.mark.parametrize(
    ("with_it", "without", "expected"),
    [
        (2.0, 2.5, "helped"),
        (2.5, 2.0, "harmful"),
        (2.0, 2.01, "harmless"),
        (2.0, float("nan"), "helped"),
        (float("nan"), 2.0, "harmful"),
        (float("nan"), float("inf"), "harmless"),
    ],
)
def test_verdicts(with_it: float, without: float, expected: str) -> None:
    assert verdict(with_it, without) == expected


def test_the_newest_pins_are_kept_and_a_half_written_one_is_none(tmp_path: Path) -> None:
    checkpoint = tmp_path / "step-00000001-branch-000"
    checkpoint.mkdir()
    (checkpoint / "trainer.json").write_text("{}")
    pins = Pins(tmp_path / "pinned")
    for number in range(MAX_PINS + 3):
        pins.pin(checkpoint, Intervention(id=f"intervention-{number}-7", step=7, action="rollback"))
    assert len(pins.all()) == MAX_PINS
    assert read_pin(pins.all()[-1]).id == f"intervention-{MAX_PINS + 2}-7"
    (tmp_path / "pinned" / "intervention-99-9").mkdir()
    assert len(pins.all()) == MAX_PINS
    pins.pin(tmp_path / "gone", Intervention(id="intervention-55-7", step=7, action="rollback"))
    assert not (tmp_path / "pinned" / "intervention-55-7").exists()


def test_what_cannot_be_replayed_is_refused(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    with pytest.raises(InputError, match="say which intervention"):
        replay(make_spec(), dataset=dataset, checkpoint=tmp_path, out=tmp_path, reporter=MemoryReporter())
    several = make_spec(replay={"intervention": "a"}, resources={"num_processes": 2})
    with pytest.raises(InputError, match="one process"):
        replay(several, dataset=dataset, checkpoint=tmp_path, out=tmp_path, reporter=MemoryReporter())
    bad = tmp_path / "bad.yaml"
    bad.write_text("{budget: 0}")
    with pytest.raises(InputError, match="/budget"):
        replay_of(Intervention(id="intervention-1-1", step=1, action="stop"), 10, bad)
