"""Stop words by a rule: words that make up at least 0.5 % of the text in each of several corpora, and at least eight.

    python -m workers.curation.stop_words --home DIR --corpus office-help --corpus debian-docs

FineWeb-2 counts Wikipedia (arXiv 2506.20920). One corpus of one kind would bring its own subject's words in, so a word
counts with its lowest share over the corpora. Left out are words of another language (pages hold passages that were not
translated) and capitals at the head of a sentence.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from workers.curation.document import Document, RawRecord
from workers.curation.extractors import build_extractor
from workers.curation.language import Identifier
from workers.curation.readers import InputError, list_files, read_file, resolve_input
from workers.curation.text import Text
from workers.specs.curation import CorpusInput, CurationSpec
from workers.specs.curation.extractors import Resiliparse
from workers.specs.curation.inputs import FolderInput

MIN_SHARE = 0.005
MIN_WORDS = 8
FOREIGN_FACTOR = 8
_ELISION = "'\u2019"


Shares = dict[str, float]
"""Word -> share of all words."""


def stop_words(shares: dict[str, list[Shares]], min_share: float = MIN_SHARE) -> dict[str, list[str]]:
    """Language -> words, the most frequent first. `shares`: of each language, by corpus."""
    lowest = {language: _lowest(found) for language, found in shares.items()}
    lists = {}
    for language, own in lowest.items():
        order = sorted(own, key=lambda word: (-own[word], word))
        native = [word for word in order if not _is_foreign(word, own[word], lowest)]
        kept = [word for place, word in enumerate(native) if own[word] >= min_share or place < MIN_WORDS]
        lists[language] = [word for word in kept if word == word.lower() or word.lower() not in kept]
    return lists


def _lowest(shares: list[Shares]) -> Shares:
    return {word: low for word in shares[0] if (low := min(share.get(word, 0.0) for share in shares)) > 0}


def _is_foreign(word: str, share: float, lowest: dict[str, Shares]) -> bool:
    """Is it much more frequent in another language? Then it comes from passages that were left untranslated."""
    return any(other.get(word, 0.0) > FOREIGN_FACTOR * share for other in lowest.values())


def word_shares(texts: Iterable[Text]) -> Shares:
    """Share of each word, of letters alone, of all words."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word in text.words if word.rstrip(_ELISION).isalpha())
    total = counts.total()
    return {word: count / total for word, count in counts.items()}


def _read(home: Path, corpus: str, max_documents: int) -> Iterator[Text]:
    """Texts of a corpus, about so many, evenly over its files."""
    source = FolderInput(path=corpus) if Path(corpus).is_dir() else CorpusInput(name=corpus)
    spec = CurationSpec(input=source, html_extractor=Resiliparse())
    root = resolve_input(spec.input, home)
    files = [file for file in list_files(root) if not file.name.endswith(".pdf")]
    extractor, identifier = build_extractor(spec), Identifier(spec.language)
    for file in files:
        left = max(1, max_documents // len(files))
        for record in read_file(file, root, spec.limits):
            if not isinstance(record, RawRecord) or record.media_type != "text/html":
                continue
            found = extractor.extract(record)
            if isinstance(found, Document) and identifier.judge(found) is None:
                yield Text(found.text, found.language)
                left -= 1
            if not left:
                break


def _by_language(home: Path, corpora: list[str], max_documents: int) -> dict[str, list[Shares]]:
    shares: dict[str, list[Shares]] = defaultdict(list)
    for corpus in corpora:
        texts = sorted(_read(home, corpus, max_documents), key=lambda text: text.language)
        for language, group in groupby(texts, key=lambda text: text.language):
            shares[language].append(word_shares(group))
    return {language: found for language, found in sorted(shares.items()) if len(found) == len(corpora)}


def main(arguments: list[str] | None = None) -> int:
    """Print a list for each language that all corpora have."""
    parser = argparse.ArgumentParser(prog="python -m workers.curation.stop_words", description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="data folder of the worker")
    parser.add_argument(
        "--corpus",
        action="append",
        required=True,
        help="a fetched corpus or a folder of pages; several: what all share",
    )
    parser.add_argument("--max-documents", type=int, default=2000, help="of each corpus")
    options = parser.parse_args(arguments)
    try:
        shares = _by_language(options.home, options.corpus, options.max_documents)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for language, words in stop_words(shares).items():
        print(f"{language}: {json.dumps(words, ensure_ascii=False)}")  # quoted, so that YAML takes `no` for a word
    return 0


if __name__ == "__main__":
    sys.exit(main())
