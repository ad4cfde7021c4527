"""A trained scorer: scores texts 0 to 5; a folder of `scorer.json` and `weights.npz`, read without pickle."""

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from workers.curation.quality.calibration import Calibration
from workers.curation.quality.features import SHAPE_FIGURES, Counter
from workers.curation.quality.ngrams import score_slots
from workers.specs.curation.quality import HashedNgrams

FEATURES_VERSION = 1
"""Raised when `ngrams` or `features` count differently: older scorers are then refused, not silently wrong."""
MAX_SCORE = 5.0
MANIFEST, WEIGHTS = "scorer.json", "weights.npz"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """What training finds. V hash buckets, S shape figures."""

    features: HashedNgrams
    table: npt.NDArray[np.float32]
    """(V, 2): rarity and weight of each bucket."""
    shape_mean: Floats
    shape_weights: Floats
    """(S,): weights of the shape figures as they are measured."""
    constant: float
    calibration: Calibration


class Scorer:
    """Scores one text after another. Not for several threads at once."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._counter = Counter(model.features)

    def raw_score(self, text: str) -> float:
        """The regression's value, not calibrated."""
        slots, shape = self._counter.count(text)
        value = score_slots(slots, self._counter.counts_V, self.model.table)
        return value + float((shape - self.model.shape_mean) @ self.model.shape_weights) + self.model.constant

    def score(self, text: str) -> float:
        """0 to 5."""
        value = float(self.model.calibration(np.float64(self.raw_score(text))))
        return min(max(value, 0.0), MAX_SCORE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a scorer's folder says of its making, beside the model."""

    name: str
    spec: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)


def save_scorer(model: Model, manifest: Manifest, folder: Path) -> None:
    """Write the two files; the manifest, which names the other's SHA-256, comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez_compressed(content, table=model.table, shape_mean=model.shape_mean, shape_weights=model.shape_weights)
    _write(folder / WEIGHTS, content.getvalue())
    described = {
        "features_version": FEATURES_VERSION,
        "name": manifest.name,
        "features": model.features.model_dump(mode="json"),
        "shape_figures": list(SHAPE_FIGURES) if model.features.shape else [],
        "constant": model.constant,
        "calibration": {"raw": model.calibration.raw, "score": model.calibration.score},
        "weights_sha256": hashlib.sha256(content.getvalue()).hexdigest(),
        "spec": manifest.spec,
        "labels": manifest.labels,
        "training": manifest.training,
        "evaluation": manifest.evaluation,
    }
    _write(folder / MANIFEST, json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def load_scorer(folder: Path) -> Scorer:
    """The scorer in a folder. Raises ValueError with what is wrong and what to do."""
    described = read_manifest(folder)
    if (version := described.get("features_version")) != FEATURES_VERSION:
        raise ValueError(
            f"the scorer in {folder} was trained with features of version {version}, this "
            f"code has version {FEATURES_VERSION}: train it again"
        )
    try:
        content = (folder / WEIGHTS).read_bytes()
        return Scorer(_model(described, content))
    except (OSError, KeyError, TypeError, ValueError, ValidationError, zipfile.BadZipFile) as error:
        raise ValueError(f"the scorer in {folder} is damaged ({error}): fetch or train it again") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """What `scorer.json` holds. Raises ValueError when the folder is no scorer."""
    try:
        described = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"{folder} is no folder of a trained scorer: {MANIFEST} is missing or unreadable ({error}). "
            "`python -m workers.curation.quality SPEC.yaml --out DIR` makes one"
        ) from error
    return described


def _model(described: dict[str, Any], content: bytes) -> Model:
    if hashlib.sha256(content).hexdigest() != described["weights_sha256"]:
        raise ValueError("its weights are not those that its manifest names")
    features = HashedNgrams.model_validate(described["features"])
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        table, mean, weights = (arrays[name] for name in ("table", "shape_mean", "shape_weights"))
    num_figures = len(SHAPE_FIGURES) if features.shape else 0
    if table.shape != (1 << features.num_buckets_log2, 2) or {mean.shape, weights.shape} != {(num_figures,)}:
        raise ValueError("its weights do not have the shape of its features")
    if not all(np.isfinite(array).all() for array in (table, mean, weights)):
        raise ValueError("a weight is not finite")
    knots = described["calibration"]
    calibration = Calibration(tuple(map(float, knots["raw"])), tuple(map(float, knots["score"])))
    constant = float(described["constant"])
    return Model(features, table.astype(np.float32), mean, weights, constant, calibration)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
