"""Labels by a teacher: documents are picked evenly, judged one after another, and what was judged is kept on disk.

Additive rubric: FineWeb-Edu, arXiv 2406.17557, section 4; perplexity: CCNet, arXiv 1911.00359.
"""

import hashlib
import heapq
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import numpy.typing as npt
import xxhash

from workers.curation.quality.labels import Label, LabelsError
from workers.curation.quality.scorer import MAX_SCORE
from workers.curation.quality.stopping import heed_stop
from workers.curation.quality.texts import iterate_documents
from workers.reporter import Reporter
from workers.specs.curation.quality import TeacherLabels

JUDGEMENTS = "judgements.jsonl"
_SYNC_EVERY = 20

Floats = npt.NDArray[np.float64]
Judgements = dict[str, list[float]]
"""By document."""


class Judge(Protocol):
    """What judges a text; `TeacherModel` does."""

    def judge(self, text: str) -> list[float]:
        """Numbers of which higher are better, as many for each text."""
        ...


def judge_documents(
    spec: TeacherLabels, folder: Path, judge: Judge, *, identity: str, work: Path, max_chars: int, reporter: Reporter
) -> list[Label]:
    """Labels of documents in `folder` (see `texts`), in the order of their hashes.

    `work` keeps the judgements: called again with the same documents, spec and teacher (`identity`), only what is
    missing is judged. Raises LabelsError without documents, StoppedError when a command said stop.
    """
    chosen = pick_documents(folder, spec.max_documents, max_chars)
    if not chosen:
        raise LabelsError(f"{folder} holds no document that a teacher could judge")
    work.mkdir(parents=True, exist_ok=True)
    path = work / JUDGEMENTS
    known = _resume(path, _fingerprint(spec, identity))
    with path.open("ab") as file:
        for number, (document_id, text) in enumerate(chosen, start=1):
            if document_id not in known:
                heed_stop(reporter)
                known[document_id] = judge.judge(text)
                _append(file, document_id, known[document_id], sync=number % _SYNC_EVERY == 0)
            reporter.progress("teacher", number, len(chosen), "documents")
    scores = to_scores(spec, [known[document_id] for document_id, _ in chosen])
    return [
        Label(text, float(score), document_id)
        for (document_id, text), score in zip(chosen, scores, strict=True)
        if math.isfinite(score)
    ]


def pick_documents(folder: Path, num_documents: int, max_chars: int) -> list[tuple[str, str]]:
    """(id, text) of the documents with the smallest hashes of their ids: an even sample, the same at each call."""

    def hashed() -> Iterator[tuple[int, str, str]]:
        for document_id, text in iterate_documents(folder):
            if text.strip():
                yield xxhash.xxh3_64_intdigest(document_id.encode()), document_id, text[:max_chars]

    picked = heapq.nsmallest(num_documents, hashed(), key=lambda item: item[:2])
    return list({document_id: (document_id, text) for _, document_id, text in picked}.values())


def to_scores(spec: TeacherLabels, judgements: Sequence[list[float]]) -> Floats:
    """0 to 5 from judgements; NaN where a judgement is not finite."""
    values = np.array(judgements, dtype=np.float64)
    if spec.scale == "probability":
        with np.errstate(over="ignore"):
            return MAX_SCORE * (1 / (1 + np.exp(-values))).mean(1)
    means = values.mean(1)
    finite = np.isfinite(means)
    scores = np.full(len(means), np.nan)
    _, group, counts = np.unique(means[finite], return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    scores[finite] = MAX_SCORE * middle[group] / max(1, finite.sum() - 1)
    return scores


def describe_model(path: Path) -> str:
    """Names and sizes of a model's files: enough to see that it is another one, without reading gigabytes."""
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    return json.dumps([[file.name, file.stat().st_size] for file in files])


def _fingerprint(spec: TeacherLabels, identity: str) -> str:
    relevant = spec.model_dump_json(include={"method", "questions", "max_tokens"})
    return hashlib.sha256(f"{relevant}{identity}".encode()).hexdigest()


def _resume(path: Path, fingerprint: str) -> Judgements:
    """What is on disk of the same teacher; else a new file is begun. A torn last line is cut off."""
    known: Judgements = {}
    good = 0
    if path.is_file():
        lines = path.read_bytes().splitlines(keepends=True)
        if lines and lines[0] == _head(fingerprint):
            good = len(lines[0])
            for line in lines[1:]:
                try:
                    row = json.loads(line) if line.endswith(b"\n") else None
                    known[row["document_id"]] = [float(value) for value in row["judgement"]]
                except (ValueError, KeyError, TypeError):
                    break
                good += len(line)
    with path.open("r+b" if good else "wb") as file:
        file.truncate(good)
        if not good:
            file.write(_head(fingerprint))
        file.flush()
        os.fsync(file.fileno())
    return known


def _head(fingerprint: str) -> bytes:
    return json.dumps({"teacher": fingerprint}).encode() + b"\n"


def _append(file: IO[bytes], document_id: str, judgement: list[float], sync: bool) -> None:
    row = {"document_id": document_id, "judgement": judgement}
    file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    file.flush()
    if sync:
        os.fsync(file.fileno())
