"""The sources of a mixture: dataset versions or parts of them, opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workers.data.mixture import SelectedDocuments, SplitSource, TokenSource, check_tokenizers
from workers.data.shards import TokenDataset
from workers.specs.training import TrainingSpec
from workers.specs.training.mixture import MixtureSource
from workers.specs.training.stages import PlannedStage
from workers.training.errors import InputError

Folders = Path | Mapping[str, Path]
"""The folder of the dataset; for a mixture the folder of each version, by its digest."""
Selection = tuple[str | None, tuple[str, ...], tuple[int, ...]]


@dataclass(slots=True)
class Source:
    """A source of the mixture, opened."""

    spec: MixtureSource
    train: SplitSource
    heldout: TokenSource | None
    """None: it holds nothing out."""


def open_sources(spec: TrainingSpec, dataset: Folders) -> dict[Selection, Source]:
    """All sources that any stage reads, by what they select, in the order in which they first come.

    Raises InputError when a folder is missing or damaged, tokenizers differ, or a part is empty.
    """
    folders = _by_digest(spec, dataset)
    try:
        if len(folders) > 1:
            check_tokenizers(list(folders.values()))
        return {source.selection: _open(source, folders[source.dataset]) for source in sources_of(spec)}
    except FileNotFoundError as error:
        raise InputError(f"a dataset of the mixture is no dataset folder: {error.filename or error}") from error
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"the mixture cannot be used: {error}") from error


def folders_of_sources(spec: TrainingSpec, dataset: Folders) -> list[Path]:
    """The folder that each source of the run reads, in the order of `sources_of`. Raises InputError."""
    folders = _by_digest(spec, dataset)
    return [folders[source.dataset] for source in sources_of(spec)]


def _by_digest(spec: TrainingSpec, dataset: Folders) -> dict[str | None, Path]:
    """The folder of each version that the run reads; None: the run's own, where it is not named."""
    named = {source.dataset for source in sources_of(spec)}
    if isinstance(dataset, Path):
        if named - {spec.dataset}:
            raise InputError("the spec has a mixture: give the folder of each of its versions as DIGEST=FOLDER")
        return {spec.dataset: dataset}
    if None in named:
        raise InputError("a source of the mixture names no dataset: set `dataset` of the run, or of each source")
    if missing := sorted(digest for digest in named if digest and digest not in dataset):
        raise InputError(f"the mixture names {missing[0]}, and its folder is not given")
    return {digest: dataset[digest] for digest in named if digest}


def sources_of(spec: TrainingSpec) -> list[MixtureSource]:
    """The different sources of a run, in the order in which they first come."""
    found: dict[Selection, MixtureSource] = {}
    for stage in spec.plan:
        for source in mixture_of(stage):
            found.setdefault(source.selection, source)
    return list(found.values())


def mixture_of(stage: PlannedStage) -> tuple[MixtureSource, ...]:
    """What a stage reads: its mixture, or the run's whole dataset."""
    return stage.mixture or (MixtureSource(dataset=stage.dataset, weight=1),)


def _open(source: MixtureSource, folder: Path) -> Source:
    train, heldout = TokenDataset(folder, "train"), TokenDataset(folder, "heldout")
    for part in (train, heldout):
        check_vocabulary(folder, part)
    if not source.languages and not source.buckets:
        return Source(source, train, heldout)
    try:
        kept: TokenSource | None = SelectedDocuments(heldout, source.languages, source.buckets)
    except ValueError:  # a small part may hold nothing out: the others do
        kept = None
    return Source(source, SelectedDocuments(train, source.languages, source.buckets), kept)


def check_vocabulary(folder: Path, part: TokenSource) -> None:
    """Raises InputError when the first million tokens hold one that the vocabulary has not."""
    largest = int(part.window(0, min(part.num_tokens, 1 << 20))[0].max())
    if largest >= part.vocab_size:
        raise InputError(
            f"dataset {folder} has token {largest}, its vocabulary ends at {part.vocab_size - 1}: "
            "it was made with another tokenizer"
        )
