"""Text repair: broken encodings mended (ftfy), nothing left that cannot be stored. https://ftfy.readthedocs.io

ftfy looks at each line for a dozen faults, 0.9 ms a kilobyte; nearly all pages have none. So it is asked only where a
fault can be: at an entity, a control character, or where its own rule for mojibake finds something beside characters
that are not ASCII. What it would leave alone is never shown to it.
"""

import re

import ftfy
from ftfy.badness import is_bad

# FineWeb-2's choice (datatrove's FTFYFormatter): mend encodings, leave typography and line breaks alone.
_REPAIR = ftfy.TextFixerConfig(
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    normalization=None,
    explain=False,
)
_ENTITY = re.compile(r"&#?[0-9A-Za-z]{1,24};")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\u206a-\u206f\ufeff\ufff9-\ufffc]")
# All patterns of ftfy.badness hold two characters beyond ASCII side by side, or one of these; those that tell by the
# beginning of a line hold one of the last two.
_SUSPECT = re.compile("[^\x00-\x7f]{2,}|[ŒœØÙВГРСΒΓΞΟ]")
_AT_LINE_START = re.compile("[ÃÂ]")
_WINDOW = 8
"""Longer than any pattern of ftfy.badness."""


def repair(text: str, mend_encodings: bool) -> str:
    """The text as UTF-8 can hold it: without NUL and lone surrogates, and without blanks around it."""
    if mend_encodings and may_be_broken(text):
        text = ftfy.fix_text(text, _REPAIR)
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()


def may_be_broken(text: str) -> bool:
    """Could ftfy change it? When not, it does not."""
    if _CONTROL.search(text) or _ENTITY.search(text):
        return True
    if text.isascii():
        return False
    if _AT_LINE_START.search(text):
        return True
    return any(
        is_bad(text[max(0, match.start() - _WINDOW) : match.end() + _WINDOW]) for match in _SUSPECT.finditer(text)
    )
