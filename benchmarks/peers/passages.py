"""Texts for the dedup benchmarks: passages of the web pages of fetched corpora."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from workers.curation.document import Document, RawRecord
from workers.curation.extractors import build_extractor
from workers.curation.readers import read_file
from workers.specs.curation import CurationSpec, Limits

CORPORA = ("office-help", "debian-docs")
_LANGUAGES = {"en", "fr", "es", "de", "it", "pt"}


def passages(home: Path, num_words: int, step: int = 1) -> Iterator[tuple[str, str]]:
    """(language, text) of passages of whole lines, at least `num_words` words each but for the last of a page.

    Of every `step`-th page only.
    """
    for language, page in pages(home, step):
        lines: list[str] = []
        count = 0
        for line in page.split("\n"):
            lines.append(line)
            count += len(line.split())
            if count >= num_words:
                yield language, "\n".join(lines).strip()
                lines, count = [], 0
        if count:
            yield language, "\n".join(lines).strip()


def pages(home: Path, step: int = 1, corpora: Sequence[str] = CORPORA) -> Iterator[tuple[str, str]]:
    """(language, text) of every `step`-th page of these corpora."""
    extractor = build_extractor(CurationSpec.model_validate({"html_extractor": {"kind": "resiliparse"}}))
    files = [path for corpus in corpora for path in sorted((home / "corpora" / corpus / "warc").glob("*.warc.gz"))]
    if not files:
        raise SystemExit(f"no corpora in {home}: run `headrace corpus fetch {corpora[0]}` first, or pass --home")
    for path in files:
        language = path.name.removesuffix(".warc.gz").rpartition(".")[2]
        for number, record in enumerate(read_file(path, path.parent, Limits())):
            if number % step or not isinstance(record, RawRecord) or record.media_type != "text/html":
                continue
            found = extractor.extract(record)
            if isinstance(found, Document):
                yield language if language in _LANGUAGES else "en", found.text.replace("\0", "")
