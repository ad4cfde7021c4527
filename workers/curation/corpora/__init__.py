"""Named corpora that a command fetches: `python -m workers.curation.corpora fetch NAME --home DIR`.

Nothing of a corpus is committed: packages are downloaded, verified, packed into WARC files and kept below
`<home>/corpora/<name>/`, with `corpus.json` beside them. That file is written last: without it nothing counts.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documentation packages of a Debian archive, in some languages."""

    name: str
    summary: str
    packages: tuple[str, ...]
    languages: tuple[str, ...]
    """Pages whose path names another language are left out; pages that name none stay."""


_SIX = ("en", "fr", "de", "es", "it", "pt")

CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            name="debian-docs",
            summary="Debian manuals as HTML and PDF in en fr de es it pt, about 65 MB",
            packages=(
                *(f"debian-reference-{language}" for language in _SIX),
                "debian-handbook",
                "harden-doc",
                "installation-guide-amd64",
            ),
            languages=_SIX,
        ),
        Corpus(
            name="office-help",
            summary="LibreOffice's help and LilyPond's manuals: some 20,000 HTML pages in six languages, about 180 MB",
            packages=(
                *(f"libreoffice-help-{language}" for language in ("en-us", "fr", "de", "es", "it", "pt-br")),
                "lilypond-doc-html",
                *(f"lilypond-doc-html-{language}" for language in ("fr", "de", "es", "it")),
            ),
            languages=_SIX,
        ),
    )
}


def find_corpus(name: str) -> Corpus:
    """The corpus of that name. Raises KeyError with the known names."""
    if name not in CORPORA:
        raise KeyError(f"there is no corpus '{name}'; known: {', '.join(sorted(CORPORA))}")
    return CORPORA[name]


def fetch_command(home: Path, name: str) -> str:
    """The command a person runs to get the corpus."""
    return f"python -m workers.curation.corpora fetch {name} --home {home}"


def corpus_folder(home: Path, name: str) -> Path:
    """The folder of WARC files of a fetched corpus.

    Raises KeyError for an unknown name, FileNotFoundError with the command to run when it is not (wholly) fetched.
    """
    corpus = find_corpus(name)
    folder = home / "corpora" / corpus.name
    if not (folder / "corpus.json").is_file():
        raise FileNotFoundError(f"corpus '{name}' is not fetched. Run: {fetch_command(home, name)}")
    return folder / "warc"


def read_manifest(home: Path, name: str) -> dict[str, Any]:
    """`corpus.json` of a fetched corpus: packages, versions, SHA-256, licences, counts. Errors: `corpus_folder`."""
    manifest: dict[str, Any] = json.loads((corpus_folder(home, name).parent / "corpus.json").read_text("utf-8"))
    return manifest
