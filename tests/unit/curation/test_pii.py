"""E-mail and public IP addresses go; what only looks like one stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.curation.pii import EMAILS, IPV4, IPV6, replace_pii
from workers.specs.curation import Pii


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to Jane.Doe+x@mail.uni-bonn.de.", f"Write to {EMAILS[0]}."),
        ("<a@b.org>, (c@d.co.uk)", f"<{EMAILS[0]}>, ({EMAILS[1]})"),
        ("server 8.8.8.8, then 1.1.1.1.", f"server {IPV4[0]}, then {IPV4[1]}."),
        ("DNS is 2001:4860:4860::8888", f"DNS is {IPV6[0]}"),
        ("[2a00:1450:4001:81b::200e]:443", f"[{IPV6[0]}]:443"),
    ],
)
def test_replaced(text: str, expected: str) -> None:
    assert replace_pii(text, Pii()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "root@localhost",
        "@handle and a @ b",
        "10.0.0.1 192.168.1.254 172.16.3.4 127.0.0.1 169.254.1.1 192.0.2.7",
        "fe80::1 ::1 fd00::2 2001:db8::8",
        "version 1.2.3.4.5, 999.1.1.1, 1234.5.6.7",
        "at 12:30:45, std::vector, a::b, ::",
    ],
)
def test_untouched(text: str) -> None:
    assert replace_pii(text, Pii()) == text


def test_each_kind_can_be_switched_off() -> None:
    text = "a@b.org 8.8.8.8"
    assert replace_pii(text, Pii(emails=False)) == f"a@b.org {IPV4[0]}"
    assert replace_pii(text, Pii(ips=False)) == f"{EMAILS[0]} 8.8.8.8"


def test_placeholders_begin_anew_with_each_document() -> None:
    assert replace_pii("a@b.org", Pii()) == replace_pii("c@d.org", Pii()) == EMAILS[0]


@given(st.text(alphabet="ab1.:@-8 \n", max_size=60))
def test_a_second_time_changes_nothing(text: str) -> None:
    once = replace_pii(text, Pii())
    assert replace_pii(once, Pii()) == once


def test_hostile_text_takes_no_long_time() -> None:
    replace_pii("a." * 50_000 + "@" + "b-" * 50_000 + "1." * 50_000 + ":1" * 50_000, Pii())
