"""Evaluation sets must not be in the training text."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Language, Spec


class Decontamination(Spec):
    """Drops documents that hold items of an evaluation set (13-grams: GPT-3, arXiv 2005.14165, appendix C)."""

    kind: Literal["decontamination"] = "decontamination"
    languages: list[Language] = Field(default_factory=list)
    """Languages it judges; empty: all."""
    benchmarks: list[str] = ["arc_easy"]
    """Evaluation sets known to Headrace; one that was not fetched is an error that says how to fetch it."""
    files: dict[str, str] = Field(default_factory=dict)
    """Name -> JSONL or text file on the worker: sets of your own, one item a line."""
    ngram: int = Field(13, ge=3, le=50)
    """Words in a row that count as a trace of an item."""
    min_item_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of an item's n-grams in one document from which the document counts as holding the item."""
    min_ngrams: int = Field(1, ge=1)
    """Fewest n-grams found; an item shorter than an n-gram is looked for whole."""
