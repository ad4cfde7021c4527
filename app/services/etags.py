"""ETags of what can be edited, and the `If-Match` that an edit must send. RFC 9110, 13.1.1."""

import hashlib
from typing import Any

from app.db import dump_json
from app.services.problems import ProblemError


def make(*facts: Any) -> str:
    """Changes whenever one of the facts does."""
    return f'"{hashlib.sha256(dump_json(facts).encode()).hexdigest()[:32]}"'


def match(etag: str, given: str | None) -> None:
    """Does the caller know the thing as it is? Raises problems: 428 when it did not say, 412 when it does not."""
    if given is None:
        title = "Precondition required"
        raise ProblemError(428, "if-match-missing", title, "Send the ETag that GET gave as `If-Match`.")
    if {etag, "*"}.isdisjoint(part.strip() for part in given.split(",")):
        words = "It has changed since it was read: look at it again, then edit it."
        raise ProblemError(412, "changed-meanwhile", "Changed meanwhile", words)
