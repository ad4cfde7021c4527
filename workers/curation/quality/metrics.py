"""How well scores follow labels: precision, recall, F1, correlations and error, with 95 % bootstrap intervals.

Percentile bootstrap over documents: Efron and Tibshirani 1993, chapter 13. A resample is a row of how often each
document was drawn, so that the figures of all resamples are weighted sums.

Legend: N documents, B resamples, T thresholds.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Figures = dict[str, Floats]
"""Name -> the figure in each resample; NaN where it is not defined."""

_BLOCK = 2_000_000


def bootstrap(measure: Callable[[Floats], Figures], num_documents: int, num_resamples: int, seed: int) -> Figures:
    """What `measure` gives for the sample itself (first) and for each resample, from weights (B, N)."""
    blocks = [measure(weights) for weights in _draws(num_documents, num_resamples, seed)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _draws(num_documents: int, num_resamples: int, seed: int) -> Iterator[Floats]:
    yield np.ones((1, num_documents))
    random = np.random.default_rng(seed)
    size = max(1, _BLOCK // num_documents)
    for start in range(0, num_resamples, size):
        weights = np.empty((min(size, num_resamples - start), num_documents))
        for row in weights:
            row[:] = np.bincount(random.integers(0, num_documents, num_documents), minlength=num_documents)
        yield weights


def interval(values: Floats) -> dict[str, float | None]:
    """`value` of the sample, `low` and `high`: the percentiles 2.5 and 97.5 of its resamples. None: not defined."""
    if not np.isfinite(values[0]):
        return {"value": None, "low": None, "high": None}
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return {"value": float(values[0]), "low": float(low), "high": float(high)}


def detection(weights_BN: Floats, positive_N: Flags, flagged_N: Flags) -> Figures:
    """Precision, recall and F1 of finding the positive documents."""
    hits = weights_BN @ (positive_N & flagged_N)
    flagged, positive = weights_BN @ flagged_N, weights_BN @ positive_N
    return {
        "precision": _ratio(hits, flagged),
        "recall": _ratio(hits, positive),
        "f1": _ratio(2 * hits, flagged + positive),
    }


def agreement(weights_BN: Floats, labels_N: Floats, scores_N: Floats) -> Figures:
    """Spearman's and Pearson's correlation, and the mean absolute error."""
    ranks = [_midranks(weights_BN, values) for values in (labels_N, scores_N)]
    error = weights_BN @ np.abs(labels_N - scores_N) / weights_BN.sum(1)
    return {
        "spearman": _correlation(weights_BN, *ranks),
        "pearson": _correlation(weights_BN, labels_N[None], scores_N[None]),
        "mean_absolute_error": error,
    }


def best_cut(labels_N: Floats, scores_N: Floats, threshold: float) -> float | None:
    """The lowest score to flag for the best F1 at finding labels of `threshold` and more. None: there are none."""
    positive = labels_N >= threshold
    if not positive.any():
        return None
    order = np.argsort(-scores_N, kind="stable")
    ranked = scores_N[order]
    last = np.append(ranked[1:] < ranked[:-1], True)  # equal scores are flagged together
    f1 = 2 * np.cumsum(positive[order]) / (np.arange(1, len(order) + 1) + positive.sum())
    return float(ranked[last][int(f1[last].argmax())])


def _midranks(weights_BN: Floats, values_N: Floats) -> Floats:
    """Ranks in each resample, equal values sharing the mean of theirs.  (B, N)"""
    _, group = np.unique(values_N, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(weights_BN[:, order], starts, axis=1)
    return (np.cumsum(sizes, axis=1) - sizes / 2 + 0.5)[:, group]


def _correlation(weights_BN: Floats, left_BN: Floats, right_BN: Floats) -> Floats:
    total = weights_BN.sum(1, keepdims=True)
    left = left_BN - (weights_BN * left_BN).sum(1, keepdims=True) / total
    right = right_BN - (weights_BN * right_BN).sum(1, keepdims=True) / total
    covariance = (weights_BN * left * right).sum(1)
    spread = np.sqrt((weights_BN * left**2).sum(1) * (weights_BN * right**2).sum(1))
    return _ratio(covariance, spread)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full_like(top, np.nan, dtype=np.float64), where=bottom > 0)


def rounded(figure: dict[str, Any], digits: int = 4) -> dict[str, Any]:
    """The figures rounded for reading."""
    return {name: None if value is None else round(value, digits) for name, value in figure.items()}
