"""Batches by position: a batch index fixes its windows, on any number of processes.

The windows of the training tokens are shuffled anew for each epoch by (seed, epoch). A batch is a run of that order,
and a process takes its own part of each batch. So leaving batches out is nothing but counting on, and a resumed run
reads what the uninterrupted one would have read.

Shapes: N windows, T tokens of a sequence.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.data.mixture import TokenSource
from workers.training.errors import InputError


@dataclass(slots=True, frozen=True)
class Sequences:
    """Packed sequences: inputs, what follows each of them, and the document of each input token. All (N, T) int64."""

    tokens: Tensor
    targets: Tensor
    documents: Tensor


def read_windows(dataset: TokenSource, windows: npt.NDArray[np.int64], sequence_tokens: int) -> Sequences:
    """The windows of these numbers; window n begins at token n * sequence_tokens."""
    pairs = [dataset.window(int(n) * sequence_tokens, sequence_tokens + 1) for n in windows]
    tokens = torch.from_numpy(np.stack([tokens for tokens, _ in pairs]))
    documents = torch.from_numpy(np.stack([documents for _, documents in pairs]))
    return Sequences(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), documents[:, :-1].contiguous())


def count_windows(dataset: TokenSource, sequence_tokens: int) -> int:
    """Whole windows in the split; each needs one token more than it has inputs."""
    return (dataset.num_tokens - 1) // sequence_tokens


class BatchOrder:
    """Which windows each batch holds."""

    def __init__(self, dataset: TokenSource, sequence_tokens: int, batch_sequences: int, seed: int) -> None:
        """`batch_sequences` is the size of a whole step: over all accumulated passes and all processes.

        Raises InputError when the dataset is too small for one batch.
        """
        self.dataset, self.seed = dataset, seed
        self.sequence_tokens, self.batch_sequences = sequence_tokens, batch_sequences
        self.num_windows = count_windows(dataset, sequence_tokens)
        if self.num_windows < batch_sequences:
            raise InputError(
                f"the dataset has {dataset.num_tokens:,} training tokens, one step needs "
                f"{batch_sequences} sequences of {sequence_tokens} = {batch_sequences * sequence_tokens:,}. "
                "Lower batch.sequence_tokens, batch.micro_batch_sequences or batch.accumulation, or add documents"
            )
        self.batches_per_epoch = self.num_windows // batch_sequences
        self._order: tuple[int, npt.NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def windows(self, index: int) -> npt.NDArray[np.int64]:
        """Window numbers of batch `index`, in their order."""
        epoch, slot = divmod(index, self.batches_per_epoch)
        if self._order[0] != epoch:
            shuffled = np.random.default_rng([self.seed, epoch]).permutation(self.num_windows)
            self._order = (epoch, shuffled.astype(np.int64))
        return self._order[1][slot * self.batch_sequences : (slot + 1) * self.batch_sequences]

    def part(self, index: int, rank: int, num_ranks: int) -> Sequences:
        """The part of batch `index` that belongs to process `rank` of `num_ranks`."""
        size = self.batch_sequences // num_ranks
        return read_windows(self.dataset, self.windows(index)[rank * size : (rank + 1) * size], self.sequence_tokens)

    def seen_windows(self, num_batches: int, skipped: list[tuple[int, int]]) -> npt.NDArray[np.int64]:
        """Sorted window numbers of the first `num_batches` batches but those in `skipped`, each once."""
        if num_batches >= self.batches_per_epoch and not skipped:
            return np.arange(self.num_windows, dtype=np.int64)
        left_out = {index for start, stop in skipped for index in range(start, stop)}
        seen = [self.windows(index) for index in range(num_batches) if index not in left_out]
        return np.unique(np.concatenate(seen)) if seen else np.empty(0, np.int64)

    def seen(
        self, num_batches: int, skipped: list[tuple[int, int]]
    ) -> Iterator[tuple[TokenSource, npt.NDArray[np.int64]]]:
        """The dataset with what `seen_windows` gives."""
        yield self.dataset, self.seen_windows(num_batches, skipped)
