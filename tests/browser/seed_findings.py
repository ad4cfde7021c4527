"""Finished runs of the kinds quality and ablation, with summaries as their workers report them."""

from typing import Any

ARMS = [
    ("no-repetition", "better", 1.9012, -0.0214, -0.0301, -0.0127, 0.004),
    ("base", "base", 1.9226, None, None, None, None),
    ("no-dedup", "not told apart", 1.9251, 0.0025, -0.0072, 0.0122, 0.61),
    ("no-filters", "worse", 1.9702, 0.0476, 0.0341, 0.0611, 0.001),
]


def _interval(name: str, value: float, half: float) -> dict[str, float]:
    return {name: value, f"{name}_low": round(value - half, 4), f"{name}_high": min(1.0, round(value + half, 4))}


def quality_summary() -> dict[str, Any]:
    """What `workers.curation.quality.train` sums up."""
    figures = {1: (0.97, 0.99, 0.98), 2: (0.91, 0.94, 0.925), 3: (0.84, 0.79, 0.814), 4: (0.71, 0.58, 0.638)}
    groups = {
        f"threshold_{t}": {"num_positive": 420 // t, "min_score": t - 0.5, "best_min_score": t - 0.31, "best_f1": f1}
        | _interval("precision", precision, 0.031)
        | _interval("recall", recall, 0.042)
        | _interval("f1", f1, 0.029)
        for t, (precision, recall, f1) in figures.items()
    }
    plain = {"documents": 460, "bad_labels": 2, "evaluated_on": 460, "l2": 3.0}
    agreement = {"spearman": 0.812, "pearson": 0.829, "mean_absolute_error": 0.541}
    baseline = {"spearman": 0.431, "pearson": 0.402, "mean_absolute_error": 1.07}
    return plain | agreement | groups | {"length_baseline": baseline | _interval("spearman_gain", 0.381, 0.07)}


def ablation_summary() -> dict[str, Any]:
    """What `workers.exploration.report` sums up."""
    names = ("arm", "verdict", "mean", "difference", "low", "high", "p_adjusted")
    rows = [dict(zip(names, arm, strict=True)) | {"num_seeds": 3} for arm in ARMS]
    return {"metric": "bits_per_byte", "winner": "no-repetition", "ranking": rows, "notes": []}
