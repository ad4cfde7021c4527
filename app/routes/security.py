"""Middleware at the door: which Host and Origin are answered, and the headers that every answer carries.

Host is checked against DNS rebinding, Origin against writes from other sites; there is no CORS, so that no other site
reads an answer. https://owasp.org/www-community/attacks/csrf
Each request gets an id, which stands in its answer, in the log and in the audit log.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

import orjson
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.db import SCOPE
from app.models import new_id
from app.services import audit
from app.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  compared with, never bound to
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

# The UI's component library writes style elements, hence unsafe-inline for styles alone.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityMiddleware:
    """Refuses wrong Host (421) and foreign Origin (403) and adds the security headers.

    Pure ASGI: a streamed answer passes through unbuffered.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.hosts = allowed_hosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. A websocket counts as a write: browsers open them across sites."""
        if scope["type"] == "websocket":
            if self._refusal("POST", Headers(scope=scope)):
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        scope["request_id"] = request_id = new_id()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal:
            await send_problem(send_with_headers, *refusal)
            return
        nobody, all_projects = audit.CALLER.set(None), SCOPE.set(None)
        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await self.app(scope, receive, send_with_headers)
        finally:
            audit.CALLER.reset(nobody)
            SCOPE.reset(all_projects)

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str, str] | None:
        """Status, title and detail, or None where the request may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return 400, "Bad Host", "The request needs one Host header."
        name = host_name(hosts[0])
        if name not in self.hosts:
            return 421, "Unknown Host", f"Host {name[:100]!r} is not served here; add it to HEADRACE_ALLOWED_HOSTS."
        if method in _SAFE_METHODS:
            return None
        origins = headers.getlist("origin")
        foreign = [origin for origin in origins if not same_origin(origin, hosts[0])]
        if foreign or headers.get("sec-fetch-site") == "cross-site":
            return 403, "Foreign Origin", "Writes from another site are refused."
        return None


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Host names that are answered: loopback, the bound address, the public URL's, and those allowed by name."""
    more = [part.strip().lower().strip("[]") for part in settings.allowed_hosts.split(",")]
    return LOOPBACK | _named([settings.host.lower(), urlsplit(settings.public_url).hostname or "", *more])


def host_name(host: str) -> str:
    """Name in a Host header, lower case, without port and brackets; empty when it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  raises ValueError on a port that is none
    except ValueError:
        return ""
    if parts.path or parts.query or parts.fragment or parts.username is not None or "\\" in host:
        return ""
    return (parts.hostname or "").rstrip(".")


def same_origin(origin: str, host: str) -> bool:
    """Has this Origin the name and port of the Host header? The scheme may differ: TLS can end at a proxy."""
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"//{host}")
        default = {"http": 80, "https": 443}[theirs.scheme]
        return (theirs.hostname, theirs.port or default) == (ours.hostname, ours.port or default)
    except (KeyError, ValueError):
        return False


def _named(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if name not in _ANY_ADDRESS)


async def send_problem(send: Send, status: int, title: str, detail: str) -> None:
    """Answer before any route is asked."""
    body = orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": []})
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
