"""Text repair: what ftfy mends is mended, and what it is not shown it would have left alone."""
# ruff: noqa: RUF001  # signs that look alike are what it is about

import ftfy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.repair import _REPAIR, may_be_broken, repair

BROKEN = [
    "schÃ¶n",
    "donâ€™t",
    "Ã  la carte",
    "caf\x85",
    "&lt;b&gt; &amp; more",
    "Ĺ‚Ăłdka",
    "\x1b[1mbold",
    "вЂњцитатаvЂќ",
    "√±o",
]
WHOLE = ["naïve café", "« Où est-ce ? »", "Straße – „Zitat“", "œuvre", "São João não", "10 € … 20 €", "a & b <c>"]


@pytest.mark.parametrize("text", BROKEN)
def test_what_ftfy_mends_is_mended(text: str) -> None:
    assert may_be_broken(text)
    assert repair(f"one line\n{text} and so on", True) == ftfy.fix_text(f"one line\n{text} and so on", _REPAIR)


@pytest.mark.parametrize("text", WHOLE)
def test_whole_text_stays(text: str) -> None:
    assert repair(text, True) == text


pieces = st.one_of(
    st.sampled_from(
        [*BROKEN, *WHOLE, "\n", " ", "Â ", "Ã", "œ ", "Ø Ù ", "В-Г", "â€", "\xa0", "¡", "€", "²", "°C", "ÂŠ"]
    ),
    st.text(st.characters(codec="utf-8", max_codepoint=0x2FF), max_size=4),
    st.text(max_size=3),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=8))
def test_ftfy_changes_nothing_that_it_is_not_shown(parts: list[str]) -> None:
    text = "".join(parts)
    if not may_be_broken(text):
        assert ftfy.fix_text(text, _REPAIR) == text


def test_what_cannot_be_stored_goes() -> None:
    assert repair("  a\x00b\ud800c\n", False) == "ab?c"
