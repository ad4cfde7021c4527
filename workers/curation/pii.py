"""E-mail addresses, public IP addresses and, if wanted, phone numbers are replaced by fixed ones.

E-mail and IPv4 as datatrove 0.10.1 does it for FineWeb, with three differences. Placeholders go round within a
document, so that the outcome does not hang on what was processed before. An IPv4 address is not looked for inside a
longer dotted number (`1.3.6.1.4.1` is an object identifier) or a word. IPv6 is our addition; its placeholder is from
the documentation range (RFC 3849).
"""

import ipaddress
import re
from itertools import cycle

from workers.curation.phones import replace_phones
from workers.specs.curation import Pii

EMAILS = ("email@example.com", "firstname.lastname@example.org")
# Picked at random by datatrove's authors, none of which answered a ping; public, so that the text reads the same.
IPV4 = ("22.214.171.124", "126.96.36.199", "188.8.131.52", "184.108.40.206", "220.127.116.11", "18.104.22.168")
IPV6 = ("2001:db8::1",)

_LOCAL = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
_MAX_LOCAL = 1024
"""Characters before an `@` that are looked at: real ones have at most 64 (RFC 5321); bounds the search."""
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,254}[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_IP_LITERAL = rf"\[(?:{_OCTET}\.){{3}}{_OCTET}]"
_BEFORE_AT = re.compile(rf"\b[{_LOCAL}]+(?:\.[{_LOCAL}]+)*\Z")
_HOST = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}|{_IP_LITERAL}")
_IS_LOCAL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-.")

_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w)")
_DOTTED = re.compile(r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def replace_pii(text: str, spec: Pii, language: str = "") -> str:
    """The text without e-mail addresses, public IPs and, if wanted, phone numbers.

    Private, local and documentation ranges stay. `language` narrows the local ways to write a phone number; "": all.
    """
    return replace_and_count(text, spec, language)[0]


def replace_and_count(text: str, spec: Pii, language: str = "") -> tuple[str, dict[str, int]]:
    """`replace_pii`, and how many of each kind were replaced: `emails`, `ipv4`, `ipv6`, `phones`; none: no entry."""
    counts: dict[str, int] = {}
    if spec.emails and "@" in text:
        text, counts["emails"] = _replace_emails(text)
    if spec.ips:
        if _DOTTED.search(text):
            text, counts["ipv4"] = _replace(_IPV4, text, IPV4)
        if _COLONS.search(text):
            text, counts["ipv6"] = _replace(_IPV6, text, IPV6)
    if spec.phones:
        text, counts["phones"] = replace_phones(text, language)
    return text, {kind: count for kind, count in counts.items() if count}


def _replace_emails(text: str) -> tuple[str, int]:
    """From each `@` outward, which takes time linear in the text whatever stands in it."""
    fixed, pieces, done, count = cycle(EMAILS), [], 0, 0
    at = text.find("@")
    while at >= 0:
        begin = at
        floor = max(done, at - _MAX_LOCAL)
        while begin > floor and text[begin - 1] in _IS_LOCAL:
            begin -= 1
        local = _BEFORE_AT.search(text, begin, at)
        host = _HOST.match(text, at + 1) if local else None
        if local and host:
            pieces += [text[done : local.start()], next(fixed)]
            done, count = host.end(), count + 1
        at = text.find("@", max(at + 1, done))
    return ("".join([*pieces, text[done:]]), count) if count else (text, 0)


def _replace(pattern: re.Pattern[str], text: str, placeholders: tuple[str, ...]) -> tuple[str, int]:
    fixed, count = cycle(placeholders), 0

    def substitute(match: re.Match[str]) -> str:
        nonlocal count
        if not _is_public(match[0]):
            return match[0]
        count += 1
        return next(fixed)

    return pattern.sub(substitute, text), count


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # Beyond 2000::/3 no IPv6 address is assigned to anyone (RFC 4291): `a::b` is code, not a host.
    return found.is_global and (found.version == 4 or found in _GLOBAL_UNICAST)
