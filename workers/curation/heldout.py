"""Which documents are held out: by hash of their id, and only if their text does not stand in others as well.

A manual comes as pages and once more as a PDF; dedup, which compares whole documents, keeps both. A page whose words
are in a training document would measure memory, so it goes to training instead (13-grams, as in GPT-3's check,
arXiv 2005.14165, appendix C).

Shapes: N documents.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from workers.curation.shingles import Shingler, Shingles

NGRAM = 13
MAX_COVERED = 0.5
"""Share of a document's 13-grams that may stand in other documents."""
Rows = npt.NDArray[np.int64]
Texts = Callable[[Iterable[int]], Iterator[str]]
"""Texts of documents, by their numbers."""

_SPARE = 20
_MAX_SHINGLES = 1 << 24
"""13-grams of candidates that are held in memory (8 bytes each); of more, an even sample."""
_BYTES_PER_WORD = 6
_MIX = np.uint64(0xD6E8FEB86659FD93)
_WORD = re.compile(r"\w+")


def id_hash(purpose: str, id_: str) -> int:
    """64 bits; a purpose of its own makes them independent of those for other purposes."""
    return int.from_bytes(hashlib.blake2b(f"{purpose}:{id_}".encode(), digest_size=8).digest(), "big")


def choose_heldout(
    languages_N: npt.NDArray[np.integer],
    ranks_N: npt.NDArray[np.uint64],
    bytes_N: npt.NDArray[np.integer],
    texts: Texts,
    share: float,
) -> npt.NDArray[np.bool_]:
    """Which documents to hold out.  -> (N,)

    `ranks_N` are 64-bit hashes of the ids; the lowest are held out. About `share` of all, fewer where most texts
    repeat. In each language of at least two documents at least one (the one that repeats least, if need be), and
    never all.
    """
    groups = _candidates(languages_N, ranks_N, share)
    candidates = np.sort(np.concatenate(groups))
    covered = dict(zip(candidates.tolist(), _covered_shares(candidates, len(ranks_N), bytes_N, texts), strict=True))
    chosen = np.zeros(len(ranks_N), dtype=np.bool_)
    for group in groups:
        clean = [row for row in group.tolist() if covered[row] <= MAX_COVERED]
        count = max(1, int((ranks_N[group] / 2.0**64 < share).sum()))
        chosen[clean[:count] or [min(group.tolist(), key=lambda row: (covered[row], int(ranks_N[row])))]] = True
    return chosen


def _candidates(languages_N: npt.NDArray[np.integer], ranks_N: npt.NDArray[np.uint64], share: float) -> list[Rows]:
    """By language, in the order of their ranks: those under the share and some to spare, but not all documents."""
    order = np.argsort(ranks_N, kind="stable")
    groups = [order[languages_N[order] == language] for language in np.unique(languages_N)]
    if all(len(group) == 1 for group in groups):  # one document in each language: hold one of all out
        groups = [order]
    return [
        group[: min(max(_SPARE, 2 * int((ranks_N[group] / 2.0**64 < share).sum())), len(group) - 1)]
        for group in groups
        if len(group) > 1
    ]


def _covered_shares(
    candidates: Rows, num_documents: int, bytes_N: npt.NDArray[np.integer], texts: Texts
) -> list[float]:
    """For each candidate, the share of its 13-grams that stand in another document, candidate or not."""
    shingler = Shingler(NGRAM)
    every = 1 + int(bytes_N[candidates].sum()) // (_BYTES_PER_WORD * _MAX_SHINGLES)
    own = [_thinned(_shingles(shingler, text), every) for text in texts(candidates)]
    known = np.unique(np.concatenate(own))
    counts: npt.NDArray[np.uint8] = np.zeros(len(known), dtype=np.uint8)
    for text in texts(range(num_documents)):
        shingles = _shingles(shingler, text)
        places = np.minimum(np.searchsorted(known, shingles), len(known) - 1)
        found = places[known[places] == shingles]
        counts[found] = np.minimum(counts[found], 1) + 1  # once, or more than once
    return [float(np.mean(counts[np.searchsorted(known, shingles)] > 1)) for shingles in own]


def _thinned(shingles: Shingles, every: int) -> Shingles:
    """An even sample, by a hash of the 13-gram, so that equal ones are in all samples or in none; never empty."""
    if every == 1:
        return shingles
    hashes = (shingles * _MIX) >> np.uint64(32)
    kept = shingles[hashes % np.uint64(every) == 0]
    return kept if len(kept) else shingles[[int(np.argmin(hashes))]]


def _shingles(shingler: Shingler, text: str) -> Shingles:
    return shingler.shingles(_WORD.findall(text))
