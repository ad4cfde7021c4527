"""Parts of datasets, and whose turn it is in a mixture of them.

The order of turns is Tijdeman's (The chairman assignment problem, Discrete Mathematics 32, 1980): after any number n
of sequences each of k sources has had its weight of n within 1 - 1/(2k - 2), the least that is possible. So over any
window of n sequences it is within 1 for two sources, and below 2 for more. A random draw would be off by about
sqrt(n) / 2. The order hangs on the weights alone, so a position is all that a resumed run needs.

Shapes: K sources, N turns, D documents.
"""

from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from workers.data.shards import TokenDataset, Tokens
from workers.storage import file_sha256

Ints = npt.NDArray[np.int64]
_UNIT = 1 << 30
"""Weights are whole numbers that add up to this, so that rounding does not build up over turns (up to 2^32 of them)."""
_SNAPSHOT_TURNS = 1 << 16


class TokenSource(Protocol):
    """Tokens of a split or of a part of it."""

    vocab_size: int
    num_tokens: int

    def window(self, start: int, length: int) -> tuple[Tokens, Tokens]:
        """Tokens and document numbers at [start, start + length), going round at the end."""
        ...

    def counted_window(self, start: int, length: int) -> npt.NDArray[np.bool_]:
        """Are the tokens at [start, start + length) to be learnt?"""
        ...


class SplitSource(TokenSource, Protocol):
    """Tokens that all stand in one split, at positions that are known."""

    def places(self, start: int, length: int) -> Tokens:
        """Positions in the split of the tokens at [start, start + length), going round at the end."""
        ...


class SelectedDocuments:
    """The documents of a split in some languages and quality buckets, one after another, as if they were all."""

    def __init__(self, dataset: TokenDataset, languages: Collection[str], buckets: Collection[int]) -> None:
        """Empty collections select all. Raises ValueError when nothing is left, or the version knows no origins."""
        self._dataset = dataset
        self.vocab_size = dataset.vocab_size
        chosen_D = np.ones(len(dataset.document_starts), dtype=np.bool_)
        if languages:
            chosen_D &= np.isin(
                dataset.origins["language"], np.array([name.encode() for name in languages], dtype="S3")
            )
        if buckets:
            chosen_D &= np.isin(dataset.origins["bucket"], np.array(list(buckets), dtype=np.int64))
        ends_D = np.append(dataset.document_starts[1:], dataset.num_tokens)
        self._documents = np.flatnonzero(chosen_D)
        self._begins = dataset.document_starts[chosen_D]
        lengths = ends_D[chosen_D] - self._begins
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.num_tokens = int(self._starts[-1])
        if not self.num_tokens:
            wanted = [f"language {', '.join(languages)}"] * bool(languages)
            wanted += [f"quality bucket {', '.join(map(str, buckets))}"] * bool(buckets)
            raise ValueError(f"{dataset.folder}: the {dataset.split} part has no document of {' and '.join(wanted)}")

    def window(self, start: int, length: int) -> tuple[Tokens, Tokens]:
        """Tokens and document numbers at [start, start + length), going round at the end.  (length,), (length,)"""
        places, here = self._find(start, length)
        return self._dataset.read(places), self._documents[here]

    def counted_window(self, start: int, length: int) -> npt.NDArray[np.bool_]:
        """Are the tokens at [start, start + length) to be learnt? Going round at the end.  (length,)"""
        return self._dataset.counted(self._find(start, length)[0])

    def places(self, start: int, length: int) -> Tokens:
        """Positions in the split of the tokens at [start, start + length), going round at the end.  (length,)"""
        return self._find(start, length)[0]

    def _find(self, start: int, length: int) -> tuple[Ints, Ints]:
        """Positions in the split, and number among the chosen documents, of the tokens there.  2 x (length,)"""
        places = np.arange(start, start + length, dtype=np.int64) % self.num_tokens
        here = np.searchsorted(self._starts, places, side="right") - 1
        return self._begins[here] + places - self._starts[here], here


class Turns:
    """Whose turn each sequence is. Positions may be asked for in any order; those that follow are quickest."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights_K = _whole_weights(weights)
        self._counts_K = np.zeros(len(weights), dtype=np.int64)
        self._position = 0
        self._snapshots = [self._counts_K.copy()]

    def take(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """For the turns [start, stop): the source, and how many turns it had before.  -> (N,), (N,)"""
        self._go_to(start)
        sources, before = self._run(stop - start)
        return sources, before

    def counts(self, position: int) -> Ints:
        """Turns of each source before `position`.  -> (K,)"""
        self._go_to(position)
        return self._counts_K.copy()

    def _go_to(self, position: int) -> None:
        if not 0 <= position - self._position < _SNAPSHOT_TURNS:
            number = min(position // _SNAPSHOT_TURNS, len(self._snapshots) - 1)
            if position < self._position or number * _SNAPSHOT_TURNS > self._position:
                self._counts_K, self._position = self._snapshots[number].copy(), number * _SNAPSHOT_TURNS
        while self._position < position:
            self._run(min(position - self._position, _SNAPSHOT_TURNS))

    def _run(self, num_turns: int) -> tuple[Ints, Ints]:
        """The next turns; keeps the counts at each multiple of the snapshots' distance."""
        sources, before = np.empty(num_turns, np.int64), np.empty(num_turns, np.int64)
        done, assign = 0, _compiled()
        while done < num_turns:
            many = min(num_turns - done, _SNAPSHOT_TURNS - self._position % _SNAPSHOT_TURNS)
            part = slice(done, done + many)
            assign(self.weights_K, _UNIT, self._position, self._counts_K, sources[part], before[part])
            self._position, done = self._position + many, done + many
            if self._position == len(self._snapshots) * _SNAPSHOT_TURNS:
                self._snapshots.append(self._counts_K.copy())
        return sources, before


@cache
def _compiled() -> Callable[..., None]:
    """`_assign`, compiled; numba takes half a second to import, which a run without a mixture does without."""
    from numba import njit

    compiled: Callable[..., None] = njit(cache=True)(_assign)
    return compiled


def _assign(
    weights_K: Ints, unit: int, position: int, counts_K: Ints, sources_N: Ints, before_N: Ints
) -> None:  # pragma: no cover  compiled
    """Tijdeman's rule: of those whose lag reached the bound, the one that would first be too late."""
    num_sources = len(weights_K)
    parts = max(2 * num_sources - 2, 1)
    for i in range(len(sources_N)):
        n = position + i + 1
        best, best_slack = 0, np.inf
        for k in range(num_sources):
            lag = weights_K[k] * n - counts_K[k] * unit  # turns that are due to it, times `unit`
            if lag * parts >= unit:
                slack = (unit * (parts - 1) - lag * parts) / weights_K[k]
                if slack < best_slack:
                    best, best_slack = k, slack
        sources_N[i], before_N[i] = best, counts_K[best]
        counts_K[best] += 1


def _whole_weights(weights: Sequence[float]) -> Ints:
    """Whole numbers that add up to _UNIT, by largest remainder; none is zero."""
    shares = np.array(weights, dtype=np.float64)
    if not len(shares) or not np.isfinite(shares).all() or (shares <= 0).any():
        raise ValueError(f"weights must be above 0, not {list(weights)}")
    shares = shares / shares.sum() * _UNIT
    whole = np.maximum(np.floor(shares).astype(np.int64), 1)
    missing = _UNIT - int(whole.sum())
    order = np.argsort(-(shares - whole), kind="stable")
    whole[order[: max(missing, 0)]] += 1
    whole[int(np.argmax(whole))] += min(missing, 0)
    return whole


def check_tokenizers(folders: Collection[Path]) -> None:
    """Raises ValueError when dataset folders were tokenized by different tokenizers."""
    digests = {folder: file_sha256(folder / "tokenizer.json") for folder in folders}
    if len(set(digests.values())) > 1:
        shown = "; ".join(f"{folder.name[:16]}: {digest[:12]}" for folder, digest in digests.items())
        raise ValueError(
            f"the datasets of a mixture need one tokenizer, these have several ({shown}). "
            "Curate the others again with `tokenizer.dataset` set to the digest of the first"
        )
