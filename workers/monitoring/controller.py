"""The controller in the training loop: findings -> interventions -> verified outcome.

It is a pure state machine on telemetry, the same on every rank. It watches loss, gradient and batch before the weights
change and the update norm after; a rule of the policy answers a finding with a rung of its ladder; each intervention
is verified against the loss before the trouble, and the next rung follows when the trouble returns. Which series went
wrong first tells which rule answers: the data, or the learning rate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, get_args

from workers.monitoring.actions import plan_actions
from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.monitoring.detectors._shared import Sighting
from workers.monitoring.history import History
from workers.monitoring.incident import Incident
from workers.monitoring.ladder import Ladders
from workers.monitoring.panel import Panel
from workers.monitoring.records import make_finding, make_intervention, report_failure
from workers.monitoring.scales import Scale
from workers.monitoring.telemetry import AFTER_UPDATE, Decision, Settings, Telemetry, by_layer
from workers.specs.events import Finding, Intervention
from workers.specs.monitoring import FindingKind, Mode, Monitoring, Rule

SPIKES = {
    "loss": "loss_spike",
    "grad_norm": "gradient_spike",
    "update_norm": "update_spike",
    "weight_norm": "weight_spike",
}
ORDER = ("non_finite", "odd_batch", *SPIKES.values(), *get_args(FindingKind))
"""Of findings with the same onset the first in this order is taken for the cause."""

SYMPTOMS = frozenset({"non_finite", "odd_batch", "spike", "divergence", "attention_logits"})
"""Detectors whose sightings may belong to another trouble. The others, where no rule answers them, are told and are
nobody's cause: a plateau begins long before a spike."""


def build_controller(spec: Monitoring) -> "Controller | None":
    """The controller that a spec asks for; None when monitoring is off."""
    return None if spec.mode == "off" else Controller(spec)


class Controller:
    """Implements `workers.monitoring.telemetry.Watch`."""

    def __init__(self, spec: Monitoring) -> None:
        self.spec, self.policy = spec, spec.policy
        self.mode: Mode = spec.mode
        self.settings = Settings()
        self.hold: str | None = None
        self.reminder_seconds = spec.policy.approval_seconds
        self._lr, self._clip = Scale(), Scale()
        self._panel = Panel(spec.detectors)
        self._ladders = Ladders(spec.policy)
        self._history = History()
        self._incident: Incident | None = None
        self._proposal: dict[str, Any] | None = None
        self._num_findings = 0
        self._num_interventions = 0
        self._awaits_rollback = False

    @property
    def lr_scale(self) -> float:
        """Factor of the scheduled learning rate. Who sets it stops its climb."""
        return self._lr.value

    @lr_scale.setter
    def lr_scale(self, value: float) -> None:
        self._lr.pin(value)

    @property
    def clip_scale(self) -> float:
        """Factor of the limits of clipping."""
        return self._clip.value

    @clip_scale.setter
    def clip_scale(self, value: float) -> None:
        self._clip.pin(value)

    def before_update(self, telemetry: Telemetry) -> Decision:
        """Judge loss, gradient and batch before the weights change."""
        values = {"loss": telemetry.loss, "grad_norm": telemetry.grad_norm, **telemetry.scalars}
        if logits := telemetry.layers.get("max_attention_logit"):
            values["max_attention_logit"] = max(logits)
        if telemetry.scheduled_lr is not None:
            values["scheduled_lr"] = telemetry.scheduled_lr
        values |= by_layer(telemetry.layers, leave_out=AFTER_UPDATE)
        return self._judge(telemetry.step, values, updated=False)

    def after_update(self, telemetry: Telemetry) -> Decision:
        """Judge the update, and verify the intervention that is open."""
        values = dict(telemetry.scalars)
        if telemetry.update_norm is not None:
            values["update_norm"] = telemetry.update_norm
            if telemetry.scheduled_lr is not None:
                values["scheduled_lr"] = telemetry.scheduled_lr
        values |= by_layer({name: of for name, of in telemetry.layers.items() if name in AFTER_UPDATE})
        decision = self._judge(telemetry.step, values, updated=True)
        self._lr.advance()
        self._clip.advance()
        if not decision.interventions and self._incident:
            closed = self._incident.verify(telemetry.step, telemetry.loss)
            if closed:
                decision.interventions.append(closed)
                self._panel.rewind(telemetry.step + 1)
                if closed.outcome == "recovered":
                    self._lr.release()
                    self._clip.release()
        return decision

    def rolled_back(self, to_step: int | None) -> list[Intervention]:
        """Training went back to `to_step`, the next step to be done; None: there was no good checkpoint."""
        incident, asked = self._incident, self._awaits_rollback
        self._awaits_rollback = False
        if to_step is None:
            if not (incident and asked):
                return []
            return [incident.close("no_checkpoint", incident.intervention.step)]
        self._panel.rewind(to_step)
        self._history.rewind(to_step)
        if not (incident and asked):
            return []
        incident.spoilt, incident.verify_from = False, max(incident.onset, to_step)
        incident.intervention.after["step"] = to_step
        incident.intervention.cost_steps += max(incident.intervention.step + 1 - to_step, 0)
        return [incident.intervention.model_copy(deep=True)]

    def stage_changed(self, step: int) -> None:
        """Levels of another stage say nothing about this one."""
        self._panel.restart()
        self._history.rewind(0)

    def answer(self, intervention_id: str, approved: bool, author: str, step: int) -> Decision:
        """Carry out or drop the proposal. Raises ValueError when no such intervention waits."""
        proposal, incident = self._proposal, self._incident
        if proposal is None or incident is None or incident.intervention.id != intervention_id:
            waiting = incident.intervention.id if proposal and incident else "none"
            raise ValueError(f"no proposed intervention {intervention_id} waits for an answer (waiting: {waiting})")
        self._proposal, self.hold = None, None
        incident.intervention.evidence["answered_by"] = author
        if not approved:
            return Decision(interventions=[self._reject(step)])
        situation = Situation(**proposal["situation"])
        rule = next(rule for rule in self.policy.rules if rule.name == proposal["rule"])
        _, rung = self._ladders.rung(rule, proposal["rung"], updated=situation.updated)
        plan = Plan.of(self._lr, self._clip, self.settings)
        # The batches since the onset and those taken until the answer came are both left behind.
        plan_actions(rung, replace(situation, step=max(situation.step, step - 1)), plan)
        incident.intervention.outcome, incident.verify_from = "verifying", step
        self._take_up(plan, situation.step)
        plan.decision.interventions.append(incident.intervention.model_copy(deep=True))
        return plan.decision

    def resumed(self) -> list[Intervention]:
        """The hold is over; with a new budget. A proposal that was not answered is rejected."""
        self.hold = None
        self._ladders.renew()
        if self._proposal is None or self._incident is None:
            return []
        self._proposal = None
        return [self._reject(self._incident.intervention.step)]

    def set_mode(self, mode: Mode, step: int) -> list[Intervention]:
        """Act otherwise from `step` on. A proposal that waits is rejected; after `off` all levels are learnt anew."""
        told = []
        if self._proposal is not None:
            self._proposal, self.hold = None, None
            told.append(self._reject(step))
        if self.mode == "off" != mode:
            self._panel.restart()
            self._history.rewind(0)
        self.mode = mode
        return told

    def _reject(self, step: int) -> Intervention:
        incident = self._incident
        assert incident is not None  # noqa: S101  callers have looked
        self._ladders.rest(incident.rule, step + self.policy.verify_steps)
        self._panel.rewind(step + 1)
        return incident.close("rejected", step)

    def _judge(self, step: int, values: Mapping[str, float], *, updated: bool) -> Decision:
        if self.mode == "off":
            return Decision()
        self._history.add(step, values)
        seen, failures = self._panel.observe(step, values, self.lr_scale)
        decision = Decision()
        for kind, error in failures:
            self._num_findings += 1
            decision.findings.append(report_failure(self._num_findings, kind, error, step))
        loud = [s for s in seen if s.detector == "non_finite" or not self._muted(step, s.series)]
        sightings = [s for s in loud if s.detector in SYMPTOMS or self._ladders.rule(s.detector)]
        decision.findings += [self._finding(s, s.detector) for s in loud if s not in sightings]
        if sightings:
            onset, kind = self._origin(step, sightings)
            found = [self._finding(sighting, kind) for sighting in sightings]
            decision.findings += found
            self._answer_finding(self._situation(step, onset, kind, sightings, updated), found[0], decision)
        return decision

    def _muted(self, step: int, series: str) -> bool:
        return self._incident is not None and self._incident.mutes(step, series)

    def _origin(self, step: int, sightings: Iterable[Sighting]) -> tuple[int, str]:
        """First wrong step over all series, and the kind of finding that it is."""
        origins = [(s.onset, SPIKES[s.series] if s.detector == "spike" else s.detector) for s in sightings]
        origins += [(o, SPIKES[series]) for o, series in self._panel.pending() if not self._muted(step, series)]
        # Where a slow rise began is a guess: whatever else is wrong explains it.
        return min(origins, key=lambda origin: (origin[1] == "divergence", origin[0], ORDER.index(origin[1])))

    def _finding(self, sighting: Sighting, kind: str) -> Finding:
        self._num_findings += 1
        return make_finding(self._num_findings, sighting, kind, self._history.evidence(sighting.series))

    def _situation(self, step: int, onset: int, kind: str, sightings: Iterable[Sighting], updated: bool) -> Situation:
        first = min(sightings, key=lambda s: s.onset)
        previous = self._previous(onset)
        unresolved = previous is not None and previous.intervention.outcome not in {"recovered", "rejected"}
        rises = [
            s.value / s.baseline
            for s in sightings
            if s.baseline
            and s.value / s.baseline < float("inf")
            and (s.detector != "spike" or SPIKES[s.series] == kind)
        ]
        return Situation(
            step=step,
            onset=onset,
            return_before=min(onset, previous.first_onset) if previous and unresolved else onset,
            kind=kind,
            level=previous.level + 1 if previous else 0,
            updated=updated,
            message=first.message,
            rise=max(rises, default=None),
            baseline=first.baseline,
            series=first.series,
            min_lr_scale=self.policy.min_lr_scale,
        )

    def _previous(self, onset: int) -> Incident | None:
        """The incident that a trouble with this onset belongs to."""
        incident = self._incident
        return incident if incident and onset <= incident.onset + incident.verify_steps else None

    def _answer_finding(self, situation: Situation, finding: Finding, decision: Decision) -> None:
        """Let the rule of this kind of finding act, if there is one and it may."""
        rule, step = self._ladders.rule(situation.kind), situation.step
        critical = situation.kind == "non_finite"
        if rule is None or (self._ladders.rests(rule, step) and not critical):
            return
        previous = self._previous(situation.onset)
        if self._incident and self._incident.open:
            decision.interventions.append(self._incident.close("not_recovered", step))
        if self.mode != "shadow" and (end := self._ladders.exhausted(rule)):
            self._end(*end, situation, decision)
            return
        climbed = previous.rungs.get(rule.name, 0) if previous else 0
        number, rung = self._ladders.rung(rule, climbed, updated=situation.updated)
        plan = Plan.of(self._lr, self._clip, self.settings)
        changes = plan_actions(rung, situation, plan)
        self._incident = self._open(situation, previous, rule, number, changes, plan, finding)
        if self.mode == "auto":
            self._ladders.count(rule, step)
            self._take_up(plan, step)
            _join(decision, plan.decision)
        elif self.mode == "approve":
            self._ladders.count(rule, step)
            self._propose(situation, rule, number, decision)
        decision.interventions.append(self._incident.intervention.model_copy(deep=True))

    def _open(
        self,
        situation: Situation,
        previous: Incident | None,
        rule: Rule,
        rung: int,
        changes: list[Change],
        plan: Plan,
        finding: Finding,
    ) -> Incident:
        self._num_interventions += 1
        first_onset = previous.first_onset if previous else situation.onset
        known = self._history.loss_level(first_onset)
        level, margin = (previous.loss_level, previous.margin) if previous else (known or (None, 0.0))
        intervention = make_intervention(self._num_interventions, situation, rule, rung, changes, finding, self.mode)
        if self.mode == "auto":
            intervention.cost_steps = max(plan.decision.skip_batches, int(plan.decision.discard_update))
        if level is not None:
            intervention.evidence |= {"loss_level": level, "loss_margin": margin}
        acts = self.mode != "shadow"
        discarded = (
            acts and plan.decision.discard_update and situation.onset == situation.step and not situation.updated
        )
        return Incident(
            first_onset=first_onset,
            onset=situation.onset,
            level=situation.level,
            loss_level=level,
            margin=margin,
            intervention=intervention,
            verify_from=situation.step + 1,
            verify_steps=rule.verify_steps or self.policy.verify_steps,
            rule=rule.name,
            spoilt=not discarded,
            rungs={**(previous.rungs if previous else {}), rule.name: rung + 1},
        )

    def _take_up(self, plan: Plan, step: int) -> None:
        """What was planned becomes so; the trainer does its part by the plan's decision."""
        self._lr, self._clip, self.settings = plan.lr, plan.clip, plan.settings
        self.hold = plan.hold or self.hold
        self._awaits_rollback = plan.decision.rollback
        self._panel.rewind(step + 1)

    def _propose(self, situation: Situation, rule: Rule, rung: int, decision: Decision) -> None:
        incident = self._incident
        assert incident is not None  # noqa: S101  it was opened for this
        incident.intervention.outcome = "proposed"
        decision.discard_update = not situation.updated
        self._proposal = {"situation": asdict(situation), "rule": rule.name, "rung": rung}
        self.hold = (
            f"Waiting for approval of {incident.intervention.id} ({incident.intervention.action}): "
            f"{situation.message}. Approve or reject it."
        )

    def _end(self, at_end: str, whose: str, situation: Situation, decision: Decision) -> None:
        message = (
            f"{whose} is used up and the run is unstable again at step {situation.step} (since step "
            f"{situation.onset}: {situation.message}). Lower optimizer.lr or look at the batches around that step; "
            f"monitoring.policy allows more interventions."
        )
        if at_end == "report":
            return
        decision.discard_update = not situation.updated
        if at_end == "stop":
            decision.stop = message
        else:
            self.hold = message

    def state_dict(self) -> dict[str, object]:
        """JSON-able state. A roll-back must not load it: it would forget what was learnt."""
        return {
            "mode": self.mode,
            "lr": self._lr.state_dict(),
            "clip": self._clip.state_dict(),
            "settings": asdict(self.settings),
            "hold": self.hold,
            "panel": self._panel.state_dict(),
            "ladders": self._ladders.state_dict(),
            "history": self._history.state_dict(),
            "incident": self._incident.state_dict() if self._incident else None,
            "proposal": self._proposal,
            "num_findings": self._num_findings,
            "num_interventions": self._num_interventions,
            "awaits_rollback": self._awaits_rollback,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state from `state_dict`. Raises ValueError when it is of other detectors."""
        if "panel" not in state:  # of a run without monitoring, or of an older version: the scales alone are known
            self.lr_scale, self.clip_scale = float(state["lr_scale"]), float(state["clip_scale"])
            return
        self._panel.load_state_dict(state["panel"])
        self._lr, self._clip = Scale.from_state(state["lr"]), Scale.from_state(state["clip"])
        self.mode, self.settings, self.hold = state["mode"], Settings(**state["settings"]), state["hold"]
        self._ladders.load_state_dict(state["ladders"])
        self._history.load_state_dict(state["history"])
        self._incident = Incident.from_state(state["incident"]) if state["incident"] else None
        self._proposal = state["proposal"]
        self._num_findings, self._num_interventions = state["num_findings"], state["num_interventions"]
        self._awaits_rollback = state["awaits_rollback"]


def _join(decision: Decision, planned: Decision) -> None:
    """Put what an intervention asks of the trainer into the step's decision."""
    decision.discard_update |= planned.discard_update
    decision.rollback, decision.rollback_before_step = planned.rollback, planned.rollback_before_step
    decision.skip_batches, decision.reset_moments = planned.skip_batches, planned.reset_moments
    decision.checkpoint |= planned.checkpoint
    decision.stop = planned.stop
