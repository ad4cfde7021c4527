"""`python -m workers.curation.corpora list | fetch NAME --home DIR [--json]`. Exit codes: 2 usage, 1 failure."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from workers.curation.corpora import CORPORA, Corpus, corpus_folder, find_corpus
from workers.curation.corpora.apt import FetchError, ToolsMissingError
from workers.curation.corpora.fetch import fetch_corpus
from workers.curation.corpora.progress import Progress


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers.curation.corpora", description="Named corpora.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="the corpora, and which of them are fetched")
    fetching = commands.add_parser("fetch", help="download, verify and pack a corpus")
    fetching.add_argument("name", help=f"one of: {', '.join(sorted(CORPORA))}")
    for command in (listing, fetching):
        command.add_argument("--home", type=Path, default=Path(".headrace"), help="data folder (default: .headrace)")
        command.add_argument("--json", action="store_true", help="one JSON line on stdout")
    options = parser.parse_args(arguments)
    if options.command == "list":
        return _list(options.home, options.json)
    try:
        corpus = find_corpus(options.name)
    except KeyError as error:
        return _fail(str(error.args[0]), 2)
    return _fetch(corpus, options.home, options.json)


def _list(home: Path, as_json: bool) -> int:
    rows = [
        {"name": corpus.name, "summary": corpus.summary, "fetched": _is_fetched(home, corpus.name)}
        for corpus in CORPORA.values()
    ]
    if as_json:
        print(json.dumps(rows))
    else:
        for row in rows:
            print(f"{row['name']}  {'fetched' if row['fetched'] else 'not fetched'}  {row['summary']}")
    return 0


def _fetch(corpus: Corpus, home: Path, as_json: bool) -> int:
    try:
        with Progress() as progress:
            manifest = fetch_corpus(corpus, home, progress)
    except ToolsMissingError as error:
        return _fail(str(error), 2)
    except (FetchError, OSError) as error:
        return _fail(str(error), 1)
    if as_json:
        print(json.dumps({**manifest, "folder": str(corpus_folder(home, corpus.name))}, ensure_ascii=False))
    else:
        _print_table(manifest, corpus_folder(home, corpus.name))
    return 0


def _print_table(manifest: dict[str, Any], folder: Path) -> None:
    for package in manifest["packages"]:
        print(f"{package['name']} {package['version']}  licence: {package['licence']}  sha256: {package['sha256']}")
    for language, counts in sorted(manifest["by_language"].items()):
        print(f"{language}: {counts['num_html']} HTML pages, {counts['num_pdf']} PDFs")
    print(f"{manifest['num_html']} HTML pages, {manifest['num_pdf']} PDFs in {folder}")


def _is_fetched(home: Path, name: str) -> bool:
    try:
        corpus_folder(home, name)
    except FileNotFoundError:
        return False
    return True


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
