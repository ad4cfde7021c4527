"""Paired comparison of a few runs: Student's t over seeds, Holm's correction, a bootstrap over items.

Student 1908, "The probable error of a mean". Holm 1979, "A simple sequentially rejective multiple test procedure".
Efron and Tibshirani 1993, chapter 13 (percentile bootstrap). The t distribution by its incomplete beta function:
Abramowitz and Stegun 26.5.8 and 26.7.1, the continued fraction by Lentz's method.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_TINY = 1e-300
_EPSILON = 1e-15
_MAX_TERMS = 500


@dataclass(slots=True, frozen=True)
class Comparison:
    """A mean difference with its interval and its two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def compare_paired(differences: Sequence[float], confidence: float) -> Comparison:
    """Student's t over paired differences. Raises ValueError for fewer than two, or one that is not finite."""
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"a paired comparison needs at least two finite differences, got {list(differences)}")
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    freedom = len(values) - 1
    if error <= abs(mean) * _EPSILON:  # all the same: sure of it, unless it is nothing
        return Comparison(mean, mean, mean, 0.0 if mean else 1.0)
    margin = t_quantile((1 + confidence) / 2, freedom) * error
    return Comparison(mean, mean - margin, mean + margin, t_p_value(mean / error, freedom))


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: below alpha exactly where his procedure rejects at alpha."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, number in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[number]))
        adjusted[number] = highest
    return adjusted


def bootstrap_difference(
    base: tuple[Floats, Floats], variant: tuple[Floats, Floats], confidence: float, num_resamples: int, seed: int
) -> tuple[float, float]:
    """Percentile interval, over items drawn with replacement, of the difference of two ratios on the same items.

    Each is (numerators_N, denominators_N), whose sums make the ratio: bits over bytes, or right answers over ones.
    """
    top_b, bottom_b, top_v, bottom_v = *base, *variant
    random = np.random.default_rng(seed)
    block = max(1, 2_000_000 // len(top_b))
    found = []
    for start in range(0, num_resamples, block):
        draws = random.integers(0, len(top_b), (min(block, num_resamples - start), len(top_b)))
        found.append(top_v[draws].sum(1) / bottom_v[draws].sum(1) - top_b[draws].sum(1) / bottom_b[draws].sum(1))
    low, high = np.quantile(np.concatenate(found), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def t_p_value(t: float, freedom: int) -> float:
    """Probability of a t at least as far from 0, either way."""
    total = freedom + t * t
    if t * t < freedom:  # the complement, in which a small t is not lost
        return 1 - _incomplete_beta(0.5, freedom / 2, t * t / total)
    return _incomplete_beta(freedom / 2, 0.5, freedom / total)


def t_quantile(probability: float, freedom: int) -> float:
    """The t below which this probability lies, for a probability of at least one half."""
    low, high = 0.0, 1.0
    while 1 - t_p_value(high, freedom) / 2 < probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if 1 - t_p_value(middle, freedom) / 2 < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), regularized, for 0 <= x <= 1."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _continued_fraction(a, b, x) / a


def _continued_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _EPSILON:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
