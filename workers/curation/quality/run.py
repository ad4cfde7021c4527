"""A spec -> a scorer: labels from where the spec says, then training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workers.curation.quality.labels import BadRow, Label, LabelsError, read_labels
from workers.curation.quality.train import train
from workers.reporter import Reporter
from workers.specs.curation.quality import FileLabels, PeopleLabels, QualityTrainingSpec, TeacherLabels


def train_scorer(
    spec: QualityTrainingSpec, *, out: Path, work: Path, reporter: Reporter, source: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write a scorer into `out`; `work` keeps what a teacher has judged. Returns the summary.

    Datasets in the spec are folders here. `source` stands in the manifest instead of the spec's labels (paths of one
    machine say little on another). Raises LabelsError, ValueError for a teacher that cannot be loaded, StoppedError.
    """
    labels, bad = gather_labels(spec, work, reporter)
    return train(
        spec, labels, out=out, reporter=reporter, bad=bad, source=source or spec.labels.model_dump(mode="json")
    )


def gather_labels(spec: QualityTrainingSpec, work: Path, reporter: Reporter) -> tuple[Sequence[Label], list[BadRow]]:
    """The labels of a spec, and the rows that cannot be used."""
    if isinstance(spec.labels, FileLabels):
        labels, bad = read_labels(spec.labels)
        for row in bad[:10]:
            reporter.log(f"{spec.labels.path} line {row.line}: {row.reason} {row.detail}".rstrip(), "warning")
        return labels, bad
    if isinstance(spec.labels, PeopleLabels):
        raise LabelsError(
            "labels of people are in the service: launch the spec there, or export them by "
            "`headrace quality labels --dataset NAME --out FILE` and use {kind: file, path: FILE, dataset: DIR}"
        )
    return _ask_teacher(spec, spec.labels, work, reporter), []


def _ask_teacher(spec: QualityTrainingSpec, teacher: TeacherLabels, work: Path, reporter: Reporter) -> list[Label]:
    from workers.curation.quality.teacher import describe_model, judge_documents
    from workers.curation.quality.teacher_model import TeacherModel  # here: torch takes seconds to import
    from workers.model.pretrained import find_model

    identity = describe_model(find_model(teacher.model))
    return judge_documents(
        teacher,
        Path(teacher.dataset),
        TeacherModel(teacher),
        identity=identity,
        work=work,
        max_chars=spec.features.max_chars,
        reporter=reporter,
    )
