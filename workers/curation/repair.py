"""Text repair: broken encodings mended (ftfy), nothing left that cannot be stored. https://ftfy.readthedocs.io"""

import ftfy

# FineWeb-2's choice (datatrove's FTFYFormatter): mend encodings, leave typography and line breaks alone.
_REPAIR = ftfy.TextFixerConfig(
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    normalization=None,
    explain=False,
)


def repair(text: str, mend_encodings: bool) -> str:
    """The text as UTF-8 can hold it: without NUL and lone surrogates, and without blanks around it."""
    if mend_encodings:
        text = ftfy.fix_text(text, _REPAIR)
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
