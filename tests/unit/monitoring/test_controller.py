"""What the controller does about a fault, seen from the training loop."""

import math

import numpy as np
import pytest

from workers.monitoring import build_controller
from workers.monitoring.telemetry import Telemetry
from workers.specs.monitoring import Monitoring, NonFinite, Response, Spike


class Loop:
    """A training loop without a model: its figures follow the planted fault and the controller's orders."""

    def __init__(self, spec, *, lr_fault=None, poison=(), checkpoint_every=20, nan_at=None):
        self.watch = build_controller(spec)
        self.lr_fault, self.poison, self.every, self.nan_at = lr_fault, set(poison), checkpoint_every, nan_at
        self.step, self.skipped, self.damage = 0, set(), 0.0
        self.checkpoints, self.findings, self.interventions, self.stop = {}, [], {}, None
        self.random = np.random.default_rng(0)

    def batch(self):
        """The number of the batch of this step, skipped ones left out."""
        number = self.step
        for skipped in sorted(self.skipped):
            number += skipped <= number
        return number

    def run(self, num_steps):
        for _ in range(num_steps):
            if self.stop:
                return self
            if self.step % self.every == 0 and self.step:
                self.checkpoints[self.step] = self.damage
            self.take_step()
        return self

    def take_step(self):
        batch, fault = self.batch(), 1.0
        if self.lr_fault and self.step >= self.lr_fault[0]:
            fault = self.lr_fault[1]
        bad = batch in self.poison
        noise = math.exp(self.random.normal(0, 0.03))
        loss = (9.0 if bad else 3.0 + self.damage) * noise
        if batch == self.nan_at:
            loss = math.nan
        lr = 0.01 * self.watch.lr_scale * fault
        grad_norm = (5.0 if bad else 0.5) * noise
        if self.obey(self.watch.before_update(Telemetry(self.step, loss, grad_norm, lr)), batch):
            return
        jump = self.watch.lr_scale * fault
        self.damage = 0.9 * self.damage + max(jump - 1.5, 0) + (0.2 if bad else 0)
        if not self.obey(self.watch.after_update(Telemetry(self.step, loss, grad_norm, lr, lr * 100 * noise)), batch):
            self.step += 1

    def obey(self, decision, batch):
        self.findings += decision.findings
        self.interventions |= {i.id: i for i in decision.interventions}
        self.stop = decision.stop
        if decision.rollback:
            # From the first wrong step's batch on; earlier steps are done again with their batches.
            first = batch - (self.step - decision.rollback_before_step)
            self.skipped |= set(range(first, first + decision.skip_batches))
            good = [step for step in self.checkpoints if step <= decision.rollback_before_step]
            if good:
                self.step, self.damage = max(good), self.checkpoints[max(good)]
                self.checkpoints = {s: d for s, d in self.checkpoints.items() if s <= self.step}
            told = self.watch.rolled_back(max(good) if good else None)
            self.interventions |= {i.id: i for i in told}
        return decision.rollback or decision.discard_update

    def outcomes(self):
        return [i.outcome for i in self.interventions.values()]


def test_off_builds_nothing():
    assert build_controller(Monitoring(mode="off")) is None


def test_a_quiet_run_of_3000_steps_is_left_alone(quiet):
    watch = build_controller(Monitoring())
    for t in quiet(50):
        for decision in (watch.before_update(t), watch.after_update(t)):
            assert not (decision.findings or decision.interventions or decision.rollback or decision.discard_update)
    assert (watch.lr_scale, watch.clip_scale) == (1.0, 1.0)


def test_lr_times_50_is_corrected_within_four_interventions():
    loop = Loop(Monitoring(), lr_fault=(110, 50)).run(260)
    assert 1 < len(loop.interventions) <= 4
    assert 1 / 128 < loop.watch.lr_scale < 1.5 / 50
    assert {i.evidence["cause"] for i in loop.interventions.values()} == {"update"}
    assert loop.outcomes() == ["not_recovered"] * (len(loop.outcomes()) - 1) + ["recovered"]
    assert loop.findings[0].step <= 111
    assert loop.damage == 0 and loop.stop is None


def test_a_poisoned_burst_is_skipped_in_growing_strides():
    loop = Loop(Monitoring(), poison=range(110, 130)).run(300)
    assert set(range(110, 130)) <= loop.skipped
    assert len(loop.skipped) < 20 + 20
    assert len(loop.interventions) <= 3
    strides = [i.after["skip_batches"] for i in loop.interventions.values()]
    assert strides == sorted(strides) and strides[0] < strides[-1]
    assert loop.outcomes()[-1] == "recovered"
    assert loop.watch.lr_scale == 0.5, "bad data must not drive the rate to the ground"


def test_nan_is_acted_upon_before_the_update():
    loop = Loop(Monitoring(), nan_at=70).run(140)
    (intervention,) = loop.interventions.values()
    assert intervention.action == "rollback+skip_batches+scale_lr+tighten_clip"
    assert intervention.after == {"step": 60, "skip_batches": 5, "lr_scale": 0.5, "clip_scale": 0.5}
    assert intervention.before == {"step": 70, "lr_scale": 1.0, "clip_scale": 1.0}
    assert (intervention.outcome, intervention.cost_steps) == ("recovered", 11 + 5)
    assert intervention.finding_id == loop.findings[0].id
    assert intervention.evidence["cause"] == "non_finite"


def test_evidence_shows_the_series_around_the_finding():
    loop = Loop(Monitoring(), lr_fault=(110, 50)).run(113)
    evidence = loop.findings[0].evidence
    assert evidence["series"] == "update_norm" and evidence["onset"] == 110
    assert len(evidence["values"]) == len(evidence["steps"]) == 64 and evidence["steps"][-1] == 111
    assert evidence["z"] > evidence["threshold"] == 8
    assert evidence["values"][-1] == evidence["value"] > 10 * evidence["baseline"]


def test_no_checkpoint_is_an_outcome_and_the_rate_still_comes_down():
    loop = Loop(Monitoring(), lr_fault=(60, 50), checkpoint_every=10_000).run(220)
    assert "no_checkpoint" in loop.outcomes()
    assert loop.watch.lr_scale < 1.5 / 50
    assert loop.stop is None and loop.damage < 0.01


def test_shadow_records_and_touches_nothing():
    loop = Loop(Monitoring(mode="shadow", budget=1), poison=range(110, 130)).run(300)
    assert loop.findings and loop.interventions and loop.stop is None
    first = next(iter(loop.interventions.values()))
    assert first.evidence["shadow"] is True and first.after["lr_scale"] == 0.5
    assert (loop.watch.lr_scale, loop.skipped, loop.step) == (1.0, set(), 300)


def test_a_used_up_budget_stops_the_run_with_advice():
    loop = Loop(Monitoring(budget=3), poison=range(110, 10_000)).run(600)
    assert len(loop.interventions) == 3
    assert "budget of 3" in loop.stop and "optimizer.lr" in loop.stop
    assert loop.outcomes()[-1] == "not_recovered"


def test_budget_zero_stops_at_the_first_finding():
    watch = build_controller(Monitoring(budget=0))
    decision = watch.before_update(Telemetry(0, math.nan, 1.0, 0.1))
    assert decision.stop and decision.discard_update and not decision.rollback


def test_loss_that_stays_high_is_not_called_recovered():
    spec = Monitoring(detectors=[NonFinite()], verify_steps=20)
    watch = build_controller(spec)
    for step in range(60):
        watch.before_update(Telemetry(step, 3.0, 1.0, 0.1))
        watch.after_update(Telemetry(step, 3.0, 1.0, 0.1, 1.0))
    watch.before_update(Telemetry(60, math.nan, 1.0, 0.1))
    watch.rolled_back(50)
    told = []
    for step in range(50, 90):
        told += watch.after_update(Telemetry(step, 3.6, 1.0, 0.1, 1.0)).interventions
    assert [(i.outcome, i.outcome_step) for i in told] == [("not_recovered", 79)]


def test_without_rollback_the_loss_gets_time_to_come_back():
    spec = Monitoring(response=Response(rollback=False), detectors=[NonFinite(), Spike()])
    watch = build_controller(spec)
    losses = [3.0] * 80 + [9.0 * 0.9**t + 2.9 for t in range(60)]
    told = []
    for step, loss in enumerate(losses):
        t = Telemetry(step, loss, 0.5, 0.1, 1.0)
        told += watch.before_update(t).interventions
        told += watch.after_update(t).interventions
    assert [i.outcome for i in told] == ["verifying", "recovered"]


@pytest.mark.parametrize("field", ["lr_factor", "clip_factor"])
def test_neutral_responses_leave_their_action_out(field):
    watch = build_controller(Monitoring(response=Response(**{field: 1.0}, skip_batches=0)))
    (intervention,) = watch.before_update(Telemetry(5, math.inf, 1.0, 0.1)).interventions
    assert intervention.action == ("rollback+tighten_clip" if field == "lr_factor" else "rollback+scale_lr")


def test_the_rate_never_falls_under_the_least():
    watch = build_controller(Monitoring(min_lr_scale=0.2, budget=9))
    for step in range(9):
        watch.before_update(Telemetry(step, math.nan, 1.0, 0.1))
    assert watch.lr_scale == 0.2
