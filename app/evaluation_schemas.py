"""Two evaluations of one task, item by item."""

from typing import Any

from app.schemas import EvaluationSummary, Schema


class PairedSlice(Schema):
    """Items that both have: the mean of a - b (points of accuracy in [-1, 1], or of the score) with its interval."""

    slice: str
    num_items: int
    difference: float
    low: float | None
    high: float | None
    """95 % by the normal approximation over paired items; null for a single item."""
    both_right: int
    only_a: int
    only_b: int
    both_wrong: int


class EvaluationComparison(Schema):
    """Who is told apart from whom, and where."""

    a: EvaluationSummary
    b: EvaluationSummary
    whole: PairedSlice | None
    """None: they have no item in common that was kept."""
    slices: list[PairedSlice]
    """The largest first."""


class Answer(Schema):
    """What one of the two did with an item."""

    score: float
    correct: bool | None
    data: dict[str, Any]


class ItemPair(Schema):
    """One item with what both did."""

    item_id: str
    slice: str
    a: Answer
    b: Answer
