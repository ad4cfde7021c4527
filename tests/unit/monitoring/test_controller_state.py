"""Saved and loaded anywhere, the controller decides exactly as if it had never been away."""

import json
import math
from dataclasses import asdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from workers.monitoring import build_controller
from workers.monitoring.telemetry import Telemetry
from workers.specs.monitoring import Divergence, Monitoring, NonFinite, OddBatch, Policy, Spike

DETECTORS = [
    NonFinite(),
    Spike(window_steps=16, min_steps=8, patience_steps=2),
    OddBatch(window_steps=16, min_steps=8),
    Divergence(window_steps=4, min_steps=8),
]
SPECS = [
    Monitoring(mode=mode, detectors=DETECTORS, policy=Policy(verify_steps=6, budget=5)) for mode in ("auto", "approve")
]
figures = st.one_of(
    st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.floats(0, 1e9), st.sampled_from([math.nan, math.inf, 0.0])
)


class SavedAnywhere(RuleBasedStateMachine):
    """Two controllers get the same telemetry; one of them is stored and loaded again and again."""

    def __init__(self):
        super().__init__()
        self.spec = SPECS[0]
        self.lasting, self.stored = build_controller(self.spec), build_controller(self.spec)
        self.step = 0
        self.ids = {}

    @initialize(spec=st.sampled_from(SPECS))
    def choose(self, spec):
        self.spec = spec
        self.lasting, self.stored = build_controller(spec), build_controller(spec)

    @rule(
        loss=figures,
        grad_norm=figures,
        update_norm=st.one_of(st.none(), figures),
        odd=st.sampled_from([0.5, 4.0]),
        repeat=st.integers(1, 12),
    )
    def train(self, loss, grad_norm, update_norm, odd, repeat):
        for _ in range(repeat):
            if self.lasting.hold:
                return  # the trainer waits
            t = Telemetry(self.step, loss, grad_norm, 0.1, update_norm, scalars={"batch_divergence": odd})
            decision = self.both("before_update", t)
            if not decision.discard_update:
                decision = self.both("after_update", t)
            if decision.rollback:
                target = max(decision.rollback_before_step - 3, 0)
                self.both("rolled_back", target if target % 4 else None)
                self.step = target if target % 4 else self.step
            self.step += 1

    @rule(back=st.integers(0, 30))
    def person_rolls_back(self, back):
        self.step = max(self.step - back, 0)
        self.both("rolled_back", self.step)

    @rule(approved=st.booleans())
    def person_answers(self, approved):
        waiting = [w for w in (self.lasting, self.stored) if w.hold and "approval" in w.hold]
        name = waiting[0].hold.removeprefix("Waiting for approval of ").split()[0] if waiting else "none"
        for watch in waiting:
            self.told = repr(watch.answer(name, approved, "ada", self.step))
        assert len(waiting) in {0, 2}

    @rule()
    def person_resumes(self):
        assert self.lasting.resumed() == self.stored.resumed()

    @rule()
    def save_and_load(self):
        text = json.dumps(self.stored.state_dict(), allow_nan=False)
        self.stored = build_controller(self.spec)
        self.stored.load_state_dict(json.loads(text))

    def both(self, method, argument):
        expected = getattr(self.lasting, method)(argument)
        found = getattr(self.stored, method)(argument)
        assert repr(found) == repr(expected)  # repr: NaN equals NaN
        if method != "rolled_back":
            assert set(asdict(expected)) and all(f.id not in self.ids for f in expected.findings)
            self.ids |= {f.id: f for f in expected.findings}
        return expected

    @invariant()
    def scales_are_sane_and_budget_holds(self):
        for watch in (self.lasting, self.stored):
            assert self.spec.policy.min_lr_scale <= watch.lr_scale <= 1 and 0 < watch.clip_scale <= 1
            assert watch.state_dict()["ladders"]["num_used"] <= self.spec.policy.budget


SavedAnywhere.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestSavedAnywhere = SavedAnywhere.TestCase


def test_a_state_of_other_detectors_is_refused():
    state = build_controller(SPECS[0]).state_dict()
    with pytest.raises(ValueError, match=r"the spec has non_finite$"):
        build_controller(Monitoring(detectors=[NonFinite()])).load_state_dict(state)
