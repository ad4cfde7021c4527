"""A record on its way through the stages, and the rows in which the journal keeps what each stage did to it.

A stage gives a row for each page (none where it did nothing), and the row is what changes the page: so a page replayed
from rows is the page that was worked on. Rows are plain JSON.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from workers.curation.document import Document, Drop, RawRecord, Reject, storable
from workers.curation.text import Text

Row = dict[str, Any] | None
"""
new       id, source, media type, URL: the first stage that meets a record
size      bytes of the raw record
language  [code, confidence]
text      the text from here on
at        the stage that gave this text
metadata  what was added or changed
figures   what was measured
stage     where it ended, with one of:
drop      [rule, figure, threshold, span]
reject    [source, reason, detail]
"""


@dataclass(slots=True)
class Page:
    """One record and what became of it so far."""

    document: Document
    sizes: dict[str, int] = field(default_factory=dict)
    """Stage -> bytes after it, where they changed."""
    stage: str = ""
    """Where it ended; empty while it is alive."""
    drop: Drop | None = None
    reject: Reject | None = None
    view: Text | None = None
    """Words and lines of its text, shared by the stages."""
    replaced: dict[str, int] = field(default_factory=dict)
    """Personal data that was replaced, by kind."""

    @property
    def is_alive(self) -> bool:
        """Neither dropped nor rejected so far."""
        return not self.stage

    def text(self) -> Text:
        """The text as the stages so far left it."""
        if self.view is None:
            self.view = Text(self.document.text, self.document.language)
        return self.view


def new_row(record: RawRecord | Reject) -> dict[str, Any]:
    """The row with which a record becomes a page."""
    if isinstance(record, Reject):
        return {"new": ["", storable(record.source), "", None], "size": 0} | reject_row("extract", record)
    url = None if record.url is None else storable(record.url)
    return {"new": [record.id, storable(record.source), record.media_type, url], "size": len(record.content)}


def drop_row(stage: str, drop: Drop) -> dict[str, Any]:
    """The row of a page that is dropped."""
    return {"stage": stage, "drop": [drop.rule, _finite(drop.figure), drop.threshold, drop.span]}


def reject_row(stage: str, reject: Reject) -> dict[str, Any]:
    """The row of a page that cannot be read."""
    return {"stage": stage, "reject": [storable(reject.source), reject.reason, storable(reject.detail)]}


def finite_figures(figures: dict[str, float]) -> dict[str, float]:
    """Figures as JSON can hold them."""
    return {name: float(figure) for name, figure in figures.items() if math.isfinite(figure)}


def new_page(row: dict[str, Any]) -> Page:
    """The page that a first row makes."""
    id_, source, media_type, url = row["new"]
    page = Page(Document(id_, source, "", media_type, url))
    apply(row, page)
    return page


def apply(row: Row, page: Page) -> None:
    """Change the page as the row says."""
    if row is None:
        return
    document = page.document
    if "size" in row:
        page.sizes["read"] = row["size"]
    if "language" in row:
        document.language, document.language_score = row["language"]
    if "text" in row:
        document.text = row["text"]
        page.view = None
        page.sizes[row["at"]] = len(document.text.encode("utf-8"))
    if "metadata" in row:
        document.metadata |= row["metadata"]
    if "figures" in row:
        document.figures |= row["figures"]
    if "stage" in row:
        page.stage = row["stage"]
        if "drop" in row:
            rule, figure, threshold, span = row["drop"]
            page.drop = Drop(rule, figure, threshold, tuple(span) if span else None)
        else:
            page.reject = Reject(*row["reject"])


def dump_rows(rows: Iterable[Row]) -> bytes:
    """Rows as JSON."""
    return orjson.dumps(list(rows), option=orjson.OPT_SERIALIZE_NUMPY)


def load_rows(content: bytes) -> list[Row]:
    """Rows from JSON."""
    rows: list[Row] = orjson.loads(content)
    return rows


def _finite(figure: float | None) -> float | None:
    return float(figure) if figure is not None and math.isfinite(figure) else None
