"""What a training run reads: one dataset version, or a mixture of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workers.data.mixture import TokenSource
from workers.data.shards import TokenDataset, Tokens
from workers.specs.training import TrainingSpec
from workers.training.batches import BatchOrder
from workers.training.errors import InputError
from workers.training.mixture import MixtureOrder, open_mixture

Folders = Path | Mapping[str, Path]
"""The folder of the dataset; for a mixture the folder of each version, by its digest."""


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
    order: BatchOrder | MixtureOrder
    heldout: TokenSource


def open_data(spec: TrainingSpec, dataset: Folders) -> Data:
    """Open it. Raises InputError for what is missing, torn, empty, or does not go together."""
    length, batch_sequences = spec.batch.sequence_tokens, spec.tokens_per_step // spec.batch.sequence_tokens
    if isinstance(dataset, Path):
        if spec.mixture:
            raise InputError("the spec has a mixture: give the folder of each of its versions as DIGEST=FOLDER")
        train, heldout = open_dataset(dataset)
        return Data(train.vocab_size, BatchOrder(train, length, batch_sequences, spec.seed), heldout)
    if not spec.mixture:
        raise InputError("the spec has no mixture: give one dataset folder")
    sources = open_mixture(spec, dataset)
    for source in sources:
        check_vocabulary(dataset[source.spec.dataset], source.train)
    held_out = [(source.heldout, source.spec.weight) for source in sources if source.heldout]
    if not held_out:
        raise InputError("no part of the mixture holds anything out: widen its languages or buckets")
    order = MixtureOrder(sources, length, batch_sequences, spec.seed)
    return Data(sources[0].train.vocab_size, order, Joined(held_out))


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
        found, at, left = [], start % self.num_tokens, length
        while left:
            number = int(np.searchsorted(self._starts, at, side="right")) - 1
            many = min(left, int(self._starts[number + 1]) - at)
            tokens, documents = self._parts[number].window(at - int(self._starts[number]), many)
            found.append((tokens, documents * len(self._parts) + number))  # no number belongs to two sources
            at, left = (at + many) % self.num_tokens, left - many
        return np.concatenate([tokens for tokens, _ in found]), np.concatenate([documents for _, documents in found])


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


def check_vocabulary(folder: Path, part: TokenSource) -> None:
    """Raises InputError when the first million tokens hold one that the vocabulary has not."""
    largest = int(part.window(0, min(part.num_tokens, 1 << 20))[0].max())
    if largest >= part.vocab_size:
        raise InputError(
            f"dataset {folder} has token {largest}, its vocabulary ends at {part.vocab_size - 1}: "
            "it was made with another tokenizer"
        )
