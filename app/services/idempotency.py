"""A POST that creates happens once for its Idempotency-Key, however often it is sent.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database, dump_json
from app.models import IdempotencyKey
from app.queries import idempotency
from app.services.problems import ProblemError, conflict, invalid

KEEP_SECONDS = 30 * 86_400
"""Pipelines that are taken up again repeat their keys, so they are kept long."""
_STALE_SECONDS = 90.0
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Answer(NamedTuple):
    """The body, and whether it was answered before."""

    body: dict[str, Any]
    replayed: bool


def hash_request(path: str, body: Any) -> str:
    """SHA-256 (hex) of what is asked."""
    return hashlib.sha256(f"{path}\n{dump_json(body)}".encode()).hexdigest()


async def once(
    database: Database,
    principal: str,
    key: str | None,
    request_hash: str,
    make: Callable[[AsyncSession], Awaitable[dict[str, Any]]],
) -> Answer:
    """Run `make` in one transaction with the note of its answer, or give the answer that was noted.

    Raises problems: 422 when the key came with another request, 409 while the first request is in flight.
    """
    if key is None:
        async with database.begin() as session:
            return Answer(await make(session), False)
    if not _KEY.fullmatch(key):
        raise invalid("Idempotency-Key must be 1 to 255 visible ASCII characters.")
    async with database.begin() as session:
        claimed, mine = await idempotency.claim(session, principal, key, request_hash, _STALE_SECONDS)
    if not mine:
        return _repeat(claimed, request_hash)
    try:
        async with database.begin() as session:
            body = await make(session)
            await _keep(session, claimed, body)
            return Answer(body, False)
    except BaseException:
        async with database.begin() as session:
            await idempotency.release(session, claimed)
        raise


async def _keep(session: AsyncSession, claimed: IdempotencyKey, body: dict[str, Any]) -> None:
    if not await idempotency.finish(session, claimed, 201, body):
        raise _in_flight(claimed.key)  # we were so slow that another took over: our transaction must not count


def _repeat(known: IdempotencyKey, request_hash: str) -> Answer:
    if known.request_hash != request_hash:
        raise ProblemError(
            422,
            "idempotency-key-reused",
            "Idempotency-Key reused",
            "This key came before with another request; take a new key for a new request.",
        )
    if known.response is None:
        raise _in_flight(known.key)
    return Answer(known.response, True)


def _in_flight(key: str) -> ProblemError:
    return conflict("in-flight", f"The first request with the key {key!r} is still in flight.", {"Retry-After": "1"})
