"""Hands out notices: to webhooks and by e-mail, with tries and pauses that stand in a table and survive a restart.

At least once: a receiver knows a repeat by its `webhook-id`. https://www.standardwebhooks.com
"""

import asyncio
import contextlib
import time
from typing import Any

import httpx
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database, dump_json
from app.models import Delivery, Notice, Webhook, new_id
from app.queries import idempotency, notices, webhooks
from app.services.egress import RefusedAddressError, find_target, post
from app.services.live import end_tasks
from app.services.mailer import Mailer, MailError
from app.services.signatures import signed_headers
from app.settings import Settings

PAUSES_SECONDS = (5.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0)
"""Before the second try, the third, ...; after the last one the delivery has failed."""
_LEASE = "dispatcher"
_LEASE_SECONDS = 60.0
_POLL_SECONDS = 1.0
_AT_ONCE = 10
_CLAIM_SECONDS = 90.0
"""Longer than a try may take."""
_TRY_SECONDS = 15.0
_KEEP_SECONDS = 30 * 86_400.0
_log = structlog.get_logger()


class Dispatcher:
    """A background task. One process at a time holds the lease and does the work."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._mailer = Mailer(settings)
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(_TRY_SECONDS, connect=5), trust_env=False)
        self._holder = new_id()
        self._task: asyncio.Task[None] | None = None
        self._tidied_at = 0.0

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="dispatcher")

    async def stop(self) -> None:
        """End; what was not delivered stays in the table."""
        if self._task:
            await end_tasks([self._task])
        with contextlib.suppress(OSError, SQLAlchemyError, TimeoutError):
            async with self._database.begin() as session:
                await idempotency.give_lease_back(session, _LEASE, self._holder)
        await self._client.aclose()

    async def _run(self) -> None:
        while True:
            busy = False
            try:
                busy = await self.step()
            except (OSError, SQLAlchemyError, TimeoutError) as error:
                _log.warning("dispatcher waits for the database", error=type(error).__name__)
            except Exception:
                _log.exception("dispatcher failed")
            await asyncio.sleep(0 if busy else _POLL_SECONDS)

    async def step(self) -> bool:
        """Hand out new notices and try what is due; whether there was anything. Nothing while another does it."""
        async with self._database.begin() as session:
            if await idempotency.take_lease(session, _LEASE, self._holder, _LEASE_SECONDS) is None:
                return False
            if time.monotonic() - self._tidied_at > 3600:
                await notices.forget_before(session, _KEEP_SECONDS)
                self._tidied_at = time.monotonic()
        handed_out = await self._hand_out()
        async with self._database.begin() as session:
            due = await notices.claim(session, _AT_ONCE, _CLAIM_SECONDS)
        await asyncio.gather(*(self.try_once(*one) for one in due))
        return bool(handed_out or due)

    async def _hand_out(self) -> int:
        async with self._database.begin() as session:
            fresh = await notices.untold(session, 200)
            listening = await webhooks.every(session) if fresh else []
            for notice in fresh:
                repeats = await notices.told_before(session, notice, self._settings.notify_window_seconds)
                wanted = [hook.id for hook in listening if hook.enabled and notice.kind in hook.events]
                mail = self._mailer.wants(notice)
                await notices.hand_out(session, notice, [] if repeats else wanted, mail and not repeats, repeats)
        return len(fresh)

    async def try_once(self, delivery: Delivery, notice: Notice, webhook: Webhook | None) -> None:
        """One try, and the note of how it went."""
        begun = time.monotonic()
        if webhook is None:
            status, error = None, await self._mail(notice)
        elif not webhook.enabled and notice.kind != "test":
            status, error = None, "the webhook was switched off"
        else:
            status, error = await self._call(notice, webhook)
        final = error is None or delivery.tries >= len(PAUSES_SECONDS) or notice.kind == "test"
        gone = status == httpx.codes.GONE
        state = "delivered" if error is None else "failed" if final or gone else "pending"
        pause = PAUSES_SECONDS[delivery.tries] if state == "pending" else None
        values: dict[str, Any] = {"state": state, "status": status, "error": error and error[:2000]}
        values["seconds"] = time.monotonic() - begun
        async with self._database.begin() as session:
            await notices.record(session, delivery.id, pause, **values)
            if webhook and gone:
                note = "It answered 410 Gone: it wants no more."
                await webhooks.set_fields(session, webhook.id, enabled=False, note=note)
        if error:
            _log.warning("notice not delivered", kind=notice.kind, webhook=delivery.webhook_id, error=error[:300])

    async def _mail(self, notice: Notice) -> str | None:
        try:
            await self._mailer.send(notice)
        except MailError as error:
            return str(error)
        return None

    async def _call(self, notice: Notice, webhook: Webhook) -> tuple[int | None, str | None]:
        body = body_of(notice)
        headers = {"Content-Type": "application/json", "User-Agent": "Headrace"}
        headers |= signed_headers(webhook.secret, notice.id, int(time.time()), body)
        try:
            target = await find_target(webhook.url, self._settings.webhook_private_hosts)
            status, answer = await post(target, body, headers, _TRY_SECONDS, self._client)
        except RefusedAddressError as error:
            return None, str(error)
        except TimeoutError:
            return None, f"no whole answer within {_TRY_SECONDS:.0f} s"
        except httpx.HTTPError as error:
            return None, f"{type(error).__name__}: {error}".rstrip(": ")
        if 200 <= status < 300:
            return status, None
        if 300 <= status < 400:
            return status, f"it answers {status}: redirects are not followed; give the address that it leads to"
        return status, f"it answers {status}: {answer[:300]}".rstrip(": ")


def body_of(notice: Notice) -> bytes:
    """What a webhook is sent: `type`, `timestamp`, `data`."""
    moment = notice.created_at.isoformat()
    return dump_json({"type": notice.kind, "timestamp": moment, "data": notice.data}).encode()
