"""Which documents are held out: by hash of their id, and only if their text does not stand in others as well.

A manual comes as pages and once more as a PDF; dedup, which compares whole documents, keeps both. A page whose words
are in a training document would measure memory, so it goes to training instead (13-grams, as in GPT-3's check,
arXiv 2005.14165, appendix C).
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.curation.shingles import Shingler, Shingles

NGRAM = 13
MAX_COVERED = 0.5
"""Share of a document's 13-grams that may stand in other documents."""
_SPARE = 20
_WORD = re.compile(r"\w+")


@dataclass(slots=True, frozen=True)
class Candidate:
    """A document that may be held out."""

    id: str
    language: str
    rank: float
    """In [0, 1). The lowest are held out: as many as stand under the share."""


def id_hash(purpose: str, id_: str) -> int:
    """64 bits; a purpose of its own makes them independent of those for other purposes."""
    return int.from_bytes(hashlib.blake2b(f"{purpose}:{id_}".encode(), digest_size=8).digest(), "big")


def choose_heldout(
    documents: Sequence[tuple[str, str]], texts: Callable[[], Iterable[tuple[str, str]]], share: float
) -> set[str]:
    """Ids to hold out. `documents` are (id, language); `texts` gives (id, text) of all of them, and is read twice.

    About `share` of them, fewer where most texts repeat. In each language of at least two documents at least one (the
    one that repeats least, if need be), and never all.
    """
    groups = _candidates(documents, share)
    covered = _covered_shares({c.id for group in groups for c in group}, texts)
    chosen: set[str] = set()
    for group in groups:
        clean = [c for c in group if covered[c.id] <= MAX_COVERED]
        count = max(1, sum(c.rank < share for c in group))
        chosen.update(c.id for c in clean[:count] or [min(group, key=lambda c: (covered[c.id], c.rank))])
    return chosen


def _candidates(documents: Sequence[tuple[str, str]], share: float) -> list[list[Candidate]]:
    """By language, in the order of their ranks: those under the share and some to spare, but not all documents."""
    by_language: dict[str, list[Candidate]] = defaultdict(list)
    for id_, language in documents:
        by_language[language].append(Candidate(id_, language, id_hash("heldout", id_) / 2**64))
    groups = [sorted(group, key=lambda c: c.rank) for group in by_language.values()]
    if all(len(group) == 1 for group in groups):  # one document in each language: hold one of all out
        groups = [sorted((c for group in groups for c in group), key=lambda c: c.rank)]
    return [
        group[: min(max(_SPARE, 2 * sum(c.rank < share for c in group)), len(group) - 1)]
        for group in groups
        if len(group) > 1
    ]


def _covered_shares(candidates: set[str], texts: Callable[[], Iterable[tuple[str, str]]]) -> dict[str, float]:
    """For each candidate, the share of its 13-grams that stand in another document, candidate or not."""
    shingler = Shingler(NGRAM)
    own: dict[str, Shingles] = {id_: _shingles(shingler, text) for id_, text in texts() if id_ in candidates}
    known = np.unique(np.concatenate([*own.values(), np.zeros(0, dtype=np.uint64)]))
    counts: npt.NDArray[np.int64] = np.zeros(len(known) + 1, dtype=np.int64)
    for id_, text in texts():
        shingles = own[id_] if id_ in own else _shingles(shingler, text)
        places = np.searchsorted(known, shingles)
        found = places[known[np.minimum(places, len(known) - 1)] == shingles]
        counts[found] += 1
    return {id_: float(np.mean(counts[np.searchsorted(known, shingles)] > 1)) for id_, shingles in own.items()}


def _shingles(shingler: Shingler, text: str) -> Shingles:
    return shingler.shingles(_WORD.findall(text))
