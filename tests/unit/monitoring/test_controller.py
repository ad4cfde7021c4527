"""What the controller does about a fault, seen from the training loop."""

import math

import numpy as np
import pytest

from workers.monitoring import build_controller
from workers.monitoring.telemetry import Telemetry
from workers.specs.monitoring import Monitoring, NonFinite, Policy, Spike


def policy(*rungs, findings=("non_finite", "loss_spike", "gradient_spike", "update_spike"), **fields):
    """One rule for all findings, each rung a list of kinds or of whole actions."""
    ladder = [[a if isinstance(a, dict) else {"kind": a} for a in rung] for rung in rungs]
    return Policy.model_validate({"rules": [{"name": "all", "findings": findings, "rungs": ladder}], **fields})


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
            if self.stop or self.watch.hold:
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
        decision = self.watch.before_update(Telemetry(self.step, loss, grad_norm, lr))
        if self.obey(decision, batch):
            self.step += not decision.rollback
            return
        jump = self.watch.lr_scale * fault
        self.damage = 0.9 * self.damage + max(jump - 1.5, 0) + (0.2 if bad else 0)
        if not self.obey(self.watch.after_update(Telemetry(self.step, loss, grad_norm, lr, lr * 100 * noise)), batch):
            self.step += 1

    def obey(self, decision, batch):
        self.findings += decision.findings
        self.interventions |= {i.id: i for i in decision.interventions}
        self.stop = decision.stop
        if decision.skip_batches and not decision.rollback:
            self.skipped |= set(range(batch + 1, batch + decision.skip_batches))
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
    assert 1 <= len(loop.interventions) <= 4
    assert 1 / 128 < loop.watch.lr_scale < 2 / 50
    assert next(iter(loop.interventions.values())).evidence["cause"] == "update_spike"
    assert loop.outcomes()[-1] == "recovered"
    assert loop.findings[0].step <= 111
    assert loop.damage < 1e-3 and loop.stop is None


def test_a_fault_that_stays_is_climbed_into_once_and_then_left_alone():
    loop = Loop(Monitoring(), lr_fault=(110, 50)).run(2000)
    # It may pass: back. It does not: a lower rate. On the way up it is met again: down, for good.
    assert len(loop.interventions) == 3
    last = list(loop.interventions.values())[-1]
    assert "lr_recover_steps" not in last.after and loop.watch.lr_scale == last.after["lr_scale"] < 2 / 50


def test_a_poisoned_burst_is_skipped_in_growing_strides():
    loop = Loop(Monitoring(), poison=range(110, 130)).run(300)
    assert set(range(110, 130)) <= loop.skipped
    assert len(loop.skipped) < 20 + 20
    assert len(loop.interventions) <= 3
    strides = [i.after["skip_batches"] for i in loop.interventions.values()]
    assert strides == sorted(strides) and strides[0] < strides[-1]
    assert loop.outcomes()[-1] == "recovered"
    assert loop.watch.lr_scale == loop.watch.clip_scale == 1.0, "it was the data: everything is back where it was"


def test_nan_is_acted_upon_before_the_update_and_one_batch_is_all_it_costs():
    loop = Loop(Monitoring(), nan_at=70).run(140)
    (intervention,) = loop.interventions.values()
    assert intervention.action == "discard_update" and intervention.rule == "non-finite, rung 1"
    assert (intervention.outcome, intervention.cost_steps) == ("recovered", 1)
    assert intervention.finding_id == loop.findings[0].id
    assert intervention.evidence["cause"] == "non_finite"
    assert loop.watch.lr_scale == loop.watch.clip_scale == 1.0


def test_one_rung_is_carried_out_whole_and_recorded():
    rung = ["rollback", {"kind": "skip_batches", "num_batches": 4}, "scale_lr", "tighten_clip"]
    loop = Loop(Monitoring(policy=policy(rung)), nan_at=70).run(140)
    (intervention,) = loop.interventions.values()
    assert intervention.action == "rollback+skip_batches+scale_lr+tighten_clip"
    assert intervention.after == {"step": 60, "skip_batches": 5, "lr_scale": 0.5, "clip_scale": 0.5}
    assert intervention.before == {"step": 70, "lr_scale": 1.0, "clip_scale": 1.0}
    assert (intervention.outcome, intervention.cost_steps) == ("recovered", 11 + 5)


def test_an_update_that_is_not_finite_cannot_be_discarded_any_more():
    watch = build_controller(Monitoring())
    watch.before_update(Telemetry(5, 3.0, 1.0, 0.1))
    decision = watch.after_update(Telemetry(5, 3.0, 1.0, 0.1, math.nan))
    assert decision.rollback and decision.rollback_before_step == 4
    assert decision.interventions[0].rule == "non-finite, rung 2"


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
    assert loop.watch.lr_scale < 2 / 50
    assert loop.stop is None and loop.damage < 0.05


def test_shadow_records_and_touches_nothing():
    one = policy(["rollback", "scale_lr"], budget=1)
    loop = Loop(Monitoring(mode="shadow", policy=one), poison=range(110, 130)).run(300)
    assert loop.findings and loop.interventions and loop.stop is None and loop.watch.hold is None
    first = next(iter(loop.interventions.values()))
    assert first.evidence["shadow"] is True and first.after["lr_scale"] == 0.5
    assert (loop.watch.lr_scale, loop.skipped, loop.step) == (1.0, set(), 300)


@pytest.mark.parametrize("at_end", ["pause", "stop"])
def test_a_used_up_budget_ends_with_advice(at_end):
    three = policy(["rollback", {"kind": "skip_batches", "num_batches": 0}], budget=3, at_end=at_end)
    loop = Loop(Monitoring(policy=three), poison=range(110, 10_000)).run(600)
    assert len(loop.interventions) == 3
    message = loop.stop if at_end == "stop" else loop.watch.hold
    assert "budget of 3" in message and "optimizer.lr" in message
    assert (loop.stop is None) == (at_end == "pause")
    assert loop.outcomes()[-1] == "not_recovered"


def test_a_person_who_resumes_grants_a_new_budget():
    three = policy(["rollback", {"kind": "skip_batches", "num_batches": 0}], budget=3)
    loop = Loop(Monitoring(policy=three), poison=range(110, 10_000)).run(600)
    loop.watch.resumed()
    assert loop.watch.hold is None
    loop.run(600)
    assert len(loop.interventions) == 6 and "budget of 3" in loop.watch.hold


def test_loss_that_stays_high_is_not_called_recovered():
    spec = Monitoring(detectors=[NonFinite()], policy=policy(["rollback"], verify_steps=20))
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
    spec = Monitoring(policy=policy(["scale_lr"]), detectors=[NonFinite(), Spike()])
    watch = build_controller(spec)
    losses = [3.0] * 80 + [9.0 * 0.9**t + 2.9 for t in range(60)]
    told = []
    for step, loss in enumerate(losses):
        t = Telemetry(step, loss, 0.5, 0.1, 1.0)
        told += watch.before_update(t).interventions
        told += watch.after_update(t).interventions
    assert [i.outcome for i in told] == ["verifying", "recovered"]


def test_the_rate_never_falls_under_the_least():
    watch = build_controller(Monitoring(policy=policy(["scale_lr"], min_lr_scale=0.2)))
    for step in range(6):
        watch.before_update(Telemetry(step, math.nan, 1.0, 0.1))
    assert watch.lr_scale == 0.2
