"""What the controller asks of the trainer beside roll-back and skipping: settings, moments, holds, answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workers.monitoring.telemetry import Decision, Settings, Telemetry
from workers.reporter import MemoryReporter
from workers.specs.events import Command
from workers.specs.training import TrainingSpec
from workers.training import engine as engine_module
from workers.training.clipping.zclip import ZClipClipper
from workers.training.errors import TrainingStopped
from workers.training.loop import Loop
from workers.training.publisher import Publisher
from workers.training.silence import NoWatch
from workers.training.trainer import begin, build_engine, train

MakeSpec = Callable[..., TrainingSpec]


class Setting(NoWatch):
    """Sets things at one step."""

    def __init__(self, step: int, settings: Settings | None = None, decision: Decision | None = None) -> None:
        super().__init__()
        self._step, self._wanted, self._decision = step, settings, decision

    def before_update(self, telemetry: Telemetry) -> Decision:
        if telemetry.step != self._step:
            return Decision()
        self.settings = self._wanted or self.settings
        return self._decision or Decision()


def run(monkeypatch: pytest.MonkeyPatch, watch: NoWatch, spec: TrainingSpec, dataset: Path, out: Path) -> Any:
    monkeypatch.setattr(engine_module, "build_controller", lambda _: watch)
    reporter = MemoryReporter()
    engine = build_engine(spec, dataset, out, reporter, Publisher(None, reporter))
    begin(engine, None, 0)
    Loop(engine).run()
    return engine


def test_settings_reach_clipping_optimizer_and_attention(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    spec = make_spec(telemetry={"every_steps": 1}, optimizer={"kind": "adamw", "lr": 1e-4, "eps": 1e-8})
    settings = Settings(clipping="zclip", max_logit=0.01, epsilon_factor=10, beta2=0.9)
    engine = run(monkeypatch, Setting(3, settings), spec, dataset, tmp_path)
    assert isinstance(engine.clipper, ZClipClipper)
    groups = [group for part in engine.optimizers.parts.values() for group in part.param_groups]
    assert {(group["eps"], group["betas"][1]) for group in groups} == {(1e-7, 0.9)}
    logits = dict(engine.reporter.series("max_attention_logit"))
    # Heads are clipped after an update by what its forward pass saw, so the next one may be over by that update.
    assert max(logits[step] for step in range(3)) > 0.02 > max(logits[step] for step in range(5, 12))


def test_moments_are_forgotten(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    engine = run(monkeypatch, Setting(8, decision=Decision(reset_moments=True)), make_spec(), dataset, tmp_path)
    steps = {int(tensor) for name, tensor in engine.optimizers.state_tensors().items() if name.endswith("/step")}
    assert steps == {12 - 8}


def test_a_checkpoint_is_written_when_asked(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    run(monkeypatch, Setting(2, decision=Decision(checkpoint=True)), make_spec(), dataset, tmp_path)
    assert (tmp_path / "checkpoints/step-00000003-branch-000").is_dir()


PAUSING = {
    "detectors": [{"kind": "non_finite"}],
    "policy": {"rules": [{"name": "all", "findings": ["non_finite"], "rungs": [[{"kind": "pause"}]]}]},
}
APPROVING = {
    "mode": "approve",
    "detectors": [{"kind": "non_finite"}],
    "policy": {
        "rules": [{"name": "all", "findings": ["non_finite"], "rungs": [[{"kind": "rollback"}, {"kind": "scale_lr"}]]}],
        "approval_seconds": 0.3,
    },
}
NAN = [{"kind": "nan_gradient", "step": 8}]


class Person(MemoryReporter):
    """Reads the warnings and answers, after the reminder if there is one."""

    takes_commands = True

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.num_holds = kind, 0

    def event(self, kind: str, message: str = "", step: int | None = None, **data: Any) -> None:
        super().event(kind, message, step, **data)
        if data.get("hold"):
            self.num_holds += 1
            if self.kind == "resume" or self.num_holds == 2:
                waiting = [i.id for i in self._lists.get("interventions", [])][-1:]
                self.pending.append(Command(id="c", kind=self.kind, arguments={"intervention": "".join(waiting)}))


def test_a_pause_waits_for_a_person(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    reporter = Person("resume")
    spec = make_spec(monitoring=PAUSING, drills=NAN, telemetry={"every_steps": 0})
    summary = train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    assert summary["steps"] == 12 and reporter.num_holds == 1


def test_without_anyone_to_ask_a_pause_is_a_stop_with_a_checkpoint_that_still_waits(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    spec = make_spec(monitoring=PAUSING, drills=NAN)
    with pytest.raises(TrainingStopped, match="Paused by the policy at step 8"):
        train(spec, dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    reporter = Person("resume")
    summary = train(spec, dataset=dataset, out=tmp_path, reporter=reporter, resume=tmp_path)
    assert reporter.num_holds == 1, "the hold was in the checkpoint"
    assert summary["steps"] == 12


@pytest.mark.parametrize(("answer", "outcome", "rollbacks"), [("approve", "recovered", 1), ("reject", "rejected", 0)])
def test_a_proposal_is_reminded_of_and_answered(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, answer: str, outcome: str, rollbacks: int
) -> None:
    reporter = Person(answer)
    spec = make_spec(monitoring=APPROVING, drills=NAN, num_steps=24)
    summary = train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    reporter.flush()
    assert reporter.num_holds == 2 and summary["rollbacks"] == rollbacks
    outcomes = {i.id: i.outcome for i in reporter.batch.interventions}
    assert list(outcomes.values()) == [outcome]
