"""Fetch a corpus: lists -> packages -> licences -> WARC files -> corpus.json. Each step is kept when it is right."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workers.curation.corpora import Corpus
from workers.curation.corpora.apt import Apt, FetchError, Package, is_intact, unpack
from workers.curation.corpora.licences import read_licence
from workers.curation.corpora.pack import find_pages, pack_pages
from workers.curation.corpora.progress import Progress

_FORMAT = 1


def fetch_corpus(corpus: Corpus, home: Path, progress: Progress) -> dict[str, Any]:
    """Bring the corpus into `home/corpora/<name>` and return its manifest (`corpus.json`).

    What is there and right is neither downloaded nor packed again; when all is there, no network is used.
    Raises ToolsMissingError without apt and dpkg, FetchError when the network or the archive fails.
    """
    folder = home / "corpora" / corpus.name
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder, progress):
        receipts = {name: _read_receipt(folder, name, corpus) for name in corpus.packages}
        missing = [name for name, receipt in receipts.items() if receipt is None]
        unknown: list[str] = []
        if missing:
            (folder / "corpus.json").unlink(missing_ok=True)
            apt = Apt(folder / "apt", progress.say)
            found = _find(apt, missing, progress)
            unknown = [name for name in missing if name not in found]
            for name, package in found.items():
                receipts[name] = _fetch_package(apt, corpus, package, folder, progress)
        return _write_manifest(folder, corpus, [r for r in receipts.values() if r], unknown)


def _find(apt: Apt, names: list[str], progress: Progress) -> dict[str, Package]:
    found = apt.find(names)
    if len(found) < len(names):
        progress.say("fetching the package lists (into the data folder; nothing of the system changes)")
        apt.update()
        found = apt.find(names)
    if not found:
        raise FetchError(
            f"the package sources of this machine know none of: {', '.join(names)}. Add a Debian archive to them, "
            "or use documents of your own: --input FOLDER"
        )
    for name in names:
        if name not in found:
            progress.say(f"{name}: not in the package sources of this machine, left out")
    return found


def _fetch_package(apt: Apt, corpus: Corpus, package: Package, folder: Path, progress: Progress) -> dict[str, Any]:
    debs = folder / "debs"
    debs.mkdir(exist_ok=True)
    progress.start(package.name, "downloading")
    try:
        deb = apt.download(package, debs)
    except FetchError:
        apt.update()  # the archive may have moved on since the lists were fetched
        package = apt.find([package.name]).get(package.name, package)
        deb = apt.download(package, debs)
    unpacked = folder / f".{package.name}.unpacked"
    try:
        progress.start(package.name, "unpacking")
        unpack(deb, unpacked)
        licence = read_licence(unpacked, package.name)
        pages = find_pages(unpacked, corpus.languages)
        progress.start(package.name, "packing", len(pages))
        warcs = pack_pages(corpus.name, package, licence, pages, folder / "warc", progress.tick)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    receipt = {
        "name": package.name,
        "version": package.version,
        "sha256": package.sha256,
        "num_bytes": package.num_bytes,
        "licence": licence,
        "languages": list(corpus.languages),
        "warcs": warcs,
    }
    _write_json(folder / "packages" / f"{package.name}.json", receipt)
    num_html, num_pdf = (sum(warc[key] for warc in warcs) for key in ("num_html", "num_pdf"))
    progress.say(f"{package.name} {package.version}: {num_html} HTML pages, {num_pdf} PDFs; licence {licence}")
    return receipt


def _read_receipt(folder: Path, name: str, corpus: Corpus) -> dict[str, Any] | None:
    """The record of a packed package whose WARC files are all intact, or None."""
    try:
        receipt: dict[str, Any] = json.loads((folder / "packages" / f"{name}.json").read_text("utf-8"))
        intact = receipt["languages"] == list(corpus.languages) and all(
            is_intact(folder / "warc" / warc["file"], warc["num_bytes"], warc["sha256"]) for warc in receipt["warcs"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return receipt if intact else None


def _write_manifest(folder: Path, corpus: Corpus, receipts: list[dict[str, Any]], unknown: list[str]) -> dict[str, Any]:
    warcs = [warc for receipt in receipts for warc in receipt["warcs"]]
    by_language: dict[str, dict[str, int]] = {}
    for warc in warcs:
        counts = by_language.setdefault(warc["language"] or "unknown", {"num_html": 0, "num_pdf": 0})
        counts["num_html"] += warc["num_html"]
        counts["num_pdf"] += warc["num_pdf"]
    for path in (folder / "warc").glob("*.warc.gz"):
        if path.name not in {warc["file"] for warc in warcs}:
            path.unlink()  # of a package that is no longer in the table
    manifest = {
        "format": _FORMAT,
        "name": corpus.name,
        "summary": corpus.summary,
        "packages": receipts,
        "left_out": unknown,
        "num_html": sum(warc["num_html"] for warc in warcs),
        "num_pdf": sum(warc["num_pdf"] for warc in warcs),
        "num_bytes": sum(warc["num_bytes"] for warc in warcs),
        "by_language": by_language,
    }
    _write_json(folder / "corpus.json", manifest)
    return manifest


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


@contextmanager
def _lock(folder: Path, progress: Progress) -> Iterator[None]:
    """One fetch at a time; a second one waits and then finds the work done."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another fetch of this corpus is at work, waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
