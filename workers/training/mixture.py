"""Batches out of several dataset versions or parts of them, by weight.

Whose turn each sequence is hangs on its position alone (`workers.data.mixture`), and so does which window it is: each
source goes through its own windows, shuffled anew for each of its epochs by (seed, source, epoch).

Shapes: S sequences of a batch, K sources.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from workers.data.mixture import SelectedDocuments, TokenSource, Turns, check_tokenizers
from workers.data.shards import TokenDataset
from workers.specs.training import TrainingSpec
from workers.specs.training.mixture import MixtureSource
from workers.training.batches import Sequences, count_windows, read_windows
from workers.training.errors import InputError

Ints = npt.NDArray[np.int64]
WINDOWS_AT_ONCE = 256


@dataclass(slots=True)
class Source:
    """A source of the mixture, opened."""

    spec: MixtureSource
    train: TokenSource
    heldout: TokenSource | None
    """None: it holds nothing out."""


class MixtureOrder:
    """Which windows of which sources each batch holds; the same interface as `BatchOrder`."""

    def __init__(self, sources: list[Source], sequence_tokens: int, batch_sequences: int, seed: int) -> None:
        """Raises InputError when a source is shorter than one sequence."""
        self.sources, self.seed = sources, seed
        self.sequence_tokens, self.batch_sequences = sequence_tokens, batch_sequences
        self.windows_K = [count_windows(source.train, sequence_tokens) for source in sources]
        for source, num_windows in zip(sources, self.windows_K, strict=True):
            if not num_windows:
                raise InputError(
                    f"a source of the mixture ({source.spec.dataset[:19]}, {source.train.num_tokens} tokens) is "
                    f"shorter than one sequence of {sequence_tokens}: lower batch.sequence_tokens or leave it out"
                )
        self.turns = Turns([source.spec.weight for source in sources])
        self.batches_per_epoch = max(1, sum(self.windows_K) // batch_sequences)
        self._orders: dict[int, tuple[int, Ints]] = {}

    def windows(self, index: int) -> tuple[Ints, Ints]:
        """Sources and window numbers of batch `index`, in their order.  -> (S,), (S,)"""
        start = index * self.batch_sequences
        sources_S, before_S = self.turns.take(start, start + self.batch_sequences)
        windows_S = [self._window(int(k), int(n)) for k, n in zip(sources_S, before_S, strict=True)]
        return sources_S, np.array(windows_S, dtype=np.int64)

    def _window(self, source: int, turn: int) -> int:
        epoch, slot = divmod(turn, self.windows_K[source])
        if self._orders.get(source, (-1,))[0] != epoch:
            shuffled = np.random.default_rng([self.seed, source, epoch]).permutation(self.windows_K[source])
            self._orders[source] = (epoch, shuffled.astype(np.int64))
        return int(self._orders[source][1][slot])

    def part(self, index: int, rank: int, num_ranks: int) -> Sequences:
        """The part of batch `index` that belongs to process `rank` of `num_ranks`."""
        size = self.batch_sequences // num_ranks
        sources, windows = (part[rank * size : (rank + 1) * size] for part in self.windows(index))
        rows = [
            read_windows(self.sources[int(k)].train, np.array([window]), self.sequence_tokens)
            for k, window in zip(sources, windows, strict=True)
        ]
        return Sequences(*(torch.cat([getattr(r, n) for r in rows]) for n in ("tokens", "targets", "documents")))

    def seen(self, num_batches: int, skipped: list[tuple[int, int]]) -> Iterator[tuple[TokenSource, Ints]]:
        """Each source with the sorted window numbers that were seen, each once."""
        left_out = {index for start, stop in skipped for index in range(start, stop)}
        marks = [np.zeros(num_windows, dtype=np.bool_) for num_windows in self.windows_K]
        for index in range(num_batches):
            if index not in left_out:
                for source, window in zip(*self.windows(index), strict=True):
                    marks[source][window] = True
        for source, mark in zip(self.sources, marks, strict=True):
            yield source.train, np.flatnonzero(mark).astype(np.int64)

    def shares(self, num_batches: int, skipped: list[tuple[int, int]]) -> list[dict[str, Any]]:
        """What the first `num_batches` batches but those in `skipped` took from each source."""
        counts_K = self.turns.counts(num_batches * self.batch_sequences)
        left_out = sorted({index for start, stop in skipped for index in range(start, min(stop, num_batches))})
        for index in left_out:
            start = index * self.batch_sequences
            sources, _ = self.turns.take(start, start + self.batch_sequences)
            counts_K = counts_K - np.bincount(sources, minlength=len(self.sources))
        return [
            source.spec.model_dump(mode="json")
            | {"tokens": int(count) * self.sequence_tokens, "epochs": round(int(count) / num_windows, 4)}
            for source, count, num_windows in zip(self.sources, counts_K, self.windows_K, strict=True)
        ]


def open_mixture(spec: TrainingSpec, folders: Mapping[str, Path]) -> list[Source]:
    """The sources of a mixture, from the folder of each dataset version, by its digest.

    Raises InputError when a folder is missing or damaged, tokenizers differ, or a part is empty.
    """
    if missing := [digest for digest in spec.datasets if digest not in folders]:
        raise InputError(f"the mixture names {missing[0]}, and its folder is not given")
    try:
        check_tokenizers([folders[digest] for digest in spec.datasets])
        return [_open(source, folders[source.dataset]) for source in spec.mixture]
    except FileNotFoundError as error:
        raise InputError(f"a dataset of the mixture is no dataset folder: {error.filename or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"the mixture cannot be used: {error}") from error


def _open(source: MixtureSource, folder: Path) -> Source:
    train, heldout = TokenDataset(folder, "train"), TokenDataset(folder, "heldout")
    if not source.languages and not source.buckets:
        return Source(source, train, heldout)
    try:
        kept: TokenSource | None = SelectedDocuments(heldout, source.languages, source.buckets)
    except ValueError:  # a small part may hold nothing out: the others do
        kept = None
    return Source(source, SelectedDocuments(train, source.languages, source.buckets), kept)
