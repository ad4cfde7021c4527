"""Filters by lists: addresses, and words that a page should not be full of."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Language, Spec


class Url(Spec):
    """Drops pages by URL: blocked hosts and addresses, and words in the address (FineWeb's URL filter)."""

    kind: Literal["url"] = "url"
    languages: list[Language] = Field(default_factory=list)
    """Languages it judges; empty: all."""
    blocked_domains: list[str] = Field(default_factory=list)
    """Hosts; a registered domain (`example.org`, `example.co.uk`) with all its subdomains."""
    blocked_words: list[str] = Field(default_factory=list)
    """Words that condemn an address when they stand alone in it."""
    soft_words: list[str] = Field(default_factory=list)
    """Words of which `max_soft_words` may stand in an address."""
    max_soft_words: int = Field(1, ge=0)
    """Different soft words that an address may hold (datatrove's `soft_word_threshold` less one)."""
    blocked_substrings: list[str] = Field(default_factory=list)
    """Character strings that condemn an address wherever they stand in its letters and digits."""
    list_files: list[str] = Field(default_factory=list)
    """Files on the worker, one host or URL a line (plain or gzip); `#` begins a comment."""
    blocked_word_files: list[str] = Field(default_factory=list)
    """Files on the worker with more `blocked_words`, one a line."""
    soft_word_files: list[str] = Field(default_factory=list)
    """Files on the worker with more `soft_words`, one a line."""
    blocked_substring_files: list[str] = Field(default_factory=list)
    """Files on the worker with more `blocked_substrings`, one a line."""
    ignore_case: bool = False
    """Find words in capitals too; datatrove finds those in small letters alone."""


class BlockedWords(Spec):
    """Drops toxic pages: too many words of a list (LDNOOBW-like lists, one file a language)."""

    kind: Literal["blocked_words"] = "blocked_words"
    languages: list[Language] = Field(default_factory=list)
    """Languages it judges; empty: all."""
    list_files: dict[Language, str] = Field(default_factory=dict)
    """Language -> file on the worker, one word or phrase a line."""
    words: list[str] = Field(default_factory=list)
    """Words or phrases for all languages."""
    max_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Listed words over all words."""
    max_count: int | None = Field(None, ge=0)
    """Listed words in a document; none: no bound."""
