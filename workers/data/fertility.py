"""How a tokenizer cuts a language: tokens and bytes a word, and the share of words that it splits (fertility).

Rust and others, "How Good is Your Tokenizer?" (arXiv 2012.15613), section 4.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.data.tokenizer import Tokenizer

_WORD = re.compile(r"\w+")
_BATCH = 64


@dataclass(slots=True)
class _Count:
    """Of one language."""

    words: int = 0
    split_words: int = 0
    tokens: int = 0
    num_bytes: int = 0

    def figures(self) -> dict[str, float | int]:
        """Ratios to four digits; a language without words has none."""
        if not self.words:
            return {"words": 0}
        return {
            "words": self.words,
            "tokens_per_word": round(self.tokens / self.words, 4),
            "bytes_per_token": round(self.num_bytes / self.tokens, 4),
            "split_word_share": round(self.split_words / self.words, 4),
        }


def measure_fertility(
    tokenizer: Tokenizer, texts: Iterable[tuple[str, str]], max_chars_per_language: int = 2_000_000
) -> dict[str, dict[str, Any]]:
    """By language: `words`, `tokens_per_word`, `bytes_per_token`, `split_word_share`.

    `texts` are (language, text), best those the tokenizer was not trained on. Tokens of blanks and punctuation count;
    no end tokens do. Of each language the first `max_chars_per_language` are looked at.
    """
    counts: dict[str, _Count] = defaultdict(_Count)
    left: dict[str, int] = defaultdict(lambda: max_chars_per_language)
    batch: list[tuple[str, str]] = []
    for language, text in texts:
        shown = text[: left[language]]
        left[language] -= len(shown)
        if shown:
            batch.append((language, shown))
        if len(batch) == _BATCH:
            _count(tokenizer, batch, counts)
            batch = []
    _count(tokenizer, batch, counts)
    return {language: counts[language].figures() for language in sorted(counts)}


def _count(tokenizer: Tokenizer, batch: list[tuple[str, str]], counts: dict[str, _Count]) -> None:
    encodings = tokenizer.fast.encode_batch([text for _, text in batch], add_special_tokens=False)
    for (language, text), encoding in zip(batch, encodings, strict=True):
        count = counts[language]
        count.tokens += len(encoding.ids)
        count.num_bytes += len(text.encode("utf-8"))
        words = np.array([match.span() for match in _WORD.finditer(text)], dtype=np.int64).reshape(-1, 2)
        offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        # A token belongs to each word that it overlaps; the blank before a word is part of its first token.
        first = np.searchsorted(offsets[:, 1], words[:, 0], side="right")
        after = np.searchsorted(offsets[:, 0], words[:, 1], side="left")
        count.words += len(words)
        count.split_words += int(np.count_nonzero(after - first > 1))
