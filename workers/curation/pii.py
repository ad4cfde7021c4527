"""E-mail addresses and public IP addresses are replaced by fixed ones, as datatrove 0.10.1 does it for FineWeb.

Placeholders go round within a document, so that the outcome does not hang on what was processed before.
IPv6 is our addition; its placeholder is from the documentation range (RFC 3849).
"""

import ipaddress
import re
from itertools import cycle

from workers.specs.curation import Pii

EMAILS = ("email@example.com", "firstname.lastname@example.org")
# Picked at random by datatrove's authors, none of which answered a ping; public, so that the text reads the same.
IPV4 = ("22.214.171.124", "126.96.36.199", "188.8.131.52", "184.108.40.206", "220.127.116.11", "18.104.22.168")
IPV6 = ("2001:db8::1",)

# A local part has at most 64 octets (RFC 5321), which also bounds the search.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"\b{_ATOM}(?:\.{_ATOM}){{0,16}}@(?:{_LABEL}\.)+{_LABEL}")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def replace_pii(text: str, spec: Pii) -> str:
    """The text without e-mail addresses and public IPs. Private, local and documentation ranges stay."""
    if spec.emails and "@" in text:
        fixed = cycle(EMAILS)
        text = _EMAIL.sub(lambda _: next(fixed), text)
    if spec.ips:
        text = _replace_ips(_IPV4, text, IPV4)
        text = _replace_ips(_IPV6, text, IPV6)
    return text


def _replace_ips(pattern: re.Pattern[str], text: str, placeholders: tuple[str, ...]) -> str:
    fixed = cycle(placeholders)
    return pattern.sub(lambda match: next(fixed) if _is_public(match[0]) else match[0], text)


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # Beyond 2000::/3 no IPv6 address is assigned to anyone (RFC 4291): `a::b` is code, not a host.
    return found.is_global and (found.version == 4 or found in _GLOBAL_UNICAST)
