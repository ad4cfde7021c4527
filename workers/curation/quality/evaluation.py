"""A scorer's quality on documents that it has not seen, beside that of a regression on the text's length."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.curation.quality.features import Rows
from workers.curation.quality.fit import fit, scores
from workers.curation.quality.metrics import Figures, agreement, best_cut, bootstrap, detection, interval, rounded
from workers.curation.quality.scorer import MAX_SCORE
from workers.specs.curation.quality import Folds, QualityTrainingSpec

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]

THRESHOLDS = (1, 2, 3, 4, 5)
_LOW_BITS = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Counted documents with their labels. `hashes` are of the texts: equal texts are never parted."""

    rows: Rows
    labels: Floats
    hashes: Hashes
    num_chars: Floats

    def take(self, chosen: npt.NDArray[np.int64]) -> "Labelled":
        """Those documents."""
        return Labelled(self.rows.take(chosen), self.labels[chosen], self.hashes[chosen], self.num_chars[chosen])


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores of documents by models that have not seen them."""

    positions: npt.NDArray[np.int64]
    """Of the documents among all that were labelled."""
    labels: Floats
    scores: Floats
    length_scores: Floats
    """By the regression on length."""
    best_flags: Flags
    """(N, T): at or above the cut that was best for F1 on the training documents."""


def predict_unseen(
    data: Labelled, spec: QualityTrainingSpec, progress: Callable[[int, int], None] = lambda done, total: None
) -> Predictions:
    """Score each fold, or the held-out share, by a model of the other documents.

    Raises ValueError when there are too few documents.
    """
    parts = _parts(data.hashes, spec)
    found = []
    for number, held in enumerate(parts):
        progress(number, len(parts))
        if held.any():
            found.append(_predict(data, held, spec))
    progress(len(parts), len(parts))
    if not found:
        raise ValueError("no document fell into the held-out share: label more, or use split: {kind: folds}")
    return Predictions(*(np.concatenate([getattr(one, name) for one in found]) for name in Predictions.__slots__))


def evaluate(predictions: Predictions, spec: QualityTrainingSpec) -> dict[str, Any]:
    """Figures with 95 % intervals: `agreement`, and for each threshold precision, recall and F1.

    `gain` is how much better than the length baseline, on the same resamples: above 0 is better, whatever the figure.
    Labels in whole numbers are compared with rounded scores, as FineWeb-Edu does: `min_score` is then threshold - 0.5.
    """
    whole = bool((predictions.labels == np.round(predictions.labels)).all())
    cuts = {t: t - 0.5 if whole else float(t) for t in THRESHOLDS}

    def measure(weights: Floats) -> Figures:
        figures: Figures = {}
        for who, values in (("", predictions.scores), ("length.", predictions.length_scores)):
            for name, figure in agreement(weights, predictions.labels, values).items():
                figures[f"{who}{name}"] = figure
            for t, cut in cuts.items():
                for name, figure in detection(weights, predictions.labels >= t, values >= cut).items():
                    figures[f"{who}{t}.{name}"] = figure
        for column, t in enumerate(THRESHOLDS):
            flags = predictions.best_flags[:, column]
            figures[f"best.{t}"] = detection(weights, predictions.labels >= t, flags)["f1"]
        return figures

    figures = bootstrap(measure, len(predictions.labels), spec.num_bootstrap, spec.seed)
    return {
        "num_documents": len(predictions.labels),
        "agreement": {name: _compared(figures, name) for name in ("spearman", "pearson", "mean_absolute_error")},
        "thresholds": [_threshold(figures, predictions, t, cuts[t]) for t in THRESHOLDS],
    }


def best_cuts(labels: Floats, known_scores: Floats) -> list[float]:
    """For each threshold the score to be flagged from; infinite where no label reaches the threshold."""
    cuts = (best_cut(labels, known_scores, t) for t in THRESHOLDS)
    return [np.inf if cut is None else cut for cut in cuts]


def _parts(hashes: Hashes, spec: QualityTrainingSpec) -> list[Flags]:
    low = (hashes & _LOW_BITS).astype(np.float64) / 2**32
    if isinstance(spec.split, Folds):
        fold = (low * spec.split.num_folds).astype(np.int64)
        return [fold == number for number in range(spec.split.num_folds)]
    return [low < spec.split.share]


def _predict(data: Labelled, held: Flags, spec: QualityTrainingSpec) -> Predictions:
    seen, unseen = data.take(np.flatnonzero(~held)), data.take(np.flatnonzero(held))
    fitted = fit(seen.rows, seen.labels, seen.hashes, spec)
    found = scores(fitted.model, unseen.rows)
    curve = np.polynomial.Polynomial.fit(np.log1p(seen.num_chars), seen.labels, 2)
    by_length = np.clip(curve(np.log1p(unseen.num_chars)), 0, MAX_SCORE)
    cuts = best_cuts(fitted.validation_labels, fitted.validation_scores)
    flags = found[:, None] >= np.array(cuts)
    return Predictions(np.flatnonzero(held), unseen.labels, found, by_length, flags)


def _compared(figures: Figures, name: str) -> dict[str, Any]:
    sign = -1 if name == "mean_absolute_error" else 1
    ours, length = figures[name], figures[f"length.{name}"]
    return rounded(interval(ours)) | {
        "length": rounded(interval(length)),
        "gain": rounded(interval(sign * (ours - length))),
    }


def _threshold(figures: Figures, predictions: Predictions, threshold: int, cut: float) -> dict[str, Any]:
    found = {name: rounded(interval(figures[f"{threshold}.{name}"])) for name in ("precision", "recall", "f1")}
    gain = figures[f"{threshold}.f1"] - figures[f"length.{threshold}.f1"]
    return {
        "threshold": threshold,
        "min_score": cut,
        "num_positive": int((predictions.labels >= threshold).sum()),
        **found,
        "length_f1": rounded(interval(figures[f"length.{threshold}.f1"])),
        "f1_gain": rounded(interval(gain)),
        "best_f1": rounded(interval(figures[f"best.{threshold}"])),
    }
