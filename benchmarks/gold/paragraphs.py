"""Real paragraphs in six languages, from a fetched corpus: what the pages of the gold are made of."""

from collections.abc import Iterator
from pathlib import Path

from resiliparse.parse.html import HTMLTree

from workers.curation.corpora import corpus_folder
from workers.curation.extractors._shared import decode_html
from workers.curation.readers import list_files, read_file
from workers.specs.curation import Limits

LANGUAGES = ("en", "fr", "de", "es", "it", "pt")
_ENGLISH = {"the", "and", "you", "this", "with", "have"}


def load_paragraphs(home: Path, most: int = 500) -> dict[str, list[str]]:
    """Up to `most` different paragraphs of 80 to 900 characters by language, in the order of the corpus debian-docs.

    Raises FileNotFoundError with the command that fetches it.
    """
    root = corpus_folder(home, "debian-docs")
    found: dict[str, dict[str, None]] = {language: {} for language in LANGUAGES}
    for file in list_files(root):
        language = file.name.split(".")[-3]
        for paragraph in _paragraphs(file, root):
            if language == "en" or len(_ENGLISH.intersection(paragraph.lower().split())) < 2:
                found[language][paragraph] = None
    return {language: list(paragraphs)[:: max(1, len(paragraphs) // most)] for language, paragraphs in found.items()}


def _paragraphs(file: Path, root: Path) -> Iterator[str]:
    for number, record in enumerate(read_file(file, root, Limits())):
        if number % 4 or getattr(record, "media_type", "") != "text/html":
            continue
        html = decode_html(record)
        body = HTMLTree.parse(html).body if isinstance(html, str) else None
        for element in body.get_elements_by_tag_name("p") if body else ():
            text = " ".join(element.text.split())
            if 80 <= len(text) <= 900 and text[-1] in ".!?" and "<" not in text and "&" not in text:
                yield text
