"""Opaque cursors of lists: the sort key of the last row, as URL-safe base64 of JSON."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from app.services.problems import ProblemError, invalid


def encode(*key: str | int | float) -> str:
    """A cursor that continues after the row with this key."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def decode(cursor: str | None, kinds: Sequence[type]) -> list[Any] | None:
    """The key in a cursor, None for the first page. Raises ProblemError (422) when it is none of ours."""
    if not cursor:
        return None
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fits = isinstance(key, list) and [type(part) for part in key] == list(kinds)
    except (binascii.Error, ValueError):
        fits = False
    if not fits:
        raise _foreign()
    return list(key)


def moment(text: str) -> datetime:
    """The time in a cursor's key. Raises ProblemError (422) when it is none, or has no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _foreign() from None
    if found.tzinfo is None:
        raise _foreign()
    return found


def _foreign() -> ProblemError:
    return invalid(
        "The cursor is not one of this list.",
        [{"pointer": "/query/cursor", "message": "Take `next_cursor` from the page before, or leave it out."}],
    )
