"""What waits for a person."""

from pydantic import Field

from app.schemas import FindingRecord, InterventionRecord, Schema
from workers.specs.events import RunState


class _OfRun(Schema):
    run_id: str
    run_name: str
    run_state: RunState


class Proposal(_OfRun):
    """An intervention that a live run proposes."""

    intervention: InterventionRecord


class UnseenFinding(_OfRun):
    """A finding that nobody has acknowledged."""

    finding: FindingRecord


class Attention(Schema):
    """Proposals and findings, the newest first; at most a hundred of each."""

    proposals: list[Proposal] = Field(default_factory=list)
    findings: list[UnseenFinding] = Field(default_factory=list)
