"""Errors that the API answers as RFC 9457 problems. https://www.rfc-editor.org/rfc/rfc9457"""

from collections.abc import Mapping, Sequence

from app.db import SCOPE

TYPES = "https://headrace.dev/problems/"
"""Prefix of `type`: a stable name, not a page that is fetched."""


class ProblemError(Exception):
    """An error with its HTTP status and the words for the caller."""

    def __init__(
        self,
        status: int,
        name: str,
        title: str,
        detail: str = "",
        errors: Sequence[dict[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{title}: {detail}")
        self.status, self.name, self.title, self.detail = status, name, title, detail
        self.errors, self.headers = list(errors), dict(headers or {})


def not_found(what: str, identifier: str) -> ProblemError:
    """404: there is no such thing."""
    projects = SCOPE.get()
    where = "" if projects is None else f" in {', '.join(sorted(projects))[:300]}, where your role allows this"
    return ProblemError(404, "not-found", "Not found", f"There is no {what} {identifier[:300]!r}{where}.")


def conflict(name: str, detail: str, headers: Mapping[str, str] | None = None) -> ProblemError:
    """409: the thing is in a state that does not allow it."""
    return ProblemError(409, name, "Conflict", detail, headers=headers)


def invalid(detail: str, errors: Sequence[dict[str, str]] = ()) -> ProblemError:
    """422: the request is understood, but wrong; `errors` name the fields."""
    return ProblemError(422, "invalid", "Invalid request", detail, errors)
