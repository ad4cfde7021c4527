"""Planted faults: the controller brings a run back, and the trainer does what it is told."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workers.monitoring.telemetry import Decision, Telemetry
from workers.reporter import MemoryReporter
from workers.specs.events import Finding, Intervention
from workers.specs.training import TrainingSpec
from workers.training import engine as engine_module
from workers.training.errors import TrainingStopped
from workers.training.silence import NoWatch
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]
WATCHED = {
    "mode": "auto",
    "detectors": [{"kind": "non_finite"}, {"kind": "spike", "min_steps": 16, "window_steps": 32}],
}


class Scripted(NoWatch):
    """Acts at one step as it is told: what the trainer does with a decision is tested apart from detection."""

    def __init__(self, step: int, decision: Decision, after: bool = False) -> None:
        super().__init__()
        self.script: dict[tuple[int, bool], Decision] = {(step, after): decision}
        self.led_to: list[int | None] = []

    def before_update(self, telemetry: Telemetry) -> Decision:
        return self._act(telemetry.step, False)

    def after_update(self, telemetry: Telemetry) -> Decision:
        return self._act(telemetry.step, True)

    def _act(self, step: int, after: bool) -> Decision:
        decision = self.script.pop((step, after), Decision())
        if decision.interventions:
            self.lr_scale *= 0.5
        return decision

    def rolled_back(self, to_step: int | None) -> list[Intervention]:
        self.led_to.append(to_step)
        return []


def decide(onset: int, step: int, **fields: Any) -> Decision:
    intervention = Intervention(
        id="i1", step=step, action="rollback", after={"lr_scale": 0.5}, evidence={"onset": onset}
    )
    finding = Finding(id="f1", detector="spike", step=step, message="loss")
    return Decision(findings=[finding], interventions=[intervention], **fields)


def run(
    monkeypatch: pytest.MonkeyPatch, watch: Scripted, spec: TrainingSpec, dataset: Path, out: Path
) -> tuple[MemoryReporter, dict[str, Any]]:
    monkeypatch.setattr(engine_module, "build_controller", lambda _: watch)
    reporter = MemoryReporter()
    summary = train(spec, dataset=dataset, out=out, reporter=reporter)
    reporter.flush()
    return reporter, summary


@pytest.mark.parametrize("after", [False, True])
def test_a_rollback_goes_to_before_the_onset_and_leaves_batches_out(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path, make_spec: MakeSpec, after: bool
) -> None:
    decision = decide(8, 9, rollback=True, rollback_before_step=8, skip_batches=4, discard_update=not after)
    watch = Scripted(9, decision, after)
    spec = make_spec(checkpointing={"every_steps": 3}, num_steps=12)
    reporter, summary = run(monkeypatch, watch, spec, dataset, tmp_path)
    assert watch.led_to == [6]
    assert [step for step, _ in reporter.series("loss")] == [*range(9), *range(6, 12)]
    event = next(e for e in reporter.batch.events if e.kind == "rollback")
    assert (event.step, event.data["from_step"], event.data["branch"]) == (6, 9, 1)
    assert list(event.data["skipped"]) == [(8, 12)]
    # Steps 6 and 7 see their batches again; from step 8 on the four from the onset are left out.
    epochs = {
        (c.branch, s): v
        for c in reporter.batch.metrics
        if c.key == "epoch"
        for s, v in zip(c.steps, c.values, strict=True)
    }
    one_batch = epochs[0, 0]
    taken = [round(epochs[1, s] / one_batch) for s in range(6, 12)]
    assert taken == [7, 8, 13, 14, 15, 16]
    assert (summary["rollbacks"], summary["interventions"]) == (1, 1)
    assert summary["tokens"] == 12 * spec.tokens_per_step
    losses = {
        (c.branch, s): v
        for c in reporter.batch.metrics
        if c.key == "loss"
        for s, v in zip(c.steps, c.values, strict=True)
    }
    assert losses[1, 6] == losses[0, 6]


def test_the_state_after_a_rollback_survives_a_kill(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    decision = decide(8, 9, rollback=True, rollback_before_step=8, skip_batches=4, discard_update=True)
    watch = Scripted(9, decision)
    watch.script[10, False] = Decision(stop="over")
    spec = make_spec(checkpointing={"every_steps": 6})
    with pytest.raises(TrainingStopped, match="over") as stopped:
        run(monkeypatch, watch, spec, dataset, tmp_path)
    assert not stopped.value.by_person
    resumed_watch = Scripted(99, Decision())
    monkeypatch.setattr(engine_module, "build_controller", lambda _: resumed_watch)
    reporter = MemoryReporter()
    summary = train(spec, dataset=dataset, out=tmp_path, reporter=reporter, resume=tmp_path)
    assert resumed_watch.lr_scale == 0.5
    assert summary["rollbacks"] == 1
    assert {c.branch for c in reporter.batch.metrics} == {2} or reporter.series("loss")[0][0] == 10


def test_without_a_good_checkpoint_it_goes_on_and_says_so(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    decision = decide(1, 9, rollback=True, rollback_before_step=1, discard_update=True)
    watch = Scripted(9, decision)
    spec = make_spec(checkpointing={"every_steps": 2, "keep": 2})
    reporter, _ = run(monkeypatch, watch, spec, dataset, tmp_path)
    assert watch.led_to == [None]
    assert [step for step, _ in reporter.series("loss")] == list(range(12))
    assert 9 not in dict(reporter.series("update_norm"))
    assert any("no checkpoint from before step 1" in e.message for e in reporter.batch.events)


def explode(make_spec: MakeSpec, monitoring: dict[str, Any], drills: list[dict[str, Any]]) -> TrainingSpec:
    return make_spec(
        num_steps=120,
        schedule={"kind": "wsd", "warmup_steps": 5, "decay_share": 0.2},
        batch={"sequence_tokens": 32, "micro_batch_sequences": 8},
        checkpointing={"every_steps": 10, "keep": 8},
        heldout={"every_steps": 120, "num_batches": 4},
        monitoring=monitoring,
        drills=drills,
    )


def test_a_rate_times_50_is_corrected(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    drill = {"kind": "lr_times", "step": 50, "factor": 50.0}
    watched, alone, calm = MemoryReporter(), MemoryReporter(), MemoryReporter()
    recovered = train(explode(make_spec, WATCHED, [drill]), dataset=dataset, out=tmp_path / "w", reporter=watched)
    left = train(explode(make_spec, {"mode": "off"}, [drill]), dataset=dataset, out=tmp_path / "a", reporter=alone)
    healthy = train(explode(make_spec, WATCHED, []), dataset=dataset, out=tmp_path / "c", reporter=calm)
    assert recovered["rollbacks"] >= 1
    assert recovered["heldout_loss"] < healthy["heldout_loss"] * 1.1
    assert recovered["heldout_loss"] < left["heldout_loss"]
    # Of steps that were undone within themselves nothing is told.
    assert max(lr for _, lr in watched.series("lr")) > 0.1
    assert watched.series("lr")[-1][1] < 5e-3
    watched.flush()
    assert any(i.outcome == "recovered" for i in watched.batch.interventions)


def test_poisoned_batches_are_left_out(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    drill = {"kind": "poisoned_batches", "step": 60, "num_batches": 20}
    reporter = MemoryReporter()
    summary = train(explode(make_spec, WATCHED, [drill]), dataset=dataset, out=tmp_path, reporter=reporter)
    assert summary["rollbacks"] >= 1
    losses = [loss for _, loss in reporter.series("loss")]
    assert max(losses[50:]) > 3.9  # random tokens cost about log 64
    assert max(losses[-30:]) < 3.5
    assert summary["steps"] == 120


def test_a_nan_gradient_never_reaches_the_weights(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    drill = {"kind": "nan_gradient", "step": 30}
    reporter = MemoryReporter()
    summary = train(explode(make_spec, WATCHED, [drill]), dataset=dataset, out=tmp_path, reporter=reporter)
    assert (summary["rollbacks"], summary["interventions"]) == (0, 1)  # its update is discarded, nothing else is needed
    assert all(math.isfinite(loss) for _, loss in reporter.series("loss"))
    assert math.isfinite(summary["heldout_loss"])
    ruined = train(
        explode(make_spec, {"mode": "off"}, [drill]), dataset=dataset, out=tmp_path / "off", reporter=MemoryReporter()
    )
    assert math.isnan(ruined["heldout_loss"])


def test_a_run_that_keeps_exploding_ends_with_a_checkpoint(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    drills = [{"kind": "nan_gradient", "step": step} for step in (20, 30)]
    spec = explode(make_spec, WATCHED | {"policy": {"budget": 1}}, drills)
    with pytest.raises(TrainingStopped, match="budget of 1 interventions is used up"):
        train(spec, dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    assert any((tmp_path / "checkpoints").glob("step-00000030-*"))
