"""What an ablation's trainings say: each variant against the base, paired by seed, ranked, with a verdict.

A variant is called better or worse when its p-value, corrected for the number of variants (Holm), is below
1 - confidence; else it is not told apart. The interval shown is of that variant alone, over seeds. The second one is
over the held-out texts, with the seeds averaged: how much the outcome hangs on which texts were held out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from workers.exploration.paired import Comparison, Floats, adjust_holm, bootstrap_difference, compare_paired

Verdict = Literal["base", "better", "worse", "not told apart", "incomplete"]
Items = Mapping[str, tuple[float, float]]
"""Item -> numerator and denominator of its score."""
_LOWER_IS_BETTER = frozenset({"bits_per_byte"})


@dataclass(slots=True)
class Cell:
    """One training of one arm and its score."""

    arm: str
    seed: int
    state: str
    """State of the child that ended it: `completed`, `failed`, `crashed`, `cancelled`."""
    error: str = ""
    value: float | None = None
    tokens: int = 0
    slices: dict[str, float] = field(default_factory=dict)
    """Score by language."""
    items: Items = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    """Stage -> id of its run."""

    @property
    def done(self) -> bool:
        """Has it a score that counts?"""
        return self.state == "completed" and self.value is not None and math.isfinite(self.value)


@dataclass(slots=True)
class Standing:
    """One arm in the ranking. Differences are to the base on the same seeds; their sign is that of the metric."""

    arm: str
    verdict: Verdict
    mean: float | None = None
    deviation: float | None = None
    """Standard deviation over seeds."""
    num_seeds: int = 0
    num_failed: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    items_low: float | None = None
    items_high: float | None = None
    slices: dict[str, float] = field(default_factory=dict)
    """Mean difference by language."""


@dataclass(slots=True)
class Ranking:
    """All arms, the best first; incomplete ones last."""

    metric: str
    standings: list[Standing]
    winner: str | None
    """The best of the variants that are better than the base."""
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For ablation.json."""
        return asdict(self)


def rank(
    arms: Sequence[str], cells: Sequence[Cell], metric: str, confidence: float, num_bootstrap: int = 1000, seed: int = 0
) -> Ranking:
    """Rank the arms, of which the first is the base."""
    cells = sorted(cells, key=lambda cell: (arms.index(cell.arm), cell.seed))
    done = {arm: {c.seed: c for c in cells if c.arm == arm and c.done} for arm in arms}
    base, sign = arms[0], 1.0 if metric in _LOWER_IS_BETTER else -1.0
    standings = [_stand(arm, done[arm], done[base], arm == base, cells) for arm in arms]
    compared = {s.arm: _compare(s, done[s.arm], done[base], confidence) for s in standings[1:]}
    tried = [s for s in standings[1:] if compared[s.arm]]
    adjusted = adjust_holm([s.p_value or 0.0 for s in tried])
    for standing, p_adjusted in zip(tried, adjusted, strict=True):
        standing.p_adjusted = p_adjusted
        standing.verdict = _verdict(standing, sign, confidence)
        interval = _over_items(done[standing.arm], done[base], confidence, num_bootstrap, seed)
        standing.items_low, standing.items_high = interval or (None, None)
    standings.sort(key=lambda s: (s.mean is None, s.verdict == "incomplete", sign * (s.mean or 0.0), arms.index(s.arm)))
    winner = next((s.arm for s in standings if s.verdict == "better"), None)
    return Ranking(metric, standings, winner, _notes(standings, cells, arms))


def _stand(arm: str, own: dict[int, Cell], base: dict[int, Cell], is_base: bool, cells: Sequence[Cell]) -> Standing:
    values = [cell.value for cell in own.values() if cell.value is not None]
    failed = sum(1 for cell in cells if cell.arm == arm and not cell.done)
    standing = Standing(arm, "base" if is_base and values else "incomplete", num_seeds=len(values), num_failed=failed)
    if values:
        standing.mean = float(np.mean(values))
        standing.deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    if not is_base:
        standing.slices = _slices(own, base)
    return standing


def _compare(standing: Standing, own: dict[int, Cell], base: dict[int, Cell], confidence: float) -> Comparison | None:
    """Fill in the difference; None when fewer than two seeds of both are there."""
    seeds = sorted(own.keys() & base.keys())
    if len(seeds) < 2:
        return None
    found = compare_paired([_value(own[s]) - _value(base[s]) for s in seeds], confidence)
    standing.difference, standing.low, standing.high, standing.p_value = (
        found.difference, found.low, found.high, found.p_value,
    )  # fmt: skip
    return found


def _verdict(standing: Standing, sign: float, confidence: float) -> Verdict:
    if standing.p_adjusted is None or standing.difference is None or standing.p_adjusted >= 1 - confidence:
        return "not told apart"
    return "better" if sign * standing.difference < 0 else "worse"


def _over_items(
    own: dict[int, Cell], base: dict[int, Cell], confidence: float, num_bootstrap: int, seed: int
) -> tuple[float, float] | None:
    seeds = sorted(own.keys() & base.keys())
    shared = sorted(set.intersection(*(set(cells[s].items) for s in seeds for cells in (own, base))))
    if not shared:
        return None
    return bootstrap_difference(
        _summed(base, seeds, shared), _summed(own, seeds, shared), confidence, num_bootstrap, seed
    )


def _summed(cells: dict[int, Cell], seeds: list[int], items: list[str]) -> tuple[Floats, Floats]:
    both = np.array([[cells[s].items[item] for item in items] for s in seeds], dtype=np.float64).sum(axis=0)
    return both[:, 0], both[:, 1]


def _slices(own: dict[int, Cell], base: dict[int, Cell]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for seed in own.keys() & base.keys():
        for name, value in own[seed].slices.items():
            if name in base[seed].slices:
                found.setdefault(name, []).append(value - base[seed].slices[name])
    return {name: float(np.mean(values)) for name, values in sorted(found.items())}


def _value(cell: Cell) -> float:
    return float(cell.value) if cell.value is not None else math.nan


def _notes(standings: Sequence[Standing], cells: Sequence[Cell], arms: Sequence[str]) -> list[str]:
    notes = []
    if base := next((s for s in standings if s.arm == arms[0] and s.num_failed), None):
        notes.append(f"the base lost {base.num_failed} of its trainings, and every comparison as many pairs")
    notes += [
        f"{s.arm} lost {s.num_failed} of its trainings" + (": it is not compared" if s.verdict == "incomplete" else "")
        for s in standings
        if s.num_failed and s.arm != arms[0]
    ]
    tokens = sorted({cell.tokens for cell in cells if cell.done})
    if len(tokens) > 1:
        notes.append(f"not all saw equally many tokens: {', '.join(f'{n:,}' for n in tokens)}")
    return notes
