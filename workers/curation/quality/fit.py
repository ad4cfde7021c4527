"""From counted documents and their labels to a model: rarity, ridge, calibration.

A fifth of the documents, by hash of the text, chooses the ridge's strength and fits the calibration on scores of a
model that has not seen them; the model that is kept is then fitted on all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.curation.quality.calibration import IDENTITY, fit_calibration
from workers.curation.quality.features import Rows, rarity
from workers.curation.quality.regression import Design, ridge
from workers.curation.quality.scorer import MAX_SCORE, Model
from workers.specs.curation.quality import QualityTrainingSpec

Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
DEFAULT_STRENGTH = 3.0
"""Where there are too few documents to choose."""
VALIDATION_PARTS = 5
MIN_DOCUMENTS = 10


@dataclass(frozen=True, slots=True)
class Fit:
    """A model, and how it came out."""

    model: Model
    l2: float
    validation_labels: Floats
    validation_scores: Floats
    """Calibrated scores of the validation fifth, by the model that has not seen it."""


def fit(rows: Rows, labels: Floats, hashes: Hashes, spec: QualityTrainingSpec) -> Fit:
    """Train on these documents. Raises ValueError for too few of them."""
    if len(rows) < MIN_DOCUMENTS:
        raise ValueError(f"{len(rows)} labelled documents are too few to learn from: label {MIN_DOCUMENTS} at least")
    strengths = np.array(STRENGTHS if spec.l2 is None else [spec.l2])
    # Other bits than those that make the folds: within a fold's documents these are spread evenly.
    held = (hashes >> np.uint64(32)) % np.uint64(VALIDATION_PARTS) == 0
    if held.any() and not held.all():
        candidates = _solve(rows.take(np.flatnonzero(~held)), labels[~held], strengths, spec)
        unseen = rows.take(np.flatnonzero(held))
        raws = np.stack([raw_scores(one, unseen) for one in candidates])
        best = int(((raws - labels[held]) ** 2).mean(1).argmin())
        strength, raw, known = float(strengths[best]), raws[best], labels[held]
    else:
        strength, raw, known = spec.l2 or DEFAULT_STRENGTH, np.zeros(0), np.zeros(0)
    calibration = fit_calibration(spec.calibration, raw, known)
    (model,) = _solve(rows, labels, np.array([strength]), spec)
    kept = Model(model.features, model.table, model.shape_mean, model.shape_weights, model.constant, calibration)
    return Fit(kept, strength, known, np.clip(calibration(raw), 0, MAX_SCORE))


def raw_scores(model: Model, rows: Rows) -> Floats:
    """What `Scorer.raw_score` gives, for counted documents.  (N,)"""
    values = np.log1p(rows.counts.astype(np.float64)) * model.table[rows.slots, 0]
    dots, squares = (_sums(rows, part) for part in (values * model.table[rows.slots, 1], values**2))
    sparse = np.divide(dots, np.sqrt(squares), out=np.zeros_like(dots), where=squares > 0)
    return sparse + (rows.shape - model.shape_mean) @ model.shape_weights + model.constant


def scores(model: Model, rows: Rows) -> Floats:
    """What `Scorer.score` gives, for counted documents.  (N,)"""
    return np.clip(model.calibration(raw_scores(model, rows)), 0, MAX_SCORE)


def _solve(rows: Rows, labels: Floats, strengths: Floats, spec: QualityTrainingSpec) -> Iterator[Model]:
    """A model for each strength, not calibrated; one at a time, since tables may be large."""
    rare = rarity(rows, 1 << spec.features.num_buckets_log2)
    used = np.flatnonzero(rare)
    mean, spread = rows.shape.mean(0), rows.shape.std(0)
    spread[spread < 1e-9] = np.inf  # a figure that never changes tells nothing
    design = _design(rows, rare, (rows.shape - mean) / spread)
    sparse_VL, dense_SL = ridge(design, labels, strengths)
    for k in range(len(strengths)):
        table = np.zeros((len(rare), 2), dtype=np.float32)
        table[used, 0], table[used, 1] = rare[used], sparse_VL[:, k]
        yield Model(spec.features, table, mean, dense_SL[:-1, k] / spread, float(dense_SL[-1, k]), IDENTITY)


def _design(rows: Rows, rare: npt.NDArray[np.float32], shape: Floats) -> Design:
    values = np.log1p(rows.counts.astype(np.float64)) * rare[rows.slots]
    lengths = np.sqrt(_sums(rows, values**2))
    of_row = np.repeat(np.arange(len(rows)), np.diff(rows.starts))
    kept = values > 0
    values = values[kept] / lengths[of_row[kept]]
    columns = (np.cumsum(rare > 0) - 1)[rows.slots[kept]].astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(of_row[kept], minlength=len(rows)))])
    dense = np.column_stack([shape, np.ones(len(rows))])
    penalized = np.append(np.ones(shape.shape[1]), 0.0)
    return Design(starts, columns, values.astype(np.float32), np.count_nonzero(rare), dense, penalized)


def _sums(rows: Rows, values: Floats) -> Floats:
    """Sums over each document's entries.  (E,) -> (N,)"""
    of_row = np.repeat(np.arange(len(rows)), np.diff(rows.starts))
    return np.bincount(of_row, values, minlength=len(rows)).astype(np.float64)
