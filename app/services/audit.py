"""The audit log: who changed what through the API, written in the transaction of the change.

A service calls `record` where it changes something. Who calls stands in a context variable that the guard of the route
sets, so what the service does by itself (a retry, say) leaves no row here: it stands in the run's events.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from app.access_schemas import AuditRecord
from app.models import AuditEntry
from app.queries import audit
from app.schemas import Page
from app.services import cursors

Action = Literal[
    "run.launch", "run.cancel", "run.command", "run.delete", "finding.acknowledge", "finding.withdraw",
    "token.create", "token.revoke", "login.link",
    "session.start", "session.end", "project.create", "project.change", "project.delete", "user.create", "user.change",
    "user.delete", "label.put", "label.delete", "dataset.delete", "storage.collect",
    "schedule.create", "schedule.edit", "schedule.delete", "schedule.run", "webhook.create", "webhook.edit",
    "webhook.delete", "webhook.secret", "webhook.test", "webhook.retry",
]  # fmt: skip

ACTIONS: dict[str, Action] = {
    "launch_run": "run.launch",
    "retry_run": "run.launch",
    "cancel_run": "run.cancel",
    "send_command": "run.command",
    "delete_run": "run.delete",
    "acknowledge_finding": "finding.acknowledge",
    "withdraw_acknowledgement": "finding.withdraw",
    "create_token": "token.create",
    "revoke_token": "token.revoke",
    "create_login_link": "login.link",
    "create_user_login_link": "login.link",
    "log_out": "session.end",
    "end_session": "session.end",
    "create_project": "project.create",
    "change_project": "project.change",
    "delete_project": "project.delete",
    "create_user": "user.create",
    "change_user": "user.change",
    "delete_user": "user.delete",
    "put_label": "label.put",
    "delete_label": "label.delete",
    "delete_dataset_version": "dataset.delete",
    "collect_garbage": "storage.collect",
    "create_schedule": "schedule.create",
    "edit_schedule": "schedule.edit",
    "delete_schedule": "schedule.delete",
    "run_schedule": "schedule.run",
    "create_webhook": "webhook.create",
    "edit_webhook": "webhook.edit",
    "delete_webhook": "webhook.delete",
    "renew_webhook_secret": "webhook.secret",
    "test_webhook": "webhook.test",
    "retry_delivery": "webhook.retry",
}
"""What each operation of the API that changes something is called here. Logging in (`session.start`) is a GET."""

SILENT: dict[str, str] = {
    "estimate_run": "changes nothing",
    "preview_timing": "changes nothing",
    "worker_hello": "the list of workers has it",
    "worker_goodbye": "the list of workers has it",
    "ingest_batch": "what workers report stands in the run's events",
    "ingest_evaluation_items": "what workers report stands in the run's events",
    "put_blob": "content by its hash: it means nothing until an artifact names it",
    "touch_blob": "content by its hash: it means nothing until an artifact names it",
}
"""Operations that write and leave no row, and why. One that stands in neither table fails the tests."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, in which request."""

    id: str
    name: str
    request_id: str = ""


CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""Set by the guard of a route for the rest of its request."""


async def record(
    session: AsyncSession,
    action: Action,
    target: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    caller: Caller | None = None,
    project: str | None = None,
) -> None:
    """Write one change of the present caller (or of `caller`); nothing where the service acts by itself.

    `before` and `after` hold what a person needs to understand the change, never a secret.
    """
    who = caller or CALLER.get()
    if who is None:
        return
    entry = AuditEntry(
        actor=who.name,
        actor_id=who.id,
        action=action,
        target=target,
        project=project,
        before=before,
        after=after,
        request_id=who.request_id,
    )
    await audit.add(session, entry)


async def list_entries(
    session: AsyncSession,
    actor: str | None,
    actions: list[Action],
    target: str | None,
    since: datetime | None,
    cursor: str | None,
    limit: int,
) -> Page[AuditRecord]:
    """One page, the newest first. Raises a 422 problem for a cursor that is not of this list."""
    key = cursors.decode(cursor, [int])
    rows = await audit.page(session, actor, actions, target, since, key[0] if key else None, limit + 1)
    more = cursors.encode(rows[limit - 1].id) if len(rows) > limit else None
    return Page(items=[AuditRecord.model_validate(row) for row in rows[:limit]], next_cursor=more)
