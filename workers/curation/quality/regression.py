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

_TOLERANCE = 1e-4
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

    def squares(self) -> tuple[Floats, Floats]:
        """Sums of squares of the columns: (V,), (S,)."""
        sparse = np.bincount(self.columns, self.values.astype(np.float64) ** 2, minlength=self.num_columns)
        return sparse, (self.dense**2).sum(0)


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


def ridge(design: Design, targets: Floats, strengths: Floats) -> tuple[Floats, Floats]:
    """Minimise |X w - y|^2 + strength |w|^2 for each strength.  (N,), (L,) -> (V, L), (S, L)

    Raises ValueError when there is no document, or a target is not finite.
    """
    if not len(targets) or not np.isfinite(targets).all():
        raise ValueError("a regression needs documents with finite labels")
    squares_V, squares_S = design.squares()
    penalty_VL = np.broadcast_to(strengths, (design.num_columns, len(strengths)))
    penalty_SL = design.penalized[:, None] * strengths
    # Jacobi: the constant and common words would else dominate the condition number.
    scale = _stack(1 / (squares_V[:, None] + penalty_VL), 1 / np.maximum(squares_S[:, None] + penalty_SL, 1e-12))
    penalty = _stack(penalty_VL, penalty_SL)
    target = _stack(*design.correlate(np.repeat(targets[:, None], len(strengths), axis=1)))
    weights = _conjugate_gradients(design, penalty, scale, target)
    return weights[: design.num_columns], weights[design.num_columns :]


def _conjugate_gradients(design: Design, penalty: Floats, scale: Floats, target: Floats) -> Floats:
    """Solve (X^T X + penalty) w = target for each column of `target`, preconditioned by `scale`."""
    weights, residual = np.zeros_like(target), target.copy()
    direction = scale * residual
    energy = (residual * direction).sum(0)
    goal = energy * _TOLERANCE**2
    for _ in range(_MAX_STEPS):
        if (energy <= goal).all():
            break
        image = _stack(*design.correlate(design.predict(*_split(design, direction)))) + penalty * direction
        curvature = (direction * image).sum(0)
        # A column that is solved stands still: its direction is zero.
        step = np.divide(energy, curvature, out=np.zeros_like(energy), where=curvature > 0)
        weights += step * direction
        residual -= step * image
        scaled = scale * residual
        before, energy = energy, (residual * scaled).sum(0)
        direction = scaled + np.divide(energy, before, out=np.zeros_like(energy), where=before > 0) * direction
    return weights


def _stack(sparse: Floats, dense: Floats) -> Floats:
    return np.concatenate([sparse, dense])


def _split(design: Design, both: Floats) -> tuple[Floats, Floats]:
    return both[: design.num_columns], both[design.num_columns :]
