"""E-mail addresses, public IP addresses and phone numbers go; what only looks like one stays."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.curation.pii import EMAILS, IPV4, IPV6, replace_and_count, replace_pii
from workers.specs.curation import Pii


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to Jane.Doe+x@mail.uni-bonn.de.", f"Write to {EMAILS[0]}."),
        ("<a@b.org>, (c@d.co.uk)", f"<{EMAILS[0]}>, ({EMAILS[1]})"),
        ("server 8.8.8.8, then 1.1.1.1.", f"server {IPV4[0]}, then {IPV4[1]}."),
        ("DNS is 2001:4860:4860::8888", f"DNS is {IPV6[0]}"),
        ("[2a00:1450:4001:81b::200e]:443", f"[{IPV6[0]}]:443"),
        ("..jane@mail.org..", f"..{EMAILS[0]}.."),
        ("a@b@c.org and d@e.f.", f"a@{EMAILS[0]} and {EMAILS[1]}."),
        ("'quoted@mail.org'", f"'{EMAILS[0]}'"),  # as datatrove: no word begins before the sign
        ("postmaster@[8.8.4.4]", EMAILS[0]),
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
        "OID 1.3.6.1.4.1.311, dahdi (1:2.11.1.0.20170917~dfsg-7.4)",  # datatrove takes 1.3.6.1 for an address
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


@given(st.text(alphabet="ab01.:@-+8 \n", max_size=60))
def test_a_second_time_changes_nothing(text: str) -> None:
    once = replace_pii(text, Pii(phones=True))
    assert replace_pii(once, Pii(phones=True)) == once


def test_hostile_text_takes_no_long_time() -> None:
    begun = time.process_time()
    replace_pii("a." * 50_000 + "@" + "b-" * 50_000 + "1." * 20_000 + ":1" * 50_000, Pii(phones=True))
    replace_pii("a-" * 200_000 + "@ " + "@" * 100_000 + "+1 2" * 50_000 + "(0" * 10_000, Pii(phones=True))
    replace_pii("tel " * 50_000 + "1 " * 40_000 + "01.02." * 10_000, Pii(phones=True))
    assert time.process_time() - begun < 10  # a quadratic search would take minutes


def test_counts_by_kind() -> None:
    text = "a@b.org, c@d.org, 8.8.8.8, 10.0.0.1, 2001:4860:4860::8888, +33 1 42 68 53 00"
    assert replace_and_count(text, Pii(phones=True))[1] == {"emails": 2, "ipv4": 1, "ipv6": 1, "phones": 1}
    assert replace_and_count(text, Pii())[1] == {"emails": 2, "ipv4": 1, "ipv6": 1}
    assert replace_and_count("nothing here: 10:30", Pii(phones=True)) == ("nothing here: 10:30", {})


PHONES = {
    "": [
        *("+49 (0)30 1234567", "+33 1 42 68 53 00", "+351 912 345 678", "+34 912 345 679", "+1-415-555-2671"),
        *("+5511912345678", "0049 89 1234567", "+39 06 1234567"),
    ],
    "en": ["(415) 555-2671", "415-555-2671", "1-800-555-2671", "020 7123 4567", "(020) 7123 4567", "Phone: 5552671"],
    "fr": [
        "01 42 68 53 00",
        "06.12.34.56.78",
        "0 800 123 456",
        "Tél. : 0142685300",
        "01\u00a042\u00a068\u00a053\u00a000",
    ],
    "de": ["030/1234567", "(0 30) 12 34 56", "(089) 12345-67", "0170-1234567", "Tel.: 030 1234567", "Fon: 030 1234567"],
    "es": ["612 34 56 78", "91 123 45 67", "Teléfono: 912 345 678", "Tfno. 912345678"],
    "it": ["06/1234567", "347 1234567", "347 123 4567", "tel. 06 1234567", "Cellulare: 3471234567"],
    "pt": ["(11) 91234-5678", "11 91234-5678", "(21) 3123-4567", "Telefone: 212 345 678", "telemóvel 912 345 678"],
}


@pytest.mark.parametrize(
    ("language", "number"), [(lang, number) for lang, numbers in PHONES.items() for number in numbers]
)
def test_phone_numbers_go_when_they_are_wanted_to(language: str, number: str) -> None:
    text = f"Weekdays {number}, or write."
    assert replace_pii(text, Pii(), language) == text
    clean, counts = replace_and_count(text, Pii(phones=True), language)
    assert counts == {"phones": 1}
    assert number not in clean
    assert clean.startswith("Weekdays ")
    assert clean.endswith(", or write.")


@pytest.mark.parametrize("language", PHONES)
@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-02 12:30:45", "12.03.2024", "01/02/2024", "Fax 12/05/2020", "UTC+01 02 2024", "10-12-2024-1234"),
        *("ISBN 978-3-16-148410-0", "ISBN 3-16-148410-0", "9783161484100", "IBAN DE89 3704 0044 0532 0130 00"),
        *("version 1.2.3.4567", "tel. 10.0.0.1", "192.168.100.200", "RFC 2822-2823", "2001-2002-2003-2004"),
        *("1.234.567,89 €", "$ 1,234,567.89", "1 234 567 habitants", "12 345 678", "+100 000 000", "= +12 345 678"),
        *("order 1234567890123", "id 4155552671", "2020/12345678", "123-45-6789", "4111 1111 1111 1111", "0123456789"),
        *("512 345 678", "in cell 1234567", "phones 1234567", "0,00490118239430447", "x+123456789", "+1.5"),
    ],
)
def test_what_only_looks_like_a_phone_number_stays(text: str, language: str) -> None:
    assert replace_pii(text, Pii(phones=True), language) == text


def test_placeholders_of_phones_are_reserved_for_fiction_and_keep_the_country() -> None:
    assert replace_pii("+49 30 1234567", Pii(phones=True)) == "+49 30 23125 012"
    assert replace_pii("01 42 68 53 00", Pii(phones=True), "fr") == "01 99 00 12 34"
    assert replace_pii("+34 912 345 679", Pii(phones=True), "es") == "+1 202-555-0147"  # Spain reserves none
