"""What makes two documents the same: their text but for case, blanks and Unicode composition, or their address."""

import hashlib
import re
import string
import unicodedata
from urllib.parse import quote, urlsplit

_DIGEST_BYTES = 16
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Parameters that tell where a visitor came from, not which page it is.
_TRACKING = re.compile(r"(utm_\w+|gclid|fbclid|msclkid|mc_[ce]id)(=|$)", re.IGNORECASE)
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


def text_digest(text: str) -> bytes:
    """16 bytes that are equal for equal normalised texts."""
    return _digest(" ".join(unicodedata.normalize("NFC", text).lower().split()))


def url_digest(url: str) -> bytes:
    """16 bytes that are equal for equal normalised addresses."""
    return _digest(normalize_url(url))


def normalize_url(url: str) -> str:
    """An address in normal form (RFC 3986, section 6.2), http like https, without fragment and tracking parameters.

    What is no address with a host comes back as it is, without surrounding blanks.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return url.strip()
    if not host:
        return url.strip()
    scheme = parts.scheme.lower()
    place = host.rstrip(".") if port in {None, _DEFAULT_PORTS.get(scheme)} else f"{host.rstrip('.')}:{port}"
    query = "&".join(part for part in _escape(parts.query).split("&") if part and not _TRACKING.match(part))
    scheme = "http" if scheme == "https" else scheme
    return f"{scheme}://{place}{_without_dots(_escape(parts.path)) or '/'}" + (f"?{query}" if query else "")


def _escape(text: str) -> str:
    """Percent signs as RFC 3986 wants them: letters and digits bare, the rest in capitals, other scripts as UTF-8."""
    bare = _ESCAPED.sub(lambda m: c if (c := chr(int(m[1], 16))) in _UNRESERVED else m[0].upper(), text)
    return "".join(c if c.isascii() else quote(c, errors="replace") for c in bare)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if part == ".." and len(kept) > 1:
            kept.pop()
        elif part not in {".", ".."}:
            kept.append(part)
    return "/".join(kept) + ("/" if path.endswith(("/.", "/..")) else "")


def _digest(normal: str) -> bytes:
    return hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
