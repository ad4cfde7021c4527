"""Batches by position: a batch index fixes its windows, on any number of processes.

The windows of the training tokens are shuffled anew for each epoch by (seed, epoch). A batch is a run of that order,
and a process takes its own part of each batch. So leaving batches out is nothing but counting on, and a resumed run
reads what the uninterrupted one would have read.

Shapes: N windows, T tokens of a sequence.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.data.mixture import SplitSource, TokenSource
from workers.training.errors import InputError
from workers.training.state import Place, TrainerState

Ints = npt.NDArray[np.int64]
IGNORED = -100
"""A target that is not counted: no loss hangs on it."""


@dataclass(slots=True, frozen=True)
class Sequences:
    """Packed sequences: inputs, what follows each of them, and the document of each input token. All (N, T) int64."""

    tokens: Tensor
    targets: Tensor
    """IGNORED where a token is not to be learnt."""
    documents: Tensor
    sources: Tensor | None = None
    """The source of each sequence, where there are several.  (N,) int64"""
    positions: Tensor | None = None
    """Where each input token stands in the training split of its dataset.  (N, T) int64"""


def read_text(source: TokenSource, start: int, length: int) -> tuple[Ints, Ints, Ints]:
    """`length` tokens from `start` on, what follows each of them, and the document of each.  3 x (length,)"""
    tokens, documents = source.window(start, length + 1)
    targets = np.where(source.counted_window(start + 1, length), tokens[1:], IGNORED)
    return tokens[:-1], targets, documents[:-1]


def read_windows(dataset: TokenSource, windows: Ints, sequence_tokens: int) -> Sequences:
    """The windows of these numbers; window n begins at token n * sequence_tokens."""
    rows = [read_text(dataset, int(n) * sequence_tokens, sequence_tokens) for n in windows]
    return Sequences(*(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)))


def counted_pairs(sequences: Sequences) -> tuple[Ints, Ints]:
    """Tokens and what follows them, where that is to be learnt.  2 x (n,)"""
    counted = sequences.targets != IGNORED
    return sequences.tokens[counted].numpy(), sequences.targets[counted].numpy()


def count_windows(dataset: TokenSource, sequence_tokens: int) -> int:
    """Whole windows in the split; each needs one token more than it has inputs."""
    return (dataset.num_tokens - 1) // sequence_tokens


class BatchOrder:
    """Which windows of one dataset each batch holds, in a run of one stage."""

    labels: tuple[str, ...] = ()
    """Names of the sources: there are no several."""

    def __init__(self, dataset: SplitSource, sequence_tokens: int, batch_sequences: int, seed: int) -> None:
        """`batch_sequences` is the size of a whole step: over all accumulated passes and all processes.

        Raises InputError when the dataset is too small for one batch.
        """
        self.dataset, self.seed = dataset, seed
        self.unit_tokens = self.sequence_tokens = sequence_tokens
        self.batch_sequences = batch_sequences
        self.num_windows = count_windows(dataset, sequence_tokens)
        if self.num_windows < batch_sequences:
            raise InputError(
                f"the dataset has {dataset.num_tokens:,} training tokens, one step needs "
                f"{batch_sequences} sequences of {sequence_tokens} = {batch_sequences * sequence_tokens:,}. "
                "Lower batch.sequence_tokens, batch.micro_batch_sequences or batch.accumulation, or add documents"
            )
        self.batches_per_epoch = self.num_windows // batch_sequences
        self._order: tuple[int, Ints] = (-1, np.empty(0, np.int64))

    def windows(self, index: int) -> Ints:
        """Window numbers of batch `index`, in their order."""
        epoch, slot = divmod(index, self.batches_per_epoch)
        if self._order[0] != epoch:
            shuffled = np.random.default_rng([self.seed, epoch]).permutation(self.num_windows)
            self._order = (epoch, shuffled.astype(np.int64))
        return self._order[1][slot * self.batch_sequences : (slot + 1) * self.batch_sequences]

    def part(self, place: Place, rank: int, num_ranks: int) -> Sequences:
        """The part of the batch at `place` that belongs to process `rank` of `num_ranks`."""
        size = self.batch_sequences // num_ranks
        windows = self.windows(place.number)[rank * size : (rank + 1) * size]
        sequences = read_windows(self.dataset, windows, self.sequence_tokens)
        starts = windows * self.sequence_tokens
        positions = np.stack([self.dataset.places(int(start), self.sequence_tokens) for start in starts])
        return replace(sequences, positions=torch.from_numpy(positions))

    def epochs(self, state: TrainerState) -> float:
        """How often the dataset was gone through."""
        return state.stage_batches[0] / self.batches_per_epoch

    def seen_windows(self, state: TrainerState) -> Ints:
        """Sorted window numbers of the batches taken, each once."""
        num_batches, left_out = state.stage_batches[0], state.left_out(0)
        if num_batches >= self.batches_per_epoch and not left_out:
            return np.arange(self.num_windows, dtype=np.int64)
        seen = [self.windows(index) for index in range(num_batches) if index not in left_out]
        return np.unique(np.concatenate(seen)) if seen else np.empty(0, np.int64)

    def seen(self, state: TrainerState) -> Iterator[tuple[TokenSource, Ints]]:
        """The dataset with what `seen_windows` gives; windows of `unit_tokens`."""
        yield self.dataset, self.seen_windows(state)

    def shares(self, state: TrainerState) -> dict[str, Any]:
        """Nothing to add to a summary: all tokens are of one source."""
        return {}
