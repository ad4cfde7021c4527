"""Lines of a PDF page -> paragraphs, by where the lines stand. Coordinates are PDF points, y grows downwards.

Two lines belong to one paragraph when the next one's first word would not have fitted on the line before.
Running heads and feet go as in FinePDFs: edge lines that recur on a quarter of the pages, and on five at least.
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_BULLET = re.compile(r"^(?:[•‣◦▪■●○\u2013\u2014\u2217*·-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s")
_HYPHENS = "-\u00ad\u2010\ufffe"
"""pdfium writes U+FFFE for a hyphen at a line's end."""
_SOFT = re.compile(r"(\w)[\ufffe\u00ad]\s*(\w{1,2})")
_NUMBER = re.compile(r"(?:\d+|\b[ivxlcdm]+\b)(?:\s*/\s*\d+)?")
"""Page numbers: `12`, `xiv`, `12 / 248`."""
_EDGE_LINES = 2
_GAP = 2.0
"""Line heights from a line to the next from which it stands apart."""
_MIN_RUNNING_PAGES = 5
_MIN_RUNNING_SHARE = 0.25


@dataclass(slots=True)
class Line:
    """A line of text with its box and font size."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float = 0.0


def drop_running_lines(pages: list[list[Line]]) -> list[list[Line]]:
    """Pages without the heads and feet that recur on 25% and 5 of them.

    A line apart from the text may differ in its page number; one that touches the text must be the same throughout.
    """
    edges = [_edge_lines(page) for page in pages]
    counts = Counter(key for lines in edges for key in set(lines.values()))
    least = max(_MIN_RUNNING_PAGES, _MIN_RUNNING_SHARE * len(pages))
    return [
        [line for index, line in enumerate(page) if index not in lines or counts[lines[index]] < least]
        for page, lines in zip(pages, edges, strict=True)
    ]


def join_lines(lines: list[Line]) -> str:
    """Paragraphs of a page, one a line."""
    paragraphs: list[str] = []
    for column in _columns([line for line in lines if line.text.strip()]):
        edge = _right_edge(column)
        leading = _leading(column)
        before: Line | None = None
        for line in column:
            if before is not None and _continues(before, line, edge, leading):
                paragraphs[-1] = _join(paragraphs[-1], line.text.strip())
            else:
                paragraphs.append(line.text.strip())
            before = line
    return "\n".join(heal_hyphens(paragraph) for paragraph in paragraphs)


def heal_hyphens(text: str) -> str:
    """Hyphens that only a line's end made, inside the text, are taken out again; those of compounds stay."""
    return _SOFT.sub(lambda match: match[1] + _between(match[1], match[2]) + match[2], text)


def _edge_lines(page: list[Line]) -> dict[int, str]:
    """The outermost lines by height (a foot may come first in the file), by index, as they are compared."""
    order = sorted(range(len(page)), key=lambda index: page[index].y0)
    keys = {}
    for outside in (order, order[::-1]):
        for place, index in enumerate(outside[:_EDGE_LINES]):
            inner = outside[place + 1 : place + 3]
            is_apart = any(
                abs(page[after].y0 - page[before].y0) > _GAP * _height(page[index])
                for before, after in pairwise([index, *inner])
            )
            keys[index] = _NUMBER.sub("#", page[index].text) if is_apart else page[index].text
    return keys


def _columns(lines: list[Line]) -> list[list[Line]]:
    """Runs of lines that go down the page; going up begins another column."""
    columns: list[list[Line]] = []
    for line in lines:
        if columns and line.y0 > columns[-1][-1].y0 - _height(line):
            columns[-1].append(line)
        else:
            columns.append([line])
    return columns


def _right_edge(column: list[Line]) -> float:
    """Where full lines end: the furthest place, to 3 points, where several do; the furthest of all without such.

    Only lines of the usual size count: a title may span two columns.
    """
    sizes = Counter(round(line.size, 1) for line in column)
    usual = max(sizes, key=lambda size: (sizes[size], size))
    ends = [line.x1 for line in column if round(line.size, 1) == usual]
    places = Counter(round(end / 3) for end in ends)
    shared = [place for place, number in places.items() if number >= max(3, 0.1 * len(ends))]
    return 3.0 * max(shared) if shared else max(ends)


def _leading(column: list[Line]) -> float:
    steps = [after.y0 - before.y0 for before, after in pairwise(column)]
    return median([step for step in steps if step > 1] or [0.0])


def _continues(before: Line, line: Line, edge: float, leading: float) -> bool:
    height = _height(before)
    step = line.y0 - before.y0
    if abs(step) < 0.5 * height and line.x0 >= before.x1 - 1:
        return True  # the same line, in pieces
    if step > 1.35 * max(min(leading, 2 * height), height) or abs(line.size - before.size) > 0.1 * before.size:
        return False
    if _BULLET.match(line.text):
        return False
    letter = (line.x1 - line.x0) / max(len(line.text), 1)
    if line.x0 > before.x0 + 1.5 * letter and not _BULLET.match(before.text):
        return False  # the first line of a paragraph is set in
    first_word = line.text.split(maxsplit=1)[0]
    return before.x1 + (len(first_word) + 1) * letter > edge or before.text.rstrip()[-1] in _HYPHENS[1:]


def _join(head: str, tail: str) -> str:
    if head[-1] in _HYPHENS and len(head) > 1 and head[-2].isalpha() and tail[0].isalpha():
        return head[:-1] + _between(head[-2], tail[:2]) + tail
    return f"{head} {tail}"


def _between(before: str, after: str) -> str:
    """`Text-` + `verarbeitung`, `BUIL-` + `TIN`: nothing; `E-` + `Mail`, `10-` + `20`: the hyphen is the word's own."""
    return "" if after[0].islower() or (before + after).isupper() else "-"


def _height(line: Line) -> float:
    return max(line.y1 - line.y0, 1.0)
