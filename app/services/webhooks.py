"""Webhooks: made, changed, tested; their deliveries told."""

from sqlalchemy.ext.asyncio import AsyncSession

from app import models
from app.db import Database
from app.models import new_id
from app.notice_schemas import Delivery, Notice, Webhook, WebhookChange, WebhookCreated, WebhookRequest
from app.queries import notices, webhooks
from app.schemas import Page
from app.services import audit, cursors, etags
from app.services.dispatcher import Dispatcher
from app.services.egress import RefusedAddressError, find_target
from app.services.problems import conflict, invalid, not_found
from app.services.signatures import new_secret
from app.settings import Settings

_MOST = 50


async def list_webhooks(session: AsyncSession) -> list[Webhook]:
    """All, without their secrets."""
    return [Webhook.model_validate(row) for row in await webhooks.every(session)]


async def get(session: AsyncSession, webhook_id: str, lock: bool = False) -> models.Webhook:
    """One. Raises a 404 problem."""
    found = await webhooks.get(session, webhook_id, lock)
    if found is None:
        raise not_found("webhook", webhook_id)
    return found


async def create(session: AsyncSession, request: WebhookRequest, author: str, settings: Settings) -> WebhookCreated:
    """Make one. Raises problems: 422 for an address that may not be called, 409 when there are too many."""
    await _check(request.url, settings)
    if await webhooks.count(session) >= _MOST:
        raise conflict("too-many", f"There are {_MOST} webhooks already; delete one first.")
    values = request.model_dump() | {"created_by": author, "secret": new_secret()}
    row = models.Webhook(id=new_id(), **values)
    await webhooks.add(session, row)
    await audit.record(session, "webhook.create", row.id, after=request.model_dump())
    return WebhookCreated.model_validate(row)


async def change(
    session: AsyncSession, webhook_id: str, etag: str | None, changes: WebhookChange, settings: Settings
) -> Webhook:
    """Edit one. Raises problems: 404, 412 when it has changed since `etag`, 422, 428 without `etag`."""
    row = await get(session, webhook_id, lock=True)
    etags.match(etag_of(row), etag)
    if changes.url is not None:
        await _check(changes.url, settings)
    values = {name: value for name, value in changes.model_dump(exclude_unset=True).items() if value is not None}
    before = {name: getattr(row, name) for name in values}
    await audit.record(session, "webhook.edit", webhook_id, before, dict(values))
    if values.get("enabled"):
        values["note"] = ""
    await webhooks.set_fields(session, webhook_id, **values)
    return Webhook.model_validate(await get(session, webhook_id))


async def renew_secret(session: AsyncSession, webhook_id: str) -> WebhookCreated:
    """A new secret; the old one signs nothing from now on. Raises a 404 problem."""
    await get(session, webhook_id, lock=True)
    await webhooks.set_fields(session, webhook_id, secret=new_secret())
    await audit.record(session, "webhook.secret", webhook_id)
    return WebhookCreated.model_validate(await get(session, webhook_id))


async def delete(session: AsyncSession, webhook_id: str) -> None:
    """Take one away with its log. Raises a 404 problem."""
    row = await get(session, webhook_id, lock=True)
    before = {"name": row.name, "url": row.url, "events": row.events}
    await webhooks.remove(session, webhook_id)
    await audit.record(session, "webhook.delete", webhook_id, before)


async def test(database: Database, dispatcher: Dispatcher, webhook_id: str, author: str) -> Delivery:
    """Send it a notice of kind `test` now, also while it is switched off; how that went. Raises a 404 problem."""
    async with database.begin() as session:
        await get(session, webhook_id)
        data = {"message": f"{author} asked for this test."}
        notice = await notices.add(session, "test", f"test {new_id()}", data)
        made = await notices.add_delivery(session, notice, webhook_id)
        found = await notices.one(session, made.id)
        await audit.record(session, "webhook.test", webhook_id)
    if found is None:
        raise not_found("webhook", webhook_id)
    await dispatcher.try_once(*found)
    async with database.begin() as session:
        found = await notices.one(session, made.id)
    if found is None:  # it was deleted while it was tried
        raise not_found("webhook", webhook_id)
    return _told(found[0], "test")


async def list_deliveries(session: AsyncSession, webhook_id: str, cursor: str | None, limit: int) -> Page[Delivery]:
    """The newest first. Raises problems: 404, 422 for a cursor that is none."""
    await get(session, webhook_id)
    key = cursors.decode(cursor, [int])
    rows = await notices.deliveries(session, webhook_id, key[0] if key else None, limit + 1)
    more = cursors.encode(rows[limit - 1][0].id) if len(rows) > limit else None
    return Page(items=[_told(row, kind) for row, kind in rows[:limit]], next_cursor=more)


async def send_again(session: AsyncSession, webhook_id: str, delivery_id: int) -> Delivery:
    """Make a delivery due now, with all its tries before it. Raises a 404 problem."""
    if not await notices.send_again(session, delivery_id, webhook_id):
        raise not_found("delivery of this webhook", str(delivery_id))
    await audit.record(session, "webhook.retry", webhook_id, after={"delivery_id": delivery_id})
    found = await notices.one(session, delivery_id)
    if found is None:
        raise not_found("delivery of this webhook", str(delivery_id))
    return _told(found[0], found[1].kind)


async def list_notices(session: AsyncSession, cursor: str | None, limit: int) -> Page[Notice]:
    """What was told to the outside, the newest first. Raises a 422 problem for a cursor that is none."""
    key = cursors.decode(cursor, [str, str])
    rows = await notices.page(session, (cursors.moment(key[0]), key[1]) if key else None, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    more = cursors.encode(last.created_at.isoformat(), last.id) if last else None
    return Page(items=[Notice.model_validate(row) for row in rows[:limit]], next_cursor=more)


def etag_of(row: models.Webhook) -> str:
    """Changes with every edit."""
    return f'"{row.id}-{row.version}"'


async def _check(url: str, settings: Settings) -> None:
    try:
        await find_target(url, settings.webhook_private_hosts)
    except RefusedAddressError as error:
        raise invalid(f"The address is refused: {error}.", [{"pointer": "/url", "message": str(error)}]) from error


def _told(row: models.Delivery, kind: str) -> Delivery:
    waits = row.not_before if row.state == "pending" else None
    return Delivery.model_validate({**row.__dict__, "kind": kind, "next_try_at": waits})
