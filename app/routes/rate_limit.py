"""How many requests a caller may make: a token bucket for each. https://en.wikipedia.org/wiki/Token_bucket

Answers say where the caller stands, in the fields of draft-ietf-httpapi-ratelimit-headers-10; 429 says when to come
back. A bucket lies in this process: several of them behind a proxy each allow as many.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.routes.security import send_problem
from app.settings import Settings

UNCOUNTED = ("/api/v1/ingest/", "/api/v1/blobs/", "/api/v1/prefect/", "/api/v1/health")
"""What workers send as their work needs it, and what watches over the service."""
_WINDOW_SECONDS = 60.0
_MAX_BUCKETS = 10_000


@dataclass(slots=True)
class Bucket:
    """What is left of a caller's requests, and when that was so (seconds)."""

    left: float
    at: float


class Buckets:
    """Fills each caller's bucket steadily, up to `limit` requests in a window of a minute."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock, self._rate = clock, limit / _WINDOW_SECONDS
        self._buckets: OrderedDict[bytes, Bucket] = OrderedDict()

    def take(self, caller: bytes) -> tuple[int, float]:
        """Requests that are left after this one, and seconds until the next is allowed (0: this one is)."""
        now = self._clock()
        bucket = self._buckets.setdefault(caller, Bucket(float(self.limit), now))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)  # the one that was silent for longest
        bucket.left = min(float(self.limit), bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.left < 1:
            return 0, (1 - bucket.left) / self._rate
        bucket.left -= 1
        return int(bucket.left), 0.0


class RateLimit:
    """Middleware over the REST API; the UI's own files are not counted."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._buckets = Buckets(settings.rate_limit_per_minute) if settings.rate_limit_per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 429."""
        counted = scope["type"] == "http" and scope["path"].startswith("/api/")
        if self._buckets is None or not counted or scope["path"].startswith(UNCOUNTED):
            await self.app(scope, receive, send)
            return
        left, wait = self._buckets.take(_caller(scope))
        full = math.ceil((self._buckets.limit - left) / self._buckets.limit * _WINDOW_SECONDS)
        fields = {
            "RateLimit-Policy": f'"default";q={self._buckets.limit};w={_WINDOW_SECONDS:.0f}',
            "RateLimit": f'"default";r={left};t={math.ceil(wait) or full}',
        }

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(fields)
            await send(message)

        if wait:
            fields["Retry-After"] = str(math.ceil(wait))
            detail = (
                f"{self._buckets.limit} requests a minute are allowed to one caller; come back in {math.ceil(wait)} s. "
                "HEADRACE_RATE_LIMIT_PER_MINUTE sets it."
            )
            await send_problem(send_with_fields, 429, "Too many requests", detail)
        else:
            await self.app(scope, receive, send_with_fields)


def _caller(scope: Scope) -> bytes:
    """Who asks, as far as the request alone can say: its token or session, else its address."""
    headers = Headers(scope=scope)
    credentials = headers.get("authorization") or headers.get("cookie")
    client = scope.get("client")
    return hashlib.sha256((credentials or (client[0] if client else "")).encode()).digest()
