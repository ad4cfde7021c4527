"""Texts of documents by their ids, out of the folder of a dataset version or of its documents."""

import json
from collections.abc import Iterator
from pathlib import Path

import orjson

from workers.curation.lines import read_lines
from workers.data.documents import read_documents

SAMPLES = "samples.jsonl"
_DOCUMENTS = "documents.jsonl.zst"


def iterate_documents(folder: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of all kept documents. Raises ValueError when the folder holds none."""
    _check(folder)
    if (folder / _DOCUMENTS).is_file():
        for line in read_lines(folder / _DOCUMENTS):
            row = orjson.loads(line)
            yield row["id"], row["text"]
        return
    try:
        for row in read_documents(folder, ["id", "text"]):
            yield row["id"], row["text"]
    except FileNotFoundError as error:
        raise ValueError(f"{error.args[0]}: give the folder of a dataset version") from None


def find_texts(folder: Path, ids: set[str]) -> dict[str, str]:
    """Texts of these documents; ids that are nowhere are left out.

    Kept documents come whole. Dropped ones come from the samples, of which the browser shows some thousand characters.
    Raises ValueError when the folder holds neither.
    """
    _check(folder)
    has_samples = (folder / SAMPLES).is_file()
    found = {}
    try:
        found = {document_id: text for document_id, text in iterate_documents(folder) if document_id in ids}
    except ValueError:
        if not has_samples:
            raise
    if has_samples and len(found) < len(ids):
        with (folder / SAMPLES).open("rb") as lines:
            for line in lines:
                sample = json.loads(line)
                if sample["document_id"] in ids:
                    found.setdefault(sample["document_id"], sample["text"])
    return found


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(
            f"there is no dataset folder {folder} on this worker; a digest (`sha256:...`) is fetched by the service's "
            "run, without the service give the folder"
        )
