"""Ridge regression on sparse rows beside a few dense figures, by conjugate gradients (Hestenes and Stiefel 1952).

Several strengths of the ridge are solved side by side, so that the entries are read once for all of them. Sums run in
float64 and in a fixed order: the same input gives the same weights.

Legend: N documents, E entries, V columns of the sparse part, S of the dense part, L strengths.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TOLERANCE = 1e-3
_MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class Design:
    """The regressors: sparse rows (CSR) and dense columns, which include the constant."""

    starts: Ints
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    num_columns: int
    dense: Floats
    """(N, S)"""
    penalized: Floats
    """(S,): 1 where the ridge holds a dense column back, 0 for the constant."""

    def predict(self, sparse_VL: Floats, dense_SL: Floats) -> Floats:
        """(N, L)"""
        return _times(self.starts, self.columns, self.values, sparse_VL) + self.dense @ dense_SL

    def correlate(self, residual_NL: Floats) -> tuple[Floats, Floats]:
        """The transpose times the residual: (V, L), (S, L)."""
        sparse = _transposed_times(self.starts, self.columns, self.values, residual_NL, self.num_columns)
        return sparse, self.dense.T @ residual_NL

    def squares(self) -> Floats:
        """(V,): sums of squares of the sparse columns."""
        squares = np.bincount(self.columns, self.values.astype(np.float64) ** 2, minlength=self.num_columns)
        return squares.astype(np.float64)  # whole numbers where there is no entry


@njit(cache=True)
def _times(starts, columns_E, values_E, weights_VL):
    result = np.zeros((len(starts) - 1, weights_VL.shape[1]))
    for row in range(len(starts) - 1):
        for entry in range(starts[row], starts[row + 1]):
            column, value = columns_E[entry], np.float64(values_E[entry])
            for k in range(weights_VL.shape[1]):
                result[row, k] += value * weights_VL[column, k]
    return result


@njit(cache=True)
def _transposed_times(starts, columns_E, values_E, residual_NL, num_columns):
    result = np.zeros((num_columns, residual_NL.shape[1]))
    for row in range(len(starts) - 1):
        for entry in range(starts[row], starts[row + 1]):
            column, value = columns_E[entry], np.float64(values_E[entry])
            for k in range(residual_NL.shape[1]):
                result[column, k] += value * residual_NL[row, k]
    return result


def ridge(design: Design, targets: Floats, strengths: Floats, tolerance: float = _TOLERANCE) -> tuple[Floats, Floats]:
    """Minimise |X w - y|^2 + strength |w|^2 for each strength.  (N,), (L,) -> (V, L), (S, L)

    `tolerance` is the energy norm of what remains, over that of the target. Predictions settle long before the weights
    do. Raises ValueError when there is no document, or a target is not finite.
    """
    if not len(targets) or not np.isfinite(targets).all():
        raise ValueError("a regression needs documents with finite labels")
    system = _System(design, strengths)
    target = system.join(*design.correlate(np.repeat(targets[:, None], len(strengths), axis=1)))
    return system.part(_conjugate_gradients(system, target, tolerance))


class _System:
    """The normal equations (X^T X + penalty) w = target for each strength, sparse and dense part one under another."""

    def __init__(self, design: Design, strengths: Floats) -> None:
        self.design = design
        self.penalty = self.join(
            np.broadcast_to(strengths, (design.num_columns, len(strengths))), design.penalized[:, None] * strengths
        )
        # Preconditioner: common words by their diagonal; the dense figures, which depend on one another, by the
        # inverse of their block. (A column without any value gets 0 either way.)
        self._scale_VL = 1 / (design.squares()[:, None] + strengths)
        block = design.dense.T @ design.dense
        self._inverses_LSS = np.linalg.pinv(
            np.stack([block + np.diag(design.penalized * strength) for strength in strengths]), hermitian=True
        )

    def image(self, weights: Floats) -> Floats:
        """The left side."""
        return self.join(*self.design.correlate(self.design.predict(*self.part(weights)))) + self.penalty * weights

    def precondition(self, residual: Floats) -> Floats:
        """Roughly the weights that make this right side."""
        sparse_VL, dense_SL = self.part(residual)
        return self.join(self._scale_VL * sparse_VL, np.einsum("lst,tl->sl", self._inverses_LSS, dense_SL))

    def part(self, both: Floats) -> tuple[Floats, Floats]:
        """(V + S, L) -> (V, L), (S, L)"""
        return both[: self.design.num_columns], both[self.design.num_columns :]

    @staticmethod
    def join(sparse_VL: Floats, dense_SL: Floats) -> Floats:
        """(V, L), (S, L) -> (V + S, L)"""
        return np.concatenate([sparse_VL, dense_SL])


def _conjugate_gradients(system: _System, target: Floats, tolerance: float) -> Floats:
    weights, residual = np.zeros_like(target), target.copy()
    direction = system.precondition(residual)
    energy = (residual * direction).sum(0)
    goal = energy * tolerance**2
    for _ in range(_MAX_STEPS):
        if (energy <= goal).all():
            break
        image = system.image(direction)
        curvature = (direction * image).sum(0)
        # A column that is solved stands still: its direction is zero.
        step = np.divide(energy, curvature, out=np.zeros_like(energy), where=curvature > 0)
        weights += step * direction
        residual -= step * image
        scaled = system.precondition(residual)
        before, energy = energy, (residual * scaled).sum(0)
        direction = scaled + np.divide(energy, before, out=np.zeros_like(energy), where=before > 0) * direction
    return weights
