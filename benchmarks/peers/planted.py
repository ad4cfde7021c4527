"""A million passages with known near-duplicates: sentences of real pages put together anew, some of them copied with
words replaced. What a copy has in common with its original is counted, not guessed."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from peers.passages import passages
from peers.sketches import shingles

COPIES = 0.2
"""Share of passages that are copies."""
REPLACED = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08)
"""Shares of words that are replaced in a copy."""
_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")
_MIN_WORDS, _MAX_WORDS, _PASSAGE_WORDS = 8, 40, 100


@dataclass(slots=True, frozen=True)
class Pair:
    """A copy and its original, by number of passage, and their Jaccard similarity over word 5-grams."""

    copy: int
    original: int
    similarity: float


def sentences(home: Path) -> list[str]:
    """Different sentences of the corpora, each with enough words to be told from others."""
    found: dict[str, None] = {}
    for _, text in passages(home, 400, step=3):
        for sentence in _SENTENCE.split(text):
            if _MIN_WORDS <= len(sentence.split()) <= _MAX_WORDS:
                found[" ".join(sentence.split())] = None
    return list(found)


def write_planted(home: Path, count: int, path: Path) -> list[Pair]:
    """Write `count` passages, one a line; the pairs that were planted. The same for the same corpora and count."""
    rng = random.Random(count)
    pool = sentences(home)
    words = sorted({word for sentence in pool[:20_000] for word in sentence.split()})
    originals: list[tuple[int, str]] = []
    pairs = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            if originals and rng.random() < COPIES:
                at, original = rng.choice(originals)
                text = _replace(original, rng.choice(REPLACED), words, rng)
                left, right = shingles(original), shingles(text)
                pairs.append(Pair(number, at, len(left & right) / len(left | right)))
            else:
                text = _put_together(pool, rng)
                if len(originals) < 200_000:  # memory is for the measured
                    originals.append((number, text))
            file.write(text + "\n")
    return pairs


def _put_together(pool: list[str], rng: random.Random) -> str:
    chosen: list[str] = []
    count = 0
    while count < _PASSAGE_WORDS:
        chosen.append(rng.choice(pool))
        count += len(chosen[-1].split())
    return " ".join(chosen)


def _replace(text: str, share: float, words: list[str], rng: random.Random) -> str:
    return " ".join(rng.choice(words) if rng.random() < share else word for word in text.split())
