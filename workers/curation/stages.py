"""What a worker process does with documents: extract, repair, identify, filter, sign; later filter, clean.

Which of the two passes filters is the spec's choice: dedup may come before the filters (FineWeb-2) or after (FineWeb).
"""

from dataclasses import dataclass, field
from typing import Any

import ftfy
import orjson

from workers.curation.dedup import Signature, build_signer
from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors import build_extractor
from workers.curation.filters import build_filter
from workers.curation.language import Identifier
from workers.curation.pii import replace_pii
from workers.curation.samples import Sample, make_sample
from workers.curation.text import Text
from workers.specs.curation import CurationSpec

# FineWeb-2's choice (datatrove's FTFYFormatter): mend encodings, leave typography and line breaks alone.
_REPAIR = ftfy.TextFixerConfig(
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    normalization=None,
    explain=False,
)


def stage_names(spec: CurationSpec) -> list[str]:
    """The stages of a spec, in their order. Filters of one kind (for different languages) are one stage."""
    kinds: list[str] = list(dict.fromkeys(filter_.kind for filter_ in spec.filters))
    middle = ["dedup", *kinds] if spec.dedup.before_filters else [*kinds, "dedup"]
    return ["read", "extract", "language", *middle, "pii"]


@dataclass(slots=True)
class Outcome:
    """What became of a record: where it passed, and its line or why it has none."""

    language: str = ""
    passed: list[tuple[str, int]] = field(default_factory=list)
    """Stages that it came through, with its bytes after each."""
    line: bytes = b""
    """The document as JSON; empty when it was dropped or rejected."""
    signature: Signature | None = None
    reject: Reject | None = None
    stage: str = ""
    """Stage in which it was dropped."""
    sample: Sample | None = None


class Stages:
    """All plugins of a spec, built once a process."""

    def __init__(self, spec: CurationSpec) -> None:
        self.spec = spec
        self.extractor = build_extractor(spec)
        self.identifier = Identifier(spec.language)
        self.filters = [(filter_.kind, build_filter(filter_)) for filter_ in spec.filters]
        self.kinds = list(dict.fromkeys(kind for kind, _ in self.filters))
        self.signer = build_signer(spec.dedup)

    def first_pass(self, record: RawRecord | Reject) -> Outcome:
        """From a raw record to a document that dedup can judge."""
        if isinstance(record, Reject):
            return Outcome(passed=[("read", 0)], reject=record)
        outcome = Outcome(passed=[("read", len(record.content))])
        document = self._extract(outcome, record)
        if document is None or not self._identify(outcome, document):
            return outcome
        text = Text(document.text, document.language)
        filtered = text if self.spec.dedup.before_filters else self._filter(outcome, document, text)
        if filtered is None:
            return outcome
        outcome.signature = self.signer.sign(filtered)
        return _kept(outcome, document, filtered)

    def second_pass(self, line: bytes) -> Outcome:
        """From a document that dedup kept to one of the dataset."""
        document = Document(**orjson.loads(line))
        outcome = Outcome(language=document.language)
        text = Text(document.text, document.language)
        outcome.passed.append(("dedup", _size(text.text)))
        filtered = self._filter(outcome, document, text) if self.spec.dedup.before_filters else text
        if filtered is None:
            return outcome
        clean = Text(replace_pii(filtered.text, self.spec.pii), document.language)
        outcome.passed.append(("pii", _size(clean.text)))
        outcome.sample = make_sample(document, clean.text, None)
        return _kept(outcome, document, clean)

    def _extract(self, outcome: Outcome, record: RawRecord) -> Document | None:
        found = self.extractor.extract(record)
        if isinstance(found, Reject):
            outcome.reject = found
            return None
        if isinstance(found, Drop):
            document = Document(record.id, record.source, "", record.media_type, record.url)
            _dropped(outcome, "extract", document, "", found)
            return None
        found.text = self._repair(found.text)
        if not found.text:
            _dropped(outcome, "extract", found, "", Drop("extract.empty"))
            return None
        outcome.passed.append(("extract", _size(found.text)))
        return found

    def _repair(self, text: str) -> str:
        if self.spec.repair_text:
            text = ftfy.fix_text(text, _REPAIR)
        # Lone surrogates cannot be stored as UTF-8.
        return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()

    def _identify(self, outcome: Outcome, document: Document) -> bool:
        drop = self.identifier.judge(document)
        outcome.language = document.language
        if drop:
            _dropped(outcome, "language", document, document.text, drop)
            return False
        outcome.passed.append(("language", _size(document.text)))
        return True

    def _filter(self, outcome: Outcome, document: Document, text: Text) -> Text | None:
        """The text as the filters left it; None when one of them dropped it."""
        sizes: dict[str, int] = {}
        size = _size(text.text)
        for kind, filter_ in self.filters:
            if filter_.languages and document.language not in filter_.languages:
                continue
            verdict = filter_.judge(document, text)
            if isinstance(verdict, Drop):
                kinds = self.kinds[: self.kinds.index(kind)]
                outcome.passed += [(k, size := sizes.get(k, size)) for k in kinds]
                _dropped(outcome, kind, document, text.text, verdict)
                return None
            if verdict is not text:
                sizes[kind], text = _size(verdict.text), verdict
        outcome.passed += [(k, size := sizes.get(k, size)) for k in self.kinds]
        return text


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _dropped(outcome: Outcome, stage: str, document: Document, text: str, drop: Drop) -> None:
    outcome.stage, outcome.sample = stage, make_sample(document, text, drop)


def _kept(outcome: Outcome, document: Document, text: Text) -> Outcome:
    document.text = text.text
    outcome.line = orjson.dumps(document) + b"\n"
    return outcome


_process: list[Stages] = []
"""The plugins of this process: a pool has no other place for what each of its processes builds once."""


def set_up(spec_json: str) -> None:
    """Build the plugins of this process."""
    _process[:] = [Stages(CurationSpec.model_validate_json(spec_json))]


def run_first_pass(records: list[RawRecord | Reject]) -> list[Outcome]:
    """`Stages.first_pass` over a batch."""
    return [_process[0].first_pass(record) for record in records]


def run_second_pass(lines: list[bytes]) -> list[Outcome]:
    """`Stages.second_pass` over a batch."""
    return [_process[0].second_pass(line) for line in lines]


def crashed(record: Any) -> Outcome:
    """The outcome of a record that ended its process."""
    source = record.source if isinstance(record, RawRecord | Reject) else orjson.loads(record)["source"]
    reject = Reject(source, "process_crash", "the process that read it ended or took too long")
    return Outcome(passed=[("read", 0)] if not isinstance(record, bytes) else [], reject=reject)
