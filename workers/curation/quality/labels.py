"""Labels from a file: JSONL, CSV or Parquet. Rows that cannot be used are listed with their line, the others go on."""

import csv
import gzip
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from workers.curation.quality.scorer import MAX_SCORE
from workers.curation.quality.texts import find_texts
from workers.specs.curation.quality import FileLabels

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row | str]]
"""(line from 1, the row or the reason why it is none)."""

_MAX_FIELD_CHARS = 1 << 27


class LabelsError(ValueError):
    """There are no usable labels; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text, and how good it is."""

    text: str
    score: float
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used."""

    line: int
    reason: str
    """`not_json`, `not_an_object`, `no_score`, `score_out_of_range`, `no_text`, `unknown_document`."""
    detail: str = ""


def read_labels(spec: FileLabels) -> tuple[list[Label], list[BadRow]]:
    """Labels in the order of the file, and the rows that are none.

    Raises LabelsError when the file cannot be read, lacks a column, or has more bad rows than `max_bad_share`.
    """
    path = Path(spec.path)
    labels, by_id, bad = [], [], []
    for line, row in _rows(path, spec):
        entry = BadRow(line, row) if isinstance(row, str) else _entry(line, row, spec)
        if isinstance(entry, BadRow):
            bad.append(entry)
        elif entry.text:
            labels.append((line, entry))
        else:
            by_id.append((line, entry))
    if by_id:
        texts = _texts(spec, {label.document_id for _, label in by_id})
        for line, label in by_id:
            if text := texts.get(label.document_id):
                labels.append((line, Label(text, label.score, label.document_id)))
            else:
                bad.append(BadRow(line, "unknown_document", label.document_id))
    labels.sort(key=lambda pair: pair[0])
    bad.sort(key=lambda row: row.line)
    check_bad_share(path, len(labels), bad, spec.max_bad_share)
    return [label for _, label in labels], bad


def check_bad_share(source: object, num_good: int, bad: list[BadRow], max_share: float) -> None:
    """Raises LabelsError when too many rows are bad, or none is left."""
    total = num_good + len(bad)
    if not total:
        raise LabelsError(f"{source} holds no label")
    if not num_good or len(bad) > max_share * total:
        first = bad[0]
        raise LabelsError(
            f"{len(bad)} of {total} labels in {source} cannot be used, more than labels.max_bad_share = {max_share:g} "
            f"allows; the first is line {first.line}: {first.reason} {first.detail}".rstrip()
            + ". Mend or remove them"
        )


def _entry(line: int, row: Row, spec: FileLabels) -> Label | BadRow:
    raw = row.get(spec.score_column)
    if raw is None or raw == "" or isinstance(raw, bool):
        return BadRow(line, "no_score", f"{spec.score_column} is {raw!r}")
    try:
        score = float(raw)
    except (TypeError, ValueError):
        return BadRow(line, "no_score", f"{spec.score_column} is {str(raw)[:80]!r}")
    if not (math.isfinite(score) and 0 <= score <= MAX_SCORE):
        return BadRow(line, "score_out_of_range", f"{score:g} is not within 0 and {MAX_SCORE:g}")
    text, document_id = row.get(spec.text_column), row.get(spec.id_column)
    document_id = "" if document_id is None else str(document_id)
    if isinstance(text, str) and text.strip():
        return Label(text, score, document_id)
    if document_id and spec.dataset:
        return Label("", score, document_id)
    detail = f"no {spec.text_column}" + (", and labels.dataset is not set to look for the document" * bool(document_id))
    return BadRow(line, "no_text", detail)


def _texts(spec: FileLabels, ids: set[str]) -> dict[str, str]:
    try:
        return find_texts(Path(spec.dataset or ""), ids)
    except ValueError as error:
        raise LabelsError(str(error)) from error


def _rows(path: Path, spec: FileLabels) -> Rows:
    reader = _READERS.get(path.name.lower().removesuffix(".gz").rpartition(".")[2])
    if reader is None or path.name.lower().endswith(".parquet.gz"):
        raise LabelsError(f"{path}: labels end in .jsonl, .csv (both also with .gz) or .parquet")
    try:
        yield from reader(path, spec)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise LabelsError(f"the labels in {path} cannot be read: {error}") from error


@contextmanager
def _open(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    opener: Callable[..., TextIO] = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", newline=newline) as file:
        yield file


def _read_jsonl(path: Path, spec: FileLabels) -> Rows:
    with _open(path, "\n") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                yield number, "not_json"
                continue
            yield number, row if isinstance(row, dict) else "not_an_object"


def _read_csv(path: Path, spec: FileLabels) -> Rows:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    with _open(path, "") as lines:
        rows = csv.DictReader(lines)
        _check_columns(path, list(rows.fieldnames or []), spec)
        for row in rows:
            yield rows.line_num, row


def _read_parquet(path: Path, spec: FileLabels) -> Rows:
    with pq.ParquetFile(path) as file:
        _check_columns(path, file.schema_arrow.names, spec)
        wanted = [spec.score_column, spec.text_column, spec.id_column]
        columns = [name for name in wanted if name in file.schema_arrow.names]
        number = 0
        for batch in file.iter_batches(batch_size=1000, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield number, row


def _check_columns(path: Path, names: list[str], spec: FileLabels) -> None:
    if spec.score_column not in names or not {spec.text_column, spec.id_column} & set(names):
        raise LabelsError(
            f"{path} has the columns {', '.join(names)}; needed are {spec.score_column}, and {spec.text_column} or "
            f"{spec.id_column} (labels.score_column, text_column and id_column name others)"
        )


_READERS: dict[str, Callable[[Path, FileLabels], Rows]] = {
    "jsonl": _read_jsonl, "ndjson": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet,
}  # fmt: skip
