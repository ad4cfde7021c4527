"""95 % intervals by the percentile bootstrap over items. Efron and Tibshirani 1993, chapter 13."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], *, num_resamples: int, seed: int
) -> tuple[float, float, float]:
    """(value, low, high) of sum(numerators) / sum(denominators); a mean when the denominators are ones.

    Raises ValueError when there is no item.
    """
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if not len(top):
        raise ValueError("a score needs at least one item")
    ratios = np.empty(num_resamples)
    random = np.random.default_rng(seed)
    # In blocks: a matrix of all draws would take gigabytes for a large benchmark.
    block = max(1, 10_000_000 // len(top))
    for start in range(0, num_resamples, block):
        stop = min(start + block, num_resamples)
        draws = random.integers(0, len(top), (stop - start, len(top)))
        ratios[start:stop] = top[draws].sum(1) / bottom[draws].sum(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(top.sum() / bottom.sum()), float(low), float(high)
