"""The controller in the training loop: findings -> interventions -> verified outcome.

It is a pure state machine on telemetry, the same on every rank. It watches loss and gradient before the weights
change and the update norm after; it acts once for a finding, verifies against the loss before it, and acts harder when
the trouble returns. Which series went wrong first tells it what to push: the data, or the learning rate.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from workers.monitoring.actions import rollback, scale_lr, skip_batches, tighten_clip
from workers.monitoring.actions._shared import Cause, Change, Situation
from workers.monitoring.detectors import non_finite, spike
from workers.monitoring.detectors._shared import SERIES, Detector, Sighting, encode
from workers.monitoring.history import History
from workers.monitoring.incident import Incident
from workers.monitoring.telemetry import Decision, Telemetry
from workers.specs.events import Finding, Intervention
from workers.specs.monitoring import Detector as DetectorSpec
from workers.specs.monitoring import Monitoring, Spike

ACTIONS = (rollback, skip_batches, scale_lr, tighten_clip)
CAUSES: dict[str, Cause] = {"loss": "data", "grad_norm": "gradient", "update_norm": "update"}


def build_controller(spec: Monitoring) -> "Controller | None":
    """The controller that a spec asks for; None when monitoring is off."""
    return None if spec.mode == "off" else Controller(spec)


def build_detector(spec: DetectorSpec) -> Detector:
    """The detector that a spec asks for."""
    return spike.SpikeDetector(spec) if isinstance(spec, Spike) else non_finite.NonFiniteDetector()


class Controller:
    """Implements `workers.monitoring.telemetry.Watch`."""

    def __init__(self, spec: Monitoring) -> None:
        self.spec = spec
        self.lr_scale = 1.0
        self.clip_scale = 1.0
        self._detectors = [build_detector(detector) for detector in spec.detectors]
        self._history = History()
        self._incident: Incident | None = None
        self._num_findings = 0
        self._num_interventions = 0
        self._awaits_rollback = False

    def before_update(self, telemetry: Telemetry) -> Decision:
        """Judge loss and gradient before the weights change."""
        values = {"loss": telemetry.loss, "grad_norm": telemetry.grad_norm}
        decision = self._judge(telemetry.step, values)
        decision.discard_update = bool(decision.stop) or (self.spec.mode == "auto" and bool(decision.findings))
        return decision

    def after_update(self, telemetry: Telemetry) -> Decision:
        """Judge the update, and verify the intervention that is open."""
        values = {} if telemetry.update_norm is None else {"update_norm": telemetry.update_norm}
        decision = self._judge(telemetry.step, values)
        if not decision.findings and self._incident:
            closed = self._incident.verify(telemetry.step, telemetry.loss, self.spec.verify_steps)
            if closed:
                decision.interventions.append(closed)
                self._forget_runs(telemetry.step + 1)
        return decision

    def rolled_back(self, to_step: int | None) -> list[Intervention]:
        """Training went back to `to_step`, the next step to be done; None: there was no good checkpoint."""
        incident, asked = self._incident, self._awaits_rollback
        self._awaits_rollback = False
        if to_step is None:
            if not (incident and asked):
                return []
            return [incident.close("no_checkpoint", incident.intervention.step)]
        self._forget_runs(to_step)
        self._history.rewind(to_step)
        if not (incident and asked):
            return []
        incident.rolled_back, incident.verify_from = True, max(incident.onset, to_step)
        incident.intervention.after["step"] = to_step
        incident.intervention.cost_steps += max(incident.intervention.step + 1 - to_step, 0)
        return [incident.intervention.model_copy(deep=True)]

    def stage_changed(self, step: int) -> None:
        """Levels of another stage say nothing about this one."""
        self._forget_runs(0)
        self._history.rewind(0)

    def _judge(self, step: int, values: Mapping[str, float]) -> Decision:
        self._history.add(step, values)
        seen = [s for detector in self._detectors for s in detector.observe(step, values, self.lr_scale)]
        sightings = [s for s in seen if s.detector == "non_finite" or not self._muted(step, s.series)]
        decision = Decision()
        if sightings:
            onset, cause = self._origin(step, sightings)
            decision.findings = [self._finding(s, cause) for s in sightings]
            self._act(step, onset, cause, decision)
        return decision

    def _muted(self, step: int, series: str) -> bool:
        """Without a roll-back a spoilt loss needs its time; the update norm needs none."""
        incident = self._incident
        if incident is None or incident.rolled_back or series == "update_norm":
            return False
        return step < incident.verify_from + self.spec.verify_steps

    def _origin(self, step: int, sightings: Iterable[Sighting]) -> tuple[int, Cause]:
        """First wrong step over all series, and the cause that it points to."""
        origins = [(s.onset, SERIES.index(s.series), s.detector != "non_finite") for s in sightings]
        for detector in self._detectors:
            for onset, series in detector.pending():
                if not self._muted(step, series):
                    origins.append((onset, SERIES.index(series), True))
        onset, index, finite = min(origins)
        return onset, CAUSES[SERIES[index]] if finite else "non_finite"

    def _finding(self, sighting: Sighting, cause: Cause) -> Finding:
        self._num_findings += 1
        evidence: dict[str, Any] = {
            "series": sighting.series,
            "value": encode(sighting.value),
            "onset": sighting.onset,
            "cause": cause,
            **self._history.evidence(sighting.series),
        }
        if sighting.z is not None:
            evidence |= {"z": encode(sighting.z), "threshold": sighting.threshold, "baseline": sighting.baseline}
        return Finding(
            id=f"finding-{self._num_findings}-{sighting.detector}-{sighting.series}-{sighting.step}",
            detector=sighting.detector,
            step=sighting.step,
            severity=sighting.severity,
            message=sighting.message,
            evidence=evidence,
        )

    def _act(self, step: int, onset: int, cause: Cause, decision: Decision) -> None:
        previous = self._incident
        if previous and onset > previous.onset + self.spec.verify_steps:
            previous = None
        if self._incident and self._incident.open:
            decision.interventions.append(self._incident.close("not_recovered", step))
        if self.spec.mode == "auto" and self._num_interventions >= self.spec.budget:
            decision.stop = self._give_up(step, onset)
            return
        situation = self._situation(step, onset, cause, previous)
        planned = decision if self.spec.mode == "auto" else Decision()
        changes = [change for action in ACTIONS if (change := action.act(situation, planned))]
        intervention = self._intervention(situation, changes, planned, decision.findings[0])
        self._incident = self._open(situation, previous, intervention)
        decision.interventions.append(intervention.model_copy(deep=True))
        if self.spec.mode == "auto":
            self.lr_scale = intervention.after.get("lr_scale", self.lr_scale)
            self.clip_scale = intervention.after.get("clip_scale", self.clip_scale)
            self._awaits_rollback = planned.rollback
            self._forget_runs(step + 1)

    def _situation(self, step: int, onset: int, cause: Cause, previous: Incident | None) -> Situation:
        unresolved = previous is not None and previous.intervention.outcome != "recovered"
        return Situation(
            step=step,
            onset=onset,
            return_before=min(onset, previous.first_onset) if previous and unresolved else onset,
            cause=cause,
            level=previous.level + 1 if previous else 0,
            response=self.spec.response,
            lr_scale=self.lr_scale,
            clip_scale=self.clip_scale,
            min_lr_scale=self.spec.min_lr_scale,
        )

    def _intervention(
        self, situation: Situation, changes: list[Change], planned: Decision, finding: Finding
    ) -> Intervention:
        self._num_interventions += 1
        return Intervention(
            id=f"intervention-{self._num_interventions}-{situation.step}",
            finding_id=finding.id,
            step=situation.step,
            action="+".join(change.action for change in changes) or "discard_update",
            rule=_rule(self.spec),
            before={name: value for change in changes for name, value in change.before.items()},
            after={name: value for change in changes for name, value in change.after.items()},
            cost_steps=planned.skip_batches if self.spec.mode == "auto" else 0,
            evidence={
                "onset": situation.onset,
                "cause": situation.cause,
                "level": situation.level,
                "shadow": self.spec.mode == "shadow",
            },
        )

    def _open(self, situation: Situation, previous: Incident | None, intervention: Intervention) -> Incident:
        first_onset = previous.first_onset if previous else situation.onset
        known = self._history.loss_level(first_onset)
        level, margin = (previous.loss_level, previous.margin) if previous else (known or (None, 0.0))
        if level is not None:
            intervention.evidence["loss_level"] = level
            intervention.evidence["loss_margin"] = margin
        return Incident(
            first_onset=first_onset,
            onset=situation.onset,
            level=situation.level,
            loss_level=level,
            margin=margin,
            intervention=intervention,
            verify_from=situation.step + 1,
        )

    def _give_up(self, step: int, onset: int) -> str:
        return (
            f"The budget of {self.spec.budget} interventions is used up and the run is unstable again at step {step} "
            f"(since step {onset}). Lower optimizer.lr or look at the batches around that step, then launch again; "
            f"monitoring.budget allows more interventions."
        )

    def _forget_runs(self, step: int) -> None:
        for detector in self._detectors:
            detector.rewind(step)

    def state_dict(self) -> dict[str, object]:
        """JSON-able state. A roll-back must not load it: it would forget what was learnt."""
        return {
            "lr_scale": self.lr_scale,
            "clip_scale": self.clip_scale,
            "detectors": [detector.state_dict() for detector in self._detectors],
            "history": self._history.state_dict(),
            "incident": self._incident.state_dict() if self._incident else None,
            "num_findings": self._num_findings,
            "num_interventions": self._num_interventions,
            "awaits_rollback": self._awaits_rollback,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state from `state_dict`. Raises ValueError when it is of other detectors."""
        saved = state["detectors"]
        if len(saved) != len(self._detectors):
            raise ValueError(f"the saved controller has {len(saved)} detectors, the spec has {len(self._detectors)}")
        for detector, part in zip(self._detectors, saved, strict=True):
            detector.load_state_dict(part)
        self.lr_scale, self.clip_scale = float(state["lr_scale"]), float(state["clip_scale"])
        self._history.load_state_dict(state["history"])
        self._incident = Incident.from_state(state["incident"]) if state["incident"] else None
        self._num_findings, self._num_interventions = state["num_findings"], state["num_interventions"]
        self._awaits_rollback = state["awaits_rollback"]


def _rule(spec: Monitoring) -> str:
    """The response in words, as the spec has it."""
    response = spec.response
    parts = ["roll back to the last good checkpoint"] if response.rollback else []
    parts += [f"leave out {response.skip_batches} batches"] if response.skip_batches else []
    parts += [f"learning rate x {response.lr_factor:g}"] if response.lr_factor < 1 else []
    parts += [f"clip x {response.clip_factor:g}"] if response.clip_factor < 1 else []
    return f"{', '.join(parts) or 'discard the update'}; harder when it returns within {spec.verify_steps} steps"
