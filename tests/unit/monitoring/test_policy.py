"""The policy: what is refused at launch, ladders, cool-downs, climbs, approval, and detectors that fail."""

import json
import math
from itertools import pairwise

import pytest
import yaml
from pydantic import ValidationError

from workers.monitoring import build_controller
from workers.monitoring.detectors.spike import SpikeDetector
from workers.monitoring.telemetry import Telemetry
from workers.specs import RUN_SPEC
from workers.specs.base import problems
from workers.specs.composition import compose
from workers.specs.monitoring import Monitoring, NonFinite, Policy, Spike
from workers.specs.presets import part_names, preset_text


def rule(name="all", findings=("non_finite",), rungs=(("discard_update",),), **fields):
    ladder = [[a if isinstance(a, dict) else {"kind": a} for a in rung] for rung in rungs]
    return {"name": name, "findings": list(findings), "rungs": ladder, **fields}


def monitoring(*rules, mode="auto", **fields):
    policy = {"rules": list(rules), **fields}
    return Monitoring.model_validate({"mode": mode, "detectors": [{"kind": "non_finite"}], "policy": policy})


def nan_at(watch, step):
    return watch.before_update(Telemetry(step, math.nan, 1.0, 0.1))


def quiet_steps(watch, steps):
    told = []
    for step in steps:
        t = Telemetry(step, 3.0, 1.0, 0.1, 1.0)
        told += watch.before_update(t).interventions
        told += watch.after_update(t).interventions
    return told


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"rules": [rule(findings=["spyke"])]}, "loss_spike"),
        ({"rules": [rule(rungs=[["rolback"]])]}, "rollback"),
        ({"rules": [rule("a", then="b"), rule("b", ["odd_batch"], then="a")]}, "a circle: a -> b -> a"),
        ({"rules": [rule("a", then="a")]}, "a circle: a -> a"),
        ({"rules": [rule("a", then="c")]}, "there is no rule c"),
        ({"rules": [rule("a"), rule("b")]}, "both answer non_finite"),
        ({"rules": [rule("a"), rule("a", ["odd_batch"])]}, "two rules are called a"),
        ({"rules": [rule(budget=1, rungs=[["discard_update"]] * 3)]}, "never reach the last of the 3 rungs"),
        ({"rules": [rule(budget=9)], "budget": 5}, "the whole run only 5"),
        ({"rules": [rule(rungs=[["tighten_clip", "loosen_clip"]])]}, "contradict each other"),
        ({"rules": [rule(rungs=[["rollback", "rollback"]])]}, "stands twice"),
        ({"budget": 0}, "greater than or equal to 1"),
        ({"rules": [rule(rungs=[[{"kind": "scale_lr", "factor": 2}]])]}, "less than 1"),
    ],
)
def test_what_cannot_work_is_refused_with_its_path(policy, says):
    spec = {"kind": "training", "monitoring": {"policy": policy}}
    with pytest.raises(ValidationError) as caught:
        RUN_SPEC.validate_python(spec)
    found = problems(caught.value, spec)
    assert any(says in problem["message"] for problem in found), found
    assert all(problem["pointer"].startswith("/monitoring/policy") for problem in found)


def test_the_preset_is_the_default_and_can_be_changed_in_place():
    assert "policies/default" in part_names()
    assert Policy.model_validate(yaml.safe_load(preset_text("policies/default"))) == Policy()
    changed = compose({"policy": {"preset": "policies/default", "budget": 7}}, yaml.safe_load)
    assert Monitoring.model_validate(changed).policy == Policy(budget=7)


def test_a_ladder_goes_on_in_another_rule_and_then_repeats_its_last_rung():
    watch = build_controller(
        monitoring(
            rule("first", rungs=[["discard_update"], ["scale_lr"]], then="second"),
            rule("second", ["odd_batch"], rungs=[[{"kind": "scale_lr", "factor": 0.1}]]),
            min_lr_scale=1e-6,
        )
    )
    scales = []
    for step in range(5):
        nan_at(watch, step)
        scales.append(watch.lr_scale)
    assert scales == pytest.approx([1.0, 0.5, 0.05, 0.005, 0.0005])


def test_a_calm_run_begins_the_ladder_anew():
    watch = build_controller(monitoring(rule(rungs=[["discard_update"], ["stop"]]), verify_steps=10))
    quiet_steps(watch, range(5))
    assert nan_at(watch, 5).stop is None
    quiet_steps(watch, range(6, 30))
    assert nan_at(watch, 30).stop is None
    assert nan_at(watch, 31).stop == "Stopped by the policy at step 31: loss is nan at step 31."


def test_a_cool_down_keeps_a_rule_still():
    spec = Monitoring.model_validate(
        {
            "detectors": [{"kind": "odd_batch", "min_steps": 8, "window_steps": 64}],
            "policy": {"rules": [rule(findings=["odd_batch"], cooldown_steps=5)]},
        }
    )
    watch = build_controller(spec)
    acted, found = [], []
    for step in range(40):
        odd = {"batch_divergence": 4.0 if step >= 30 else 0.5}
        decision = watch.before_update(Telemetry(step, 3.0, 1.0, 0.1, scalars=odd))
        acted += [i.step for i in decision.interventions if i.outcome == "verifying"]
        found += [f.step for f in decision.findings]
    assert found == list(range(30, 40)) and acted == [30, 35]


@pytest.mark.parametrize("at_end", ["report", "pause"])
def test_a_rules_own_budget(at_end):
    watch = build_controller(monitoring(rule(budget=2, at_end=at_end)))
    decisions = [nan_at(watch, step) for step in range(0, 300, 100)]
    new = [[i for i in d.interventions if i.outcome == "verifying"] for d in decisions]
    assert [len(interventions) for interventions in new] == [1, 1, 0]
    assert (watch.hold is None) == (at_end == "report")


def test_the_rate_climbs_back_once_the_run_is_verified_good():
    watch = build_controller(monitoring(rule(rungs=[[{"kind": "scale_lr", "factor": 0.25, "recover_steps": 20}]])))
    quiet_steps(watch, range(20))
    nan_at(watch, 20)
    scales = []
    for step in range(21, 80):
        quiet_steps(watch, [step])
        scales.append(watch.lr_scale)
    assert scales[:6] == [0.25] * 6 and scales[-1] == 1.0
    climb = [b / a for a, b in pairwise(scales) if b > a]
    assert len(climb) == 20 and climb == pytest.approx([4 ** (1 / 20)] * 20)


def test_a_rate_that_a_person_sets_does_not_move():
    watch = build_controller(monitoring(rule(rungs=[[{"kind": "scale_lr", "recover_steps": 20}]])))
    quiet_steps(watch, range(20))
    nan_at(watch, 20)
    quiet_steps(watch, range(21, 35))
    watch.lr_scale = 0.3
    quiet_steps(watch, range(35, 90))
    assert watch.lr_scale == 0.3


def test_moments_are_reset_with_a_new_warm_up():
    watch = build_controller(monitoring(rule(rungs=[[{"kind": "reset_moments", "rewarm_steps": 10}]])))
    assert nan_at(watch, 3).reset_moments
    assert watch.lr_scale == pytest.approx(0.1)
    quiet_steps(watch, range(4, 14))
    assert watch.lr_scale == 1.0


def test_settings_that_last():
    rung = [{"kind": "switch_clip", "to": "zclip"}, "qk_clip", "raise_epsilon", "lower_beta2", "checkpoint_now"]
    watch = build_controller(monitoring(rule(rungs=[rung])))
    decision = nan_at(watch, 3)
    (intervention,) = decision.interventions
    assert decision.checkpoint
    settings = watch.settings
    assert (settings.clipping, settings.max_logit, settings.epsilon_factor, settings.beta2) == ("zclip", 100, 10, 0.95)
    assert intervention.after == {"clipping": "zclip", "max_logit": 100, "epsilon_factor": 10, "beta2": 0.95}
    other = build_controller(monitoring(rule(rungs=[rung])))
    other.load_state_dict(json.loads(json.dumps(watch.state_dict(), allow_nan=False)))
    assert other.settings == settings


def test_the_source_that_a_finding_is_about_counts_less_and_no_other():
    policy = {"rules": [rule(findings=["source_loss"], rungs=[["lower_source"]], cooldown_steps=100)]}
    detectors = [{"kind": "source_loss", "window_steps": 64, "recent_steps": 8}]
    watch = build_controller(Monitoring.model_validate({"detectors": detectors, "policy": policy}))
    told = []
    for step in range(160):
        bad = 3.0 if step < 100 else 6.0
        t = Telemetry(step, 3.0, 1.0, 0.1, scalars={"loss/web": 3.0 + 0.01 * (step % 3), "loss/code": bad})
        told += watch.before_update(t).interventions
    assert watch.settings.source_shares == {"code": 0.5}
    assert (told[0].action, told[0].before) == ("lower_source", {"source": "code", "source_share": 1.0})
    other = build_controller(Monitoring.model_validate({"detectors": detectors, "policy": policy}))
    other.load_state_dict(json.loads(json.dumps(watch.state_dict())))
    assert other.settings == watch.settings, "it survives a kill"
    no_source = build_controller(monitoring(rule(rungs=[["lower_source"]])))
    assert nan_at(no_source, 3).interventions[0].action == "none" and not no_source.settings.source_shares


def test_the_clip_can_be_loosened():
    watch = build_controller(monitoring(rule(rungs=[["loosen_clip"]])))
    nan_at(watch, 3)
    assert watch.clip_scale == 2.0


def test_a_pause_holds_until_a_person_resumes():
    watch = build_controller(monitoring(rule(rungs=[["pause"]])))
    nan_at(watch, 3)
    assert "Paused by the policy at step 3: loss is nan" in watch.hold
    other = build_controller(monitoring(rule(rungs=[["pause"]])))
    other.load_state_dict(json.loads(json.dumps(watch.state_dict())))
    assert other.hold == watch.hold, "it survives a kill"
    watch.resumed()
    assert watch.hold is None


PROPOSING = (rule(rungs=[["rollback", {"kind": "skip_batches", "num_batches": 4}, "scale_lr"]]),)


def test_in_approve_mode_nothing_happens_before_a_yes():
    watch = build_controller(monitoring(*PROPOSING, mode="approve"))
    quiet_steps(watch, range(20))
    decision = nan_at(watch, 20)
    (proposed,) = decision.interventions
    assert (proposed.outcome, proposed.after["lr_scale"]) == ("proposed", 0.5)
    assert decision.discard_update and not decision.rollback and watch.lr_scale == 1.0
    assert proposed.id in watch.hold
    with pytest.raises(ValueError, match=f"waiting: {proposed.id}"):
        watch.answer("intervention-9-9", True, "ada", 21)
    approved = watch.answer(proposed.id, True, "ada", 21)
    assert approved.rollback and approved.skip_batches == 5 and watch.lr_scale == 0.5 and watch.hold is None
    assert approved.interventions[0].outcome == "verifying"
    assert approved.interventions[0].evidence["answered_by"] == "ada"
    watch.rolled_back(10)
    told = quiet_steps(watch, range(10, 60))
    assert [(i.id, i.outcome) for i in told] == [(proposed.id, "recovered")]


@pytest.mark.parametrize("how", ["reject", "resume"])
def test_a_no_leaves_the_run_as_it_is(how):
    watch = build_controller(monitoring(*PROPOSING, mode="approve"))
    quiet_steps(watch, range(20))
    (proposed,) = nan_at(watch, 20).interventions
    told = watch.resumed() if how == "resume" else watch.answer(proposed.id, False, "ada", 21).interventions
    assert [(i.id, i.outcome) for i in told] == [(proposed.id, "rejected")]
    assert watch.lr_scale == 1.0 and watch.hold is None
    assert quiet_steps(watch, range(21, 80)) == []


def test_a_detector_that_raises_is_told_and_switched_off(monkeypatch):
    watch = build_controller(Monitoring(detectors=[NonFinite(), Spike()]))

    def fail(self, *arguments):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(SpikeDetector, "observe", fail)
    (finding,) = watch.before_update(Telemetry(0, 3.0, 1.0, 0.1)).findings
    assert "the detector spike failed" in finding.message and "ZeroDivisionError: by zero" in finding.message
    assert watch.before_update(Telemetry(1, 3.0, 1.0, 0.1)).findings == []
    assert nan_at(watch, 2).discard_update, "the others go on"
    other = build_controller(Monitoring(detectors=[NonFinite(), Spike()]))
    other.load_state_dict(json.loads(json.dumps(watch.state_dict(), allow_nan=False)))
    assert other.before_update(Telemetry(3, 3.0, 1.0, 0.1)).findings == []


def test_a_new_stage_is_no_alarm():
    watch = build_controller(Monitoring())
    quiet_steps(watch, range(100))
    watch.stage_changed(100)
    for step in range(100, 200):
        t = Telemetry(step, 9.0, 20.0, 0.1, 30.0)
        assert watch.before_update(t).findings == watch.after_update(t).findings == []


def test_a_rate_that_rises_by_schedule_is_no_alarm_and_one_that_rises_by_itself_is():
    for factor, alarm in ((1.0, False), (20.0, True)):
        watch = build_controller(Monitoring())
        found = []
        for step in range(200):
            scheduled = 0.1 if step < 100 else 2.0
            update = 10 * scheduled * (factor if step >= 150 else 1.0)
            t = Telemetry(step, 3.0, 1.0, scheduled, update, scheduled_lr=scheduled)
            found += watch.before_update(t).findings + watch.after_update(t).findings
        assert bool(found) == alarm
