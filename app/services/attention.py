"""What waits for a person: proposals, findings nobody has seen, and the word that one has been seen."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.attention_schemas import Attention, Proposal, UnseenFinding
from app.models import Finding
from app.queries import attention
from app.schemas import FindingRecord, InterventionRecord
from app.services import audit, lifecycle
from app.services.problems import not_found

_AT_MOST = 100
_FOR = timedelta(days=14)
"""Older findings ask for nothing any more."""


async def look(session: AsyncSession) -> Attention:
    """All that waits now."""
    since = datetime.now(UTC) - _FOR
    return Attention(
        proposals=[
            Proposal(
                run_id=run.id,
                run_name=run.name,
                run_state=run.state,
                intervention=InterventionRecord.model_validate(
                    {name: getattr(row, name) for name in InterventionRecord.model_fields}
                ),
            )
            for row, run in await attention.proposed(session, _AT_MOST)
        ],
        findings=[
            UnseenFinding(run_id=run.id, run_name=run.name, run_state=run.state, finding=record(row))
            for row, run in await attention.unseen(session, since, _AT_MOST)
        ],
    )


async def acknowledge(session: AsyncSession, run_id: str, finding_id: str, author: str | None) -> FindingRecord:
    """`author` has seen the finding; None takes that back. Raises a 404 problem."""
    run = await lifecycle.locked(session, run_id)
    row = await attention.finding(session, run_id, finding_id)
    if row is None:
        raise not_found("finding", finding_id)
    row.acknowledged_at = None if author is None else datetime.now(UTC)
    row.acknowledged_by = author
    await session.flush()
    action: audit.Action = "finding.withdraw" if author is None else "finding.acknowledge"
    await audit.record(session, action, f"{run_id}/{finding_id}", project=run.project)
    await lifecycle.announce(session, run, "finding")
    return record(row)


def record(row: Finding) -> FindingRecord:
    """A finding as people read it."""
    return FindingRecord.model_validate({name: getattr(row, name) for name in FindingRecord.model_fields})
