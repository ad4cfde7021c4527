"""What the REST API takes and answers about webhooks, notices and their deliveries."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from app.schemas import Schema

EventKind = Literal[
    "run.finished", "run.failed", "finding.opened", "intervention.waiting", "intervention.failed", "worker.dead",
    "schedule.missed",
]  # fmt: skip


def _each_once(kinds: list[EventKind]) -> list[EventKind]:
    return list(dict.fromkeys(kinds))


Events = Annotated[list[EventKind], Field(min_length=1, max_length=20), AfterValidator(_each_once)]
Url = Annotated[str, Field(min_length=8, max_length=2000, examples=["https://hooks.example.com/headrace"])]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class WebhookRequest(Schema):
    """A webhook to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    url: Url
    """`https://` or `http://`. Addresses of private networks are refused unless the settings allow them."""
    events: Events
    """What it is told."""


class WebhookChange(Schema):
    """Fields to change; those that are left out stay."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = None


class Webhook(Schema):
    """An address that is told what happens. Requests are signed as Standard Webhooks says."""

    id: str
    name: str
    url: str
    events: list[str]
    enabled: bool
    note: str
    """Why the service itself has switched it off; else empty."""
    version: int
    created_by: str
    created_at: datetime


class WebhookCreated(Webhook):
    """A new webhook, or one with a new secret. `secret` is shown this once."""

    secret: str
    """`whsec_` and base64: what the receiver checks signatures with."""


class Delivery(Schema):
    """One notice on its way to one webhook, or by e-mail."""

    id: int
    notice_id: str
    """The `webhook-id` of the request: the same in every try."""
    webhook_id: str | None
    """None: e-mail."""
    kind: str
    state: Literal["pending", "delivered", "failed"]
    tries: int
    status: int | None
    """HTTP status of the last answer."""
    error: str | None
    seconds: float | None
    """How long the last try took."""
    created_at: datetime
    tried_at: datetime | None
    next_try_at: datetime | None


class Notice(Schema):
    """Something that happened, as it is told to the outside."""

    id: str
    kind: str
    run_id: str | None
    data: dict[str, Any]
    created_at: datetime
    repeats: str | None
    """Id of the notice that told the same shortly before: this one was not sent."""
