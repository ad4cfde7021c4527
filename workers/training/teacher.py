"""The teacher of a run: beside the student, or as logits that it wrote to disk before the first step.

Shapes: B sequences, T tokens, K tokens kept.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from workers.data.teacher_logits import TeacherLogits, logits_folder
from workers.model.pretrained import find_model
from workers.specs.training import TrainingSpec
from workers.specs.training.distillation import AttentionTransfer, Distillation, HiddenStates, OfflineTeacher
from workers.storage import file_sha256
from workers.training.batches import Sequences
from workers.training.errors import InputError
from workers.training.lesson import FullLogits, Lesson, TopLogits
from workers.training.mixture import Folders, folders_of_sources
from workers.training.teacher_memory import check_memory
from workers.training.teacher_model import TeacherModel, TeacherShape, open_model, read_vocabulary

_WEIGHTS = ("*.safetensors", "config.json", "model.json")


class Teacher(Protocol):
    """What the loop asks."""

    shape: TeacherShape | None
    """None: its layers are out of sight."""

    def look(self, part: Sequences, rows: slice) -> Lesson:
        """What it says of some sequences of a batch."""
        ...


class LiveTeacher:
    """Runs beside the student, on the same tokens."""

    def __init__(self, model: TeacherModel, spec: Distillation, vocab_size: int, device: torch.device) -> None:
        self._model, self._vocab_size, self._device = model, vocab_size, device
        self.shape: TeacherShape | None = model.shape
        self._hidden = _teacher_layers(spec, HiddenStates)
        self._attention = _teacher_layers(spec, AttentionTransfer)

    def look(self, part: Sequences, rows: slice) -> Lesson:
        """See `Teacher`."""
        tokens_BT, documents_BT = (t[rows].to(self._device, non_blocking=True) for t in (part.tokens, part.documents))
        lesson = self._model.look(tokens_BT, documents_BT, self._hidden, self._attention)
        if isinstance(lesson.logits, FullLogits):  # rows beyond the vocabulary are padding of the teacher's matrix
            return lesson._replace(logits=lesson.logits._replace(head=lesson.logits.head[: self._vocab_size]))
        return lesson


class WrittenTeacher:
    """Reads what was written, by the positions of the tokens; one reader a source."""

    shape: TeacherShape | None = None

    def __init__(self, readers: Sequence[TeacherLogits], device: torch.device) -> None:
        self._readers, self._device = list(readers), device

    def look(self, part: Sequences, rows: slice) -> Lesson:
        """See `Teacher`. Raises ValueError for a batch that does not say where its tokens come from."""
        if part.positions is None:
            raise ValueError("the batch does not say at which positions of the dataset its tokens stand")
        positions_BT = part.positions[rows]
        sources = part.sources[rows].tolist() if part.sources is not None else [0] * len(positions_BT)
        found = [self._readers[n].read(row.numpy()) for n, row in zip(sources, positions_BT, strict=True)]
        stacked = [torch.from_numpy(np.stack(parts)).to(self._device) for parts in zip(*found, strict=True)]
        return Lesson(TopLogits(*stacked))


def _teacher_layers(spec: Distillation, kind: type[AttentionTransfer] | type[HiddenStates]) -> frozenset[int]:
    return frozenset(pair.teacher for term in spec.terms if isinstance(term, kind) for pair in term.layers)


def build_teacher(spec: TrainingSpec, dataset: Folders, vocab_size: int, device: torch.device) -> Teacher | None:
    """The teacher that the spec names; None without distillation.

    Raises InputError when it is not there, does not fit into memory, or has another vocabulary than the dataset; and
    for logits that were not written before.
    """
    if spec.distillation is None:
        return None
    folders = folders_of_sources(spec, dataset)
    if isinstance(spec.distillation.teacher, OfflineTeacher):
        return WrittenTeacher([_open_logits(spec, folder, vocab_size) for folder in folders], device)
    model = load_teacher(spec, folders, vocab_size, device, alone=False)
    return LiveTeacher(model, spec.distillation, vocab_size, device)


def load_teacher(
    spec: TrainingSpec, folders: Sequence[Path], vocab_size: int, device: torch.device, *, alone: bool
) -> TeacherModel:
    """The model itself, after all checks. Raises InputError."""
    path = teacher_path(spec)
    check_memory(spec, path, vocab_size, device, alone=alone)
    terms = spec.distillation.terms if spec.distillation else []
    model = open_model(path, device, any(isinstance(term, AttentionTransfer) for term in terms))
    for folder in folders:
        check_vocabularies(folder, vocab_size, model)
    return model


def teacher_path(spec: TrainingSpec) -> Path:
    """Folder or file of the teacher. Raises InputError when there is none."""
    if spec.distillation is None:
        raise InputError("the spec has no `distillation`, so there is no teacher")
    try:
        return find_model(spec.distillation.teacher.model)
    except ValueError as error:
        raise InputError(str(error)) from error


def check_vocabularies(dataset: Path, vocab_size: int, teacher: TeacherModel) -> None:
    """Raises InputError when token ids do not mean the same to the teacher and in the dataset.

    Where one of them has no tokenizer beside it, only the numbers of tokens can be compared.
    """
    advice = "Take a teacher that was trained on this tokenizer, or make the dataset with the teacher's tokenizer"
    ours = read_vocabulary(dataset / "tokenizer.json")
    if ours is None or teacher.vocabulary is None:
        if teacher.num_rows != vocab_size:
            raise InputError(
                f"the teacher has a vocabulary of {teacher.num_rows:,} tokens, the dataset one of {vocab_size:,}. "
                f"{advice}"
            )
        return
    if ours == teacher.vocabulary and teacher.num_rows >= vocab_size:
        return
    differing = sorted(ours.items() ^ teacher.vocabulary.items(), key=lambda item: item[1])
    number = differing[0][1] if differing else teacher.num_rows
    names = [next((name for name, at in part.items() if at == number), None) for part in (ours, teacher.vocabulary)]
    raise InputError(
        f"the teacher has another vocabulary ({len(teacher.vocabulary):,} tokens) than the dataset ({len(ours):,}): "
        f"token {number} is {names[0]!r} in the dataset and {names[1]!r} for the teacher. {advice}"
    )


def describe_teacher(path: Path) -> str:
    """A hash of its weights and shape: equal teachers, equal hash, wherever they lie."""
    files = [path] if path.is_file() else sorted(file for pattern in _WEIGHTS for file in path.glob(pattern))
    if not path.is_file() and (path / "checksums.json").is_file():  # a checkpoint holds more than its model
        files = [path / "model.json", path / "model.safetensors"]
    digests = [(file.suffix, file_sha256(file)) for file in files]
    return hashlib.sha256(repr(digests).encode()).hexdigest()


def offline_teacher(spec: TrainingSpec) -> OfflineTeacher:
    """The offline teacher of a spec. Raises InputError when there is none."""
    if spec.distillation is None or not isinstance(spec.distillation.teacher, OfflineTeacher):
        raise InputError("the spec has no distillation with `teacher.kind: offline`: there is nothing to write")
    return spec.distillation.teacher


def describe_logits(spec: TrainingSpec, dataset: Path, vocab_size: int) -> dict[str, Any]:
    """What fixes the logits to be written beside a dataset. Raises InputError without an offline teacher."""
    teacher = offline_teacher(spec)
    context = teacher.context_tokens or spec.plan[0].batch.sequence_tokens
    if teacher.overlap_tokens >= context:
        raise InputError(f"teacher.overlap_tokens {teacher.overlap_tokens} leave nothing of a window of {context}")
    return {
        "format": 1,
        "dataset": file_sha256(dataset / "dataset.json"),
        "teacher": describe_teacher(teacher_path(spec)),
        "vocab_size": vocab_size,
        "top_k": min(teacher.top_k, vocab_size),
        "temperature": spec.distillation.temperature if spec.distillation else 1.0,
        "context_tokens": context,
        "overlap_tokens": teacher.overlap_tokens,
    }


def distillation_identity(spec: TrainingSpec) -> dict[str, Any]:
    """What of the teacher must be equal for a checkpoint to be continued; its place may differ."""
    if spec.distillation is None:
        return {}
    values = spec.distillation.model_dump(mode="json")
    for key in ("model", "batch_tokens"):
        values["teacher"].pop(key, None)
    return {"distillation": values, "teacher": describe_teacher(teacher_path(spec))}


def _open_logits(spec: TrainingSpec, dataset: Path, vocab_size: int) -> TeacherLogits:
    folder = logits_folder(dataset, describe_logits(spec, dataset, vocab_size))
    try:
        return TeacherLogits(folder)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"the teacher's logits in {folder} cannot be read: {error}") from error
