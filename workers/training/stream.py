"""One source as an endless stream of tokens, read by stages one after another, at whatever sequence length.

An epoch of the stream is the source's text in blocks, shuffled anew for each epoch by (seed, source, epoch); a block is
as long as the longest sequence that any stage reads from it, so that long sequences are whole stretches of text. A
position is all that a stage leaves to the next: what it has not read is what comes next.

Shapes: T tokens of a sequence.
"""

from dataclasses import replace

import numpy as np
import torch

from workers.data.mixture import SplitSource
from workers.training.batches import Ints, Sequences, read_text
from workers.training.errors import InputError


class Stream:
    """The stream of a source. Units are the tokens of the shortest sequence: all positions are multiples of it."""

    def __init__(self, source: SplitSource, label: str, unit_tokens: int, block_tokens: int, seed: list[int]) -> None:
        """Raises InputError when the source is shorter than a block."""
        self.source, self.unit_tokens, self._seed = source, unit_tokens, seed
        self._block_units = block_tokens // unit_tokens
        self.num_units = (source.num_tokens - 1) // unit_tokens  # each needs one token more than it has inputs
        if self.num_units < self._block_units:
            raise InputError(
                f"a source of the mixture ({label}, {source.num_tokens} tokens) is shorter than one sequence of "
                f"{block_tokens}: lower batch.sequence_tokens or leave it out"
            )
        self._epoch = -1
        self._starts = self._ends = np.empty(0, np.int64)

    def pieces(self, position: int, length: int) -> list[tuple[int, int]]:
        """Where [position, position + length) of the stream lies in the source: (first token, tokens) of each piece.

        Both count tokens and are multiples of the unit.
        """
        at, left, found = position // self.unit_tokens, length // self.unit_tokens, list[tuple[int, int]]()
        while left:
            epoch, unit = divmod(at, self.num_units)
            self._shuffle(epoch)
            block = int(np.searchsorted(self._ends, unit, side="right"))
            begin = int(self._ends[block - 1]) if block else 0
            many = min(left, int(self._ends[block]) - unit)
            found.append(((int(self._starts[block]) + unit - begin) * self.unit_tokens, many * self.unit_tokens))
            at, left = at + many, left - many
        return found

    def _shuffle(self, epoch: int) -> None:
        """Order of the blocks of an epoch: where each starts in the source and ends in the stream, in units."""
        if epoch == self._epoch:
            return
        starts = np.arange(0, self.num_units, self._block_units, dtype=np.int64)
        sizes = np.minimum(self._block_units, self.num_units - starts)
        order = np.random.default_rng([*self._seed, epoch]).permutation(len(starts))
        self._epoch, self._starts, self._ends = epoch, starts[order], np.cumsum(sizes[order])

    def sequence(self, position: int, length: int) -> Sequences:
        """The sequence at a position.  4 x (1, T)"""
        pieces = self.pieces(position, length)
        places = np.concatenate([self.source.places(start, many) for start, many in pieces])[None]
        sequence = join([read_text(self.source, start, many) for start, many in pieces])
        return replace(sequence, positions=torch.from_numpy(places))

    def mark(self, seen: np.ndarray, position: int, length: int) -> None:
        """Set the units of [position, position + length) in `seen`, which has one flag for each unit of the source."""
        for start, many in self.pieces(position, length):
            seen[start // self.unit_tokens : (start + many) // self.unit_tokens] = True


def join(pieces: list[tuple[Ints, Ints, Ints]]) -> Sequences:
    """Pieces of text as one sequence. A document that goes on over a border does not go on in what follows it here."""
    tokens, targets, documents = (np.concatenate(parts)[None] for parts in zip(*pieces, strict=True))
    if len(pieces) > 1:
        begins = np.cumsum([len(piece[0]) for piece in pieces])[:-1]
        changes = np.zeros(documents.shape[1], dtype=np.bool_)
        changes[1:] = documents[0, 1:] != documents[0, :-1]
        changes[begins] = True
        documents = np.cumsum(changes, dtype=np.int64)[None]
    return Sequences(*(torch.from_numpy(part) for part in (tokens, targets, documents)))
