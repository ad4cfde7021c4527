"""All tables, and which of their rows a caller sees. Import it as `from app import models`."""

from app.models.access import IdempotencyKey, LoginCode, Session, Token
from app.models.audit import AuditEntry
from app.models.base import Base, new_id
from app.models.metrics import IngestBatch, Metric, MetricRollup, Series
from app.models.notices import Delivery, Notice, Webhook
from app.models.operation import Lease, Operation, OutboxEntry, Worker
from app.models.projects import Membership, Project, User
from app.models.results import CollectedBlob, DatasetVersion, Evaluation, EvaluationItem, Label
from app.models.runs import Artifact, Attempt, Command, Event, Finding, Intervention, Run
from app.models.scope import _narrow as _narrow

__all__ = [
    "Artifact",
    "Attempt",
    "AuditEntry",
    "Base",
    "CollectedBlob",
    "Command",
    "DatasetVersion",
    "Delivery",
    "Evaluation",
    "EvaluationItem",
    "Event",
    "Finding",
    "IdempotencyKey",
    "IngestBatch",
    "Intervention",
    "Label",
    "Lease",
    "LoginCode",
    "Membership",
    "Metric",
    "MetricRollup",
    "Notice",
    "Operation",
    "OutboxEntry",
    "Project",
    "Run",
    "Series",
    "Session",
    "Token",
    "User",
    "Webhook",
    "Worker",
    "new_id",
]
