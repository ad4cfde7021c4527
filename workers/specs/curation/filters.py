"""Filters: each keeps a document, or drops it with a reason and the figure that decided.

Every filter may be limited to some languages; an empty list means all.
Parameters: datatrove 0.10.1 `examples/fineweb.py`, arXiv 2406.17557 (FineWeb), arXiv 2506.20920 (FineWeb-2).
"""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Language, Spec
from workers.specs.curation.blocklists import BlockedWords, Url
from workers.specs.curation.decontamination import Decontamination
from workers.specs.curation.quality import QualityScore

Share = Annotated[float, Field(ge=0, le=1)]


class _Filter(Spec):
    languages: list[Language] = Field(default_factory=list)
    """Languages it judges; empty: all."""


class GopherRepetition(_Filter):
    """Repeated lines, paragraphs and n-grams (Gopher, arXiv 2112.11446, table A1). None switches a rule off."""

    kind: Literal["gopher_repetition"] = "gopher_repetition"
    max_duplicate_line_fraction: Share | None = 0.3
    max_duplicate_paragraph_fraction: Share | None = 0.3
    max_duplicate_line_char_fraction: Share | None = 0.2
    max_duplicate_paragraph_char_fraction: Share | None = 0.2
    max_top_ngram_char_fraction: dict[int, Share] = {2: 0.20, 3: 0.18, 4: 0.16}
    """Share of characters in the most frequent n-gram, by n."""
    max_duplicate_ngram_char_fraction: dict[int, Share] = {
        5: 0.15,
        6: 0.14,
        7: 0.13,
        8: 0.12,
        9: 0.11,
        10: 0.10,
    }
    """Share of characters in repeated n-grams, by n."""


class GopherQuality(_Filter):
    """Document shape (Gopher, arXiv 2112.11446). None switches a rule off."""

    kind: Literal["gopher_quality"] = "gopher_quality"
    min_words: int | None = Field(50, ge=0)
    max_words: int | None = Field(100_000, ge=1)
    min_mean_word_length: float | None = Field(3.0, ge=0)
    max_mean_word_length: float | None = Field(10.0, ge=0)
    max_symbol_word_ratio: float | None = Field(0.1, ge=0)
    """`#` and ellipses over words."""
    max_bullet_line_ratio: Share | None = 0.9
    max_ellipsis_line_ratio: Share | None = 0.3
    min_alphabetic_word_ratio: Share | None = 0.8
    min_stop_words: int | None = Field(2, ge=0)
    stop_words: list[str] = Field(default_factory=list)
    """Empty: the eight English words of Gopher."""


class C4Quality(_Filter):
    """C4 (arXiv 1910.10683) as FineWeb uses it: without terminal punctuation. Drops lines, then pages."""

    kind: Literal["c4_quality"] = "c4_quality"
    min_sentences: int = Field(5, ge=0)
    min_words_per_line: int = Field(3, ge=0)
    max_word_length: int = Field(1000, ge=1)
    drop_curly_bracket: bool = True
    drop_lorem_ipsum: bool = True
    drop_javascript_lines: bool = True
    drop_policy_lines: bool = True


class FinewebQuality(_Filter):
    """FineWeb's own line rules (arXiv 2406.17557, section 3.5). None switches a rule off."""

    kind: Literal["fineweb_quality"] = "fineweb_quality"
    min_line_punctuation_ratio: Share | None = 0.12
    max_short_line_ratio: Share | None = 0.67
    short_line_chars: int = Field(30, ge=1)
    max_duplicate_line_char_ratio: Share | None = 0.01
    max_newline_word_ratio: float | None = Field(0.3, ge=0)


Filter = Annotated[
    Url | GopherRepetition | GopherQuality | C4Quality | FinewebQuality | BlockedWords | Decontamination | QualityScore,
    Field(discriminator="kind"),
]
