"""From raw scores to scores on the labels' scale: a rising piecewise linear map.

Isotonic regression by pooling adjacent violators: Barlow et al. 1972; Zadrozny and Elkan 2002.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_POINTS = 20
"""With fewer documents a map would follow their noise: scores stay as they are."""
_SPAN = 5.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Linear between knots, level beyond the outer ones, and within 0 to 5."""

    raw: tuple[float, ...]
    score: tuple[float, ...]

    def __call__(self, raw: Floats) -> Floats:
        """Scores of raw scores, of any shape."""
        return np.interp(raw, self.raw, self.score)


IDENTITY = Calibration((0.0, _SPAN), (0.0, _SPAN))


def fit_calibration(kind: Literal["none", "linear", "isotonic"], raw: Floats, labels: Floats) -> Calibration:
    """The map that fits labels best by least squares. Unchanged scores for too few or equal raw scores."""
    if kind == "none" or len(raw) < MIN_POINTS or np.ptp(raw) == 0:
        return IDENTITY
    if kind == "linear":
        slope, offset = np.polyfit(raw, labels, 1)
        if slope <= 0:
            return IDENTITY
        return Calibration((float(-offset / slope), float((_SPAN - offset) / slope)), (0.0, _SPAN))
    knots, levels = isotonic(raw, labels)
    return Calibration(tuple(map(float, knots)), tuple(map(float, np.clip(levels, 0, _SPAN))))


def isotonic(raw: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """Centres and means of the blocks of the best rising step function. Both rise."""
    centres, inverse, counts = np.unique(raw, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, labels) / counts
    blocks: list[tuple[float, float, float]] = []  # weight, sum of labels, sum of raw scores
    for centre, mean, count in zip(centres, means, counts, strict=True):
        block = (float(count), float(mean * count), float(centre * count))
        while blocks and blocks[-1][1] * block[0] >= block[1] * blocks[-1][0]:
            block = tuple(a + b for a, b in zip(blocks.pop(), block, strict=True))
        blocks.append(block)
    weights, sums, positions = np.array(blocks).T
    return positions / weights, sums / weights
