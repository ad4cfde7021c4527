"""Findings and interventions as they are reported: with evidence, rule, and values before and after."""

from typing import Any

from workers.monitoring.actions._shared import Change, Situation
from workers.monitoring.detectors._shared import Sighting, encode
from workers.specs.events import Finding, Intervention
from workers.specs.monitoring import Rule


def make_finding(number: int, sighting: Sighting, kind: str, series: dict[str, Any]) -> Finding:
    """What a detector saw. `kind` names the trouble that it belongs to, `series` the figures around it."""
    evidence: dict[str, Any] = {
        "series": sighting.series,
        "value": encode(sighting.value),
        "onset": sighting.onset,
        "cause": kind,
        **series,
    }
    known = {"z": sighting.z, "threshold": sighting.threshold, "baseline": sighting.baseline}
    evidence |= {name: encode(value) for name, value in known.items() if value is not None}
    return Finding(
        id=f"finding-{number}-{sighting.detector}-{sighting.series}-{sighting.step}",
        detector=sighting.detector,
        step=sighting.step,
        severity=sighting.severity,
        message=sighting.message,
        evidence=evidence,
    )


def report_failure(number: int, kind: str, error: str, step: int) -> Finding:
    """A detector has failed and is switched off."""
    return Finding(
        id=f"finding-{number}-{kind}-failed-{step}",
        detector=kind,
        step=step,
        severity="warning",
        message=f"the detector {kind} failed at step {step} and is switched off ({error}); the run goes on without it",
        evidence={"error": error},
    )


def make_intervention(
    number: int, situation: Situation, rule: Rule, rung: int, changes: list[Change], finding: Finding, mode: str
) -> Intervention:
    """What is done, or would be done, about a finding."""
    return Intervention(
        id=f"intervention-{number}-{situation.step}",
        finding_id=finding.id,
        step=situation.step,
        action="+".join(change.action for change in changes) or "none",
        rule=f"{rule.name}, rung {rung + 1}",
        before={name: value for change in changes for name, value in change.before.items()},
        after={name: value for change in changes for name, value in change.after.items()},
        evidence={
            "onset": situation.onset,
            "cause": situation.kind,
            "level": situation.level,
            "shadow": mode == "shadow",
        },
    )
