"""What happens and is worth a message: written as notices in the transaction of the change itself.

`app.services.dispatcher` hands them out afterwards: to webhooks, by e-mail, each subject once in a window.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Run
from app.queries import notices
from workers.specs.events import Finding, Intervention, RunState

_ENDS = {RunState.COMPLETED: "run.finished", RunState.FAILED: "run.failed", RunState.CRASHED: "run.failed"}
_FAILED = frozenset({"not_recovered", "no_checkpoint"})


async def run_ended(session: AsyncSession, run: Run, error: str | None) -> None:
    """A run has completed (`run.finished`), or failed or crashed for good (`run.failed`)."""
    kind = _ENDS.get(RunState(run.state))
    if kind is None:
        return
    data = _of_run(run) | {"headline": run.headline}
    if kind == "run.failed":
        data |= {"error": (error or run.error or run.state_reason)[:2000]}
    await notices.add(session, kind, f"{run.id} ended", data, run.id)


async def attempt_died(session: AsyncSession, run: Run, reason: str) -> None:
    """The worker of a run has died (`worker.dead`); what follows is in the run's own state."""
    data = _of_run(run) | {"reason": reason[:2000], "attempts_left": run.max_attempts - run.attempt}
    await notices.add(session, "worker.dead", f"{run.id} attempt {run.attempt}", data, run.id)


async def findings_reported(session: AsyncSession, run: Run, found: Sequence[Finding]) -> None:
    """Those findings that the run has not got yet (`finding.opened`); of a detector, one in a window."""
    known = await notices.known_findings(session, run.id, [finding.id for finding in found])
    for finding in found:
        if finding.id in known:
            continue
        fields = finding.model_dump(include={"detector", "step", "severity", "message"})
        data = _of_run(run) | {"finding_id": finding.id} | fields
        await notices.add(session, "finding.opened", f"{run.id} {finding.detector}", data, run.id)


async def interventions_reported(session: AsyncSession, run: Run, told: Sequence[Intervention]) -> None:
    """Those that wait for a person now (`intervention.waiting`), and those that did not help (`.failed`)."""
    before = await notices.known_outcomes(session, run.id, [intervention.id for intervention in told])
    for intervention in told:
        outcome = intervention.outcome
        if before.get(intervention.id) == outcome or outcome not in _FAILED | {"proposed"}:
            continue
        kind = "intervention.failed" if outcome in _FAILED else "intervention.waiting"
        fields = intervention.model_dump(include={"action", "step", "author", "rule", "outcome"})
        data = _of_run(run) | {"intervention_id": intervention.id} | fields
        await notices.add(session, kind, f"{run.id} {intervention.id} {outcome}", data, run.id)


def _of_run(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "run_name": run.name,
        "run_kind": run.kind,
        "state": run.state,
        "attempt": run.attempt,
        "parent_id": run.parent_id,
    }
