"""What a worker process does with a chunk: replay what the journal has, run the links that it lacks.

A batch is the chunk's records, or one `Stored` a page where the journal has the beginning; so an engine can work on a
single page when it looks for the one that ends its process.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, cast

import orjson
import zstandard

from workers.curation.dedup import LineIndex, build_signer
from workers.curation.document import Document, Drop, RawRecord, Reject, storable
from workers.curation.engine import SharedFile
from workers.curation.extractors import build_extractor
from workers.curation.filters import build_filter
from workers.curation.hidden import hidden
from workers.curation.journal import seal, seal_frame, unseal
from workers.curation.language import Identifier
from workers.curation.links import Link, stage_names
from workers.curation.pages import (
    Page,
    Row,
    apply,
    drop_row,
    dump_rows,
    finite_figures,
    load_rows,
    new_page,
    new_row,
    reject_row,
)
from workers.curation.pii import replace_and_count
from workers.curation.repair import repair
from workers.curation.signatures import dump_signatures
from workers.curation.summaries import Summarizer
from workers.specs.curation import CurationSpec
from workers.specs.curation.filters import Filter
from workers.specs.curation.quality import QualityScore

_LEVEL = 3
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
_CRASH = "the process that worked on it ended or took too long"
_NOT_REPLAYED = {"sign", "summary", "clean", "final"}


@dataclass(slots=True, frozen=True)
class Story:
    """A chunk as the journal has it, and what is still to be done. All pages of a chunk share one."""

    done: tuple[tuple[Link, bytes], ...]
    todo: tuple[Link, ...]
    lines: SharedFile | None = None
    """Lines that too many documents share."""


@dataclass(slots=True, frozen=True)
class Stored:
    """A page of a chunk in the journal."""

    story: Story
    number: int
    is_crashed: bool = False


Item = RawRecord | Reject | Stored
Result = list[tuple[Link, bytes]]
"""An entry for each link that was run, and one for pages that ended their process."""


@dataclass(slots=True, frozen=True)
class Settings:
    """What each process is told once."""

    spec: CurationSpec
    first: tuple[Link, ...]
    scorers: tuple[tuple[str, str], ...] = ()
    """Digest of a quality scorer, and its folder."""
    home: str = ""


class Stages:
    """All plugins of a spec, built once a process."""

    def __init__(self, settings: Settings) -> None:
        self.spec, self.first_links = settings.spec, settings.first
        spec, scorers = settings.spec, dict(settings.scorers)
        names = stage_names(spec)
        middle = names.index("dedup")
        self.extractor = build_extractor(spec)
        self.identifier = Identifier(spec.language)
        self.filters = [build_filter(_with_folder(filter_, scorers)) for filter_ in spec.filters]
        self.signer = build_signer(spec.dedup)
        self.summarizers = {
            "summary": Summarizer(spec, names[:middle], []),
            "final": Summarizer(spec, names[middle:], names[:middle]),
        }
        self.lines: LineIndex | None = None
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._row_links: dict[str, Callable[[Link, list[Page]], list[Row]]] = {
            "filters": self._filter,
            "lines": self._remove_lines,
        }

    def run(self, batch: Sequence[Item]) -> Result:
        """Work on a chunk, or on a single page of one."""
        if isinstance(batch[0], Stored):
            return self._run_stored(cast(Sequence[Stored], batch))
        return self._run_records(cast(Sequence[RawRecord | Reject], batch))

    def _run_records(self, records: Sequence[RawRecord | Reject]) -> Result:
        pages: list[Page] = []
        results: Result = []
        for link in self.first_links:
            if link.name == "url":
                rows = [self._judge_url(record) for record in records]
                pages = [new_page(row) for row in rows]
                results.append((link, seal(dump_rows(rows))))
            elif link.name == "base":
                results.append((link, seal(dump_rows(self._extract_all(records, pages)))))
            else:
                results.append((link, self._run(link, pages)))
        return results

    def _extract_all(self, records: Sequence[RawRecord | Reject], pages: list[Page]) -> list[Row]:
        """Rows of the base; makes the pages when no link before has done so."""
        is_first = not pages
        rows: list[Row] = []
        for number, record in enumerate(records):
            if is_first:
                row = new_row(record)
                pages.append(new_page(row))
            else:
                row = {}
            page = pages[number]
            if page.is_alive and isinstance(record, RawRecord):
                found = self._extract(record)
                apply(found, page)
                row |= found
            rows.append(row or None)
        return rows

    def _extract(self, record: RawRecord) -> dict[str, Any]:
        found = self.extractor.extract(record)
        if isinstance(found, Reject):
            return reject_row("extract", found)
        if isinstance(found, Drop):
            return drop_row("extract", found)
        found.text = repair(found.text, self.spec.repair_text)
        if not found.text:
            return drop_row("extract", Drop("extract.empty"))
        drop = self.identifier.judge(found)
        row: dict[str, Any] = {"text": found.text, "at": "extract", "language": [found.language, found.language_score]}
        if found.metadata:
            row["metadata"] = {storable(k): storable(v) if isinstance(v, str) else v for k, v in found.metadata.items()}
        if found.figures:
            row["figures"] = finite_figures(found.figures)
        return row | drop_row("language", drop) if drop else row

    def _judge_url(self, record: RawRecord | Reject) -> dict[str, Any]:
        row = new_row(record)
        if isinstance(record, Reject):
            return row
        document = Document(record.id, record.source, "", record.media_type, record.url)
        page = Page(document)
        verdict = self.filters[0].judge(document, page.text())
        if document.figures:
            row["figures"] = finite_figures(document.figures)
        return row | drop_row("url", verdict) if isinstance(verdict, Drop) else row

    def _run_stored(self, batch: Sequence[Stored]) -> Result:
        story = batch[0].story
        whole = replay(story)
        pages = [whole[item.number] for item in batch]
        results: Result = []
        if any(item.is_crashed for item in batch):
            crash = Link("crash", story.todo[0].key)
            rows = [self._crash_row(item, page) for item, page in zip(batch, pages, strict=True)]
            results.append((crash, seal(dump_rows(rows))))
        if story.lines is not None and self.lines is None and self.spec.dedup.lines:
            self.lines = LineIndex.open(story.lines.path(), self.spec.dedup.lines)
        return results + [(link, self._run(link, pages)) for link in story.todo]

    def _crash_row(self, item: Stored, page: Page) -> Row:
        if not (item.is_crashed and page.is_alive):
            return None
        reject = Reject(page.document.source, "process_crash", _CRASH)
        row = reject_row(self._stage_of(item.story.todo[0]), reject)
        apply(row, page)
        return row

    def _stage_of(self, link: Link) -> str:
        if link.filters:
            return str(self.spec.filters[link.filters[0]].kind)
        return {"sign": "dedup", "clean": "pii"}.get(link.name, link.name)

    def _run(self, link: Link, pages: list[Page]) -> bytes:
        """The entry of a link; the pages are changed by it."""
        if link.name in self.summarizers:
            return seal(self.summarizers[link.name].summarize(pages))
        if link.name == "sign":
            alive = (page for page in pages if page.is_alive)
            return seal(dump_signatures(self.signer.sign(page.document, page.text()) for page in alive))
        if link.name == "clean":
            return self._clean(pages)
        return seal(dump_rows(self._row_links[link.name](link, pages)))

    def _filter(self, link: Link, pages: list[Page]) -> list[Row]:
        rows: list[Row] = []
        for page in pages:
            row = None
            if page.is_alive:
                # No two filters of a link judge the same language.
                for position in link.filters:
                    languages = self.filters[position].languages
                    if not languages or page.document.language in languages:
                        row = self._judge(position, page)
                        break
            rows.append(row)
        return rows

    def _judge(self, position: int, page: Page) -> Row:
        stage, document, text = self.spec.filters[position].kind, page.document, page.text()
        figures, metadata = document.figures, document.metadata
        document.figures, document.metadata = {}, dict(metadata)
        verdict = self.filters[position].judge(document, text)
        row: dict[str, Any] = {}
        if document.figures:
            row["figures"] = finite_figures(document.figures)
        if document.metadata != metadata:
            row["metadata"] = {k: v for k, v in document.metadata.items() if k not in metadata or metadata[k] != v}
        document.figures, document.metadata = figures, metadata
        if isinstance(verdict, Drop):
            row |= drop_row(stage, verdict)
        elif verdict is not text:
            row |= {"text": verdict.text, "at": stage}
        apply(row, page)
        if not isinstance(verdict, Drop):
            page.view = verdict
        return row or None

    def _remove_lines(self, link: Link, pages: list[Page]) -> list[Row]:
        return [self._remove_page_lines(page) if page.is_alive else None for page in pages]

    def _remove_page_lines(self, page: Page) -> Row:
        if self.lines is None:
            return None
        text, removed = self.lines.remove(page.text())
        if not removed.num_lines:
            return None
        row: dict[str, Any] = {"figures": {"lines.removed_share": removed.share}}
        row |= (
            {"text": text.text, "at": "lines"}
            if text.text.strip()
            else drop_row("lines", Drop("lines.empty", 0.0, 1.0))
        )
        apply(row, page)
        return row

    def _clean(self, pages: list[Page]) -> bytes:
        """The documents that are left, one JSON object a line."""
        lines: list[bytes] = []
        for page in pages:
            if page.is_alive:
                text, counts = replace_and_count(page.document.text, self.spec.pii, page.document.language)
                apply({"text": text, "at": "pii"}, page)
                page.replaced = counts
                lines.append(orjson.dumps(page.document, option=_OPTIONS))
        return seal_frame(self._compressor.compress(b"".join(lines)))


def replay(story: Story) -> list[Page]:
    """All pages of a chunk as the journal's entries left them."""
    pages: list[Page] = []
    for link, entry in story.done:
        if link.name in _NOT_REPLAYED:
            continue
        rows = load_rows(unseal(entry))
        if not pages:
            pages = [new_page(cast(dict[str, Any], row)) for row in rows]
            continue
        # Verdicts are about the pages that were left; they stand in the rows of no other.
        met = [page for page in pages if page.is_alive] if link.name == "dedup" else pages
        for row, page in zip(rows, met, strict=True):
            apply(row, page)
    return pages


def crashed(item: Item) -> Item:
    """What stands in for an item that ended its process."""
    if isinstance(item, Stored):
        return replace(item, is_crashed=True)
    return item if isinstance(item, Reject) else Reject(item.source, "process_crash", _CRASH)


def _with_folder(filter_: Filter, scorers: dict[str, str]) -> Filter:
    """A quality filter takes its scorer from a folder; its spec may name a digest."""
    if isinstance(filter_, QualityScore) and filter_.scorer in scorers:
        return filter_.model_copy(update={"scorer": scorers[filter_.scorer]})
    return filter_


_process: list[Stages | Exception] = []
"""The plugins of this process, or why it has none: a pool has no other place for what each process builds once."""


def set_up(settings: Settings) -> None:
    """Build the plugins of this process."""
    if settings.home:
        os.environ["HEADRACE_HOME"] = settings.home  # evaluation sets lie there
    with hidden("scipy.linalg"):  # numba looks for its BLAS, 0.1 s a process for kernels that multiply no matrices
        import_module("numba.np.arraymath")
    try:
        _process[:] = [Stages(settings)]
    except Exception as error:  # kept for the first batch: raised here, it would end the process unheard
        _process[:] = [error]


def run(batch: list[Item]) -> Result:
    """`Stages.run` in a worker. Raises what building the plugins raised: a missing list, a scorer that is none."""
    stages = _process[0]
    if isinstance(stages, Exception):
        raise stages
    return stages.run(batch)
