"""Boilerplate lines out of a page's main content, by what stands in links and by length.

The features are the shallow ones of Kohlschütter et al., Boilerplate Detection using Shallow Text Features, WSDM 2010:
link density and number of words of a block and of its neighbours. Nothing depends on the language.

The input is Resiliparse's `minimal_html`: one block a line, with h1-6, p, li, pre, br and a left in it, text escaped.
"""

import re
from dataclasses import dataclass
from html import unescape

_LINK = re.compile(r"<a href=\"[^\"]+\"[^>]*>(.*?)</a>", re.DOTALL)
_ANCHOR = '<a href="">'
"""A place that links lead to; it is never closed."""
_TAG = re.compile(r"</?(?:a|p|h[1-6]|li|ol|ul|br|pre)\b[^>]*>")
_HEADING = re.compile(r"<h([1-6])>")
_PRE = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)
_PRE_LINE = "\ue000"
"""Marks lines of preformatted text: a private character, which pages that mean text don't hold."""
_BLANKS = re.compile(r"[ \xa0]+")
_CELL_BORDER = re.compile(r"\s*\t\s*")
_DATE = re.compile(r"\b(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})\b")
_SENTENCE_ENDS = frozenset(".!?:;…。！？")  # noqa: RUF001  # full-width marks are meant
_CLOSING = "\"'\u201d\u2019»)]"
_RIGHTS = re.compile(r"^\s*(?:©|\(c\)\s|copyright\b)", re.IGNORECASE)

_NOTHING, _ALL_GONE, _SOMETHING_KEPT = range(3)
_MAX_LINK_DENSITY = 0.5
_FEW_WORDS = 3
_SOME_WORDS = 12


@dataclass(slots=True)
class _Block:
    text: str
    num_words: int
    link_words: int
    kind: str
    """`text`, `p`, `li`, `pre`, or `h1` to `h6`."""
    is_kept: bool = True


def main_lines(minimal_html: str) -> list[str]:
    """The lines that are text, list items with a dash before them."""
    lines = [line for line in map(str.lstrip, _lines(minimal_html)) if line]
    blocks = [block for line in lines if (block := _parse(line)) is not None]
    for block in blocks:
        block.is_kept = not _is_boilerplate(block)
    _drop_orphans(blocks)
    _drop_deserted_headings(blocks)
    return [f"- {block.text}" if block.kind == "li" else block.text for block in blocks if block.is_kept]


def _lines(minimal_html: str) -> list[str]:
    if "<pre>" in minimal_html:
        minimal_html = _PRE.sub(lambda match: "\n" + _mark(match[1]) + "\n", minimal_html)
    return minimal_html.replace(_ANCHOR, "").replace("<br>", "\n").split("\n")


def _mark(code: str) -> str:
    return "\n".join(_PRE_LINE + line for line in code.split("\n"))


def _parse(line: str) -> _Block | None:
    if line[0] == _PRE_LINE:
        text = _plain(line[1:]).rstrip()
        return _Block(text, len(text.split()), 0, "pre") if text else None
    link_words = 0
    kind = "text"
    if "<" in line:
        kind = _kind(line)
        if "<a " in line:
            link_words = sum(len(_plain(link).split()) for link in _LINK.findall(line))
    text = _plain(line).strip()
    if "  " in text or "\xa0" in text:
        text = _BLANKS.sub(" ", text)
    if "\t" in text:
        text = _CELL_BORDER.sub("\t", text)
    return _Block(text, len(text.split()), link_words, kind) if text else None


def _plain(line: str) -> str:
    if "<" in line:
        line = _TAG.sub("", line)
    return unescape(line) if "&" in line else line


def _kind(line: str) -> str:
    if line.startswith("<p>"):
        return "p"
    if line.startswith("<li>"):
        return "li"
    heading = _HEADING.match(line)
    return f"h{heading[1]}" if heading else "text"


def _is_boilerplate(block: _Block) -> bool:
    if block.kind[0] == "h" or block.kind == "pre":
        return False
    own_words = block.num_words - block.link_words
    enough = _FEW_WORDS if "\t" in block.text else _SOME_WORDS  # a row of a table is short
    if block.link_words and block.link_words > _MAX_LINK_DENSITY * block.num_words and own_words < enough:
        return True
    if block.num_words <= _SOME_WORDS and (_RIGHTS.match(block.text) or _is_dateline(block)):
        return True
    if block.kind != "text" or "\t" in block.text:
        return False
    return block.num_words <= _FEW_WORDS and not _ends_sentence(block.text)


def _is_dateline(block: _Block) -> bool:
    """`By Anna Berg, 4.5.2015`: a day and little else."""
    return block.num_words <= _SOME_WORDS - 2 and not _ends_sentence(block.text) and bool(_DATE.search(block.text))


def _ends_sentence(text: str) -> bool:
    return text.rstrip(_CLOSING)[-1:] in _SENTENCE_ENDS


def _drop_orphans(blocks: list[_Block]) -> None:
    """Short list items go when most of the list around them went: menus with an entry that is no link."""
    start = 0
    while start < len(blocks):
        end = start + 1
        if blocks[start].kind == "li":
            while end < len(blocks) and blocks[end].kind == "li":
                end += 1
            items = blocks[start:end]
            if sum(item.is_kept for item in items) < len(items) / 2:
                for item in items:
                    item.is_kept = item.is_kept and item.num_words > _SOME_WORDS
        start = end


def _drop_deserted_headings(blocks: list[_Block]) -> None:
    """A heading goes when there was something below it and all of that went; from the end of the page up."""
    below = [_NOTHING] * 7  # by level of heading: what stands between here and the next heading of that level or above
    for block in reversed(blocks):
        level = 7
        if block.kind[0] == "h":
            level = int(block.kind[1])
            block.is_kept = below[level] != _ALL_GONE
            below[level:] = [_NOTHING] * (7 - level)
        if block.is_kept:
            below[:level] = [_SOMETHING_KEPT] * level
        elif _NOTHING in below[:level]:
            below[:level] = [max(before, _ALL_GONE) for before in below[:level]]
