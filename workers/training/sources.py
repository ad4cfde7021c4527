"""What a training run reads: one dataset version, or a mixture of several."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.data.mixture import TokenSource
from workers.data.shards import TokenDataset, Tokens
from workers.specs.training import TrainingSpec
from workers.training.batches import BatchOrder
from workers.training.errors import InputError
from workers.training.mixture import Folders, Selection, Source, check_vocabulary, mixture_of, open_sources
from workers.training.stage_order import StageOrder


def folders_to_json(dataset: Folders) -> str | dict[str, str]:
    """Absolute paths as plain text, for another process."""
    if isinstance(dataset, Path):
        return str(dataset.resolve())
    return {digest: str(folder.resolve()) for digest, folder in dataset.items()}


def folders_from_json(value: str | dict[str, str]) -> Folders:
    """The inverse of `folders_to_json`."""
    return Path(value) if isinstance(value, str) else {digest: Path(folder) for digest, folder in value.items()}


@dataclass(slots=True)
class Data:
    """The parts of it that the loop works with."""

    vocab_size: int
    order: BatchOrder | StageOrder
    heldout: TokenSource


def open_data(spec: TrainingSpec, dataset: Folders) -> Data:
    """Open it. Raises InputError for what is missing, torn, empty, or does not go together."""
    if not isinstance(dataset, Path) and not spec.has_mixture:
        raise InputError("the spec has no mixture: give one dataset folder")
    if isinstance(dataset, Path) and not spec.has_mixture and not spec.stages:
        train, heldout = open_dataset(dataset)
        batch_sequences = spec.batch.sequences * spec.resources.num_processes
        order = BatchOrder(train, spec.batch.sequence_tokens, batch_sequences, spec.seed)
        return Data(train.vocab_size, order, heldout)
    sources = open_sources(spec, dataset)
    held_out = [(source.heldout, share) for source, share in _shares(spec, sources) if source.heldout]
    if not held_out:
        raise InputError("no part of the mixture holds anything out: widen its languages or buckets")
    vocab_size = held_out[0][0].vocab_size
    return Data(vocab_size, StageOrder(spec.plan, sources, spec.resources.num_processes, spec.seed), Joined(held_out))


def _shares(spec: TrainingSpec, sources: Mapping[Selection, Source]) -> list[tuple[Source, float]]:
    """Each source with its share of the whole run: one held-out text serves all stages, so that they compare."""
    if not spec.stages:
        return [(source, source.spec.weight) for source in sources.values()]
    shares = dict.fromkeys(sources, 0.0)
    for stage in spec.plan:
        parts = mixture_of(stage)
        for part in parts:
            of_stage = part.weight / sum(other.weight for other in parts)
            shares[part.selection] += of_stage * stage.num_steps * stage.tokens_per_step / spec.num_tokens
    return [(source, shares[selection]) for selection, source in sources.items()]


class Joined:
    """Several sources one after another, each as long as its weight says; what is too short is gone round."""

    def __init__(self, parts: Sequence[tuple[TokenSource, float]]) -> None:
        self._parts = [source for source, _ in parts]
        self.vocab_size = parts[0][0].vocab_size
        total, weights = sum(source.num_tokens for source, _ in parts), sum(weight for _, weight in parts)
        lengths = [max(1, round(total * weight / weights)) for _, weight in parts]
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.num_tokens = int(self._starts[-1])

    def window(self, start: int, length: int) -> tuple[Tokens, Tokens]:
        """Tokens and document numbers at [start, start + length), going round at the end.  (length,), (length,)"""
        found = []
        for number, at, many in self._parts_of(start, length):
            tokens, documents = self._parts[number].window(at, many)
            found.append((tokens, documents * len(self._parts) + number))  # no number belongs to two sources
        return np.concatenate([tokens for tokens, _ in found]), np.concatenate([documents for _, documents in found])

    def counted_window(self, start: int, length: int) -> npt.NDArray[np.bool_]:
        """Are the tokens at [start, start + length) to be learnt?  (length,)"""
        parts = self._parts_of(start, length)
        return np.concatenate([self._parts[number].counted_window(at, many) for number, at, many in parts])

    def _parts_of(self, start: int, length: int) -> Iterator[tuple[int, int, int]]:
        """(part, first token, tokens) of [start, start + length), going round at the end."""
        at, left = start % self.num_tokens, length
        while left:
            number = int(np.searchsorted(self._starts, at, side="right")) - 1
            many = min(left, int(self._starts[number + 1]) - at)
            yield number, at - int(self._starts[number]), many
            at, left = (at + many) % self.num_tokens, left - many


def open_dataset(folder: Path) -> tuple[TokenDataset, TokenDataset]:
    """The training and the held-out part of a dataset folder. Raises InputError when there is none or it is torn."""
    try:
        train_split, heldout_split = TokenDataset(folder, "train"), TokenDataset(folder, "heldout")
    except FileNotFoundError as error:
        raise InputError(f"{folder} is no dataset folder: {error.filename or error} is missing") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"dataset {folder} cannot be used: {error}") from error
    for part in (train_split, heldout_split):
        check_vocabulary(folder, part)
    return train_split, heldout_split
