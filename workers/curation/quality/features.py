"""Texts -> feature vectors: hashed n-grams of length 1, weighted by log frequency and rarity, and a dense part.

Legend: N documents, S shape figures, V hash buckets, E entries of all documents.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.curation.quality import ngrams
from workers.specs.curation.quality import HashedNgrams

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHAPE_FIGURES = (
    "log_chars", "log_chars_squared", "log_words", "log_lines", "log_words_per_line", "mean_word_chars",
    "letters", "digits", "uppers", "marks", "log_words_per_sentence", "ended_lines",
)  # fmt: skip
"""What `shape_figures` gives, in its order."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Counted n-grams of N documents by rows (CSR), and their shapes."""

    starts: Ints
    """(N + 1,): where each document's entries begin."""
    slots: npt.NDArray[np.int32]
    """(E,): hash buckets."""
    counts: npt.NDArray[np.float32]
    """(E,)"""
    shape: Floats
    """(N, S)"""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, chosen: Ints) -> "Rows":
        """Those documents, in that order."""
        lengths = np.diff(self.starts)[chosen]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        entries = np.repeat(self.starts[chosen] - starts[:-1], lengths) + np.arange(starts[-1])
        return Rows(starts, self.slots[entries], self.counts[entries], self.shape[chosen])


class Counter:
    """Counts the n-grams of one text after another. One a thread: it keeps its table of counts."""

    def __init__(self, spec: HashedNgrams) -> None:
        self.spec = spec
        self.counts_V = np.zeros(1 << spec.num_buckets_log2, dtype=np.float32)
        size = ngrams.max_slots(spec.max_chars, spec.word_ngrams, len(spec.char_ngrams))
        self.slots = np.empty(min(len(self.counts_V), size), dtype=np.int64)
        self._lengths = np.array(sorted(set(spec.char_ngrams)), dtype=np.int64)
        self._classes, self._lowers = ngrams.tables()

    def count(self, text: str) -> tuple[Ints, Floats]:
        """(touched buckets, shape figures); the counts stand in `counts_V` until `clear` or `score_slots`."""
        codes = ngrams.code_points(text, self.spec.max_chars)
        number = ngrams.count_ngrams(
            codes, self._classes, self._lowers, self.spec.word_ngrams, self._lengths, self.counts_V, self.slots
        )
        return self.slots[:number], self.shape(codes)

    def shape(self, codes: ngrams.Codes) -> Floats:
        """The shape figures; none when the spec has none."""
        if not self.spec.shape:
            return np.zeros(0)
        return shape_figures(ngrams.measure_shape(codes, self._classes, self._lowers))

    def clear(self, slots: Ints) -> None:
        """Set the counts of these buckets back to zero."""
        self.counts_V[slots] = 0


def shape_figures(counts: Floats) -> Floats:
    """(S,): the figures of `SHAPE_FIGURES` from what `ngrams.measure_shape` counted. All are finite."""
    chars, words, lines = counts[ngrams.CHARS], counts[ngrams.WORDS], counts[ngrams.LINES]
    letters, digits = counts[ngrams.LETTERS], counts[ngrams.DIGITS]
    visible = max(1.0, letters + digits + counts[ngrams.MARKS])
    log_chars = np.log1p(chars)
    return np.array(
        [
            log_chars,
            log_chars**2,
            np.log1p(words),
            np.log1p(lines),
            np.log1p(words / max(1.0, lines)),
            (letters + digits) / max(1.0, words),
            letters / visible,
            digits / visible,
            counts[ngrams.UPPERS] / max(1.0, letters),
            counts[ngrams.MARKS] / visible,
            np.log1p(words / max(1.0, counts[ngrams.SENTENCES])),
            counts[ngrams.ENDED_LINES] / max(1.0, lines),
        ]
    )


def count_rows(spec: HashedNgrams, texts: Sequence[str], progress: Callable[[int], None] = lambda done: None) -> Rows:
    """The n-grams and shapes of all texts."""
    counter = Counter(spec)
    slots, counts, shapes, lengths = [], [], [], [0]
    for number, text in enumerate(texts, start=1):
        touched, shape = counter.count(text)
        slots.append(touched.astype(np.int32))
        counts.append(counter.counts_V[touched])
        counter.clear(touched)
        shapes.append(shape)
        lengths.append(len(touched))
        progress(number)
    return Rows(
        np.cumsum(np.array(lengths, dtype=np.int64)),
        np.concatenate(slots) if slots else np.zeros(0, np.int32),
        np.concatenate(counts) if counts else np.zeros(0, np.float32),
        np.array(shapes).reshape(len(texts), -1),
    )


def rarity(rows: Rows, num_buckets: int, min_documents: int = 2) -> npt.NDArray[np.float32]:
    """(V,): log(N / documents with the bucket) + 1; 0 for buckets in fewer than `min_documents`, which tell nothing.

    Inverse document frequency: Spärck Jones 1972.
    """
    documents = np.bincount(rows.slots, minlength=num_buckets)
    known = documents >= min(min_documents, len(rows))
    values = np.zeros(num_buckets, dtype=np.float32)
    values[known] = np.log(len(rows) / documents[known]) + 1
    return values
