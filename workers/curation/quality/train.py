"""From labels to a scorer's folder: count, evaluate on unseen documents, fit on all, save.

The folder: `scorer.json` and `weights.npz` (see `scorer`), `evaluation.json`, `predictions.jsonl` (scores of documents
by models that had not seen them, for looking at failures) and `bad-labels.jsonl` (rows that could not be used).
"""

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from workers.curation.folder import whole_folder
from workers.curation.lines import write_json, write_lines
from workers.curation.quality.evaluation import THRESHOLDS, Labelled, Predictions, best_cuts, evaluate, predict_unseen
from workers.curation.quality.features import count_rows
from workers.curation.quality.fit import MIN_DOCUMENTS, Fit, fit
from workers.curation.quality.labels import BadRow, Label, LabelsError
from workers.curation.quality.scorer import Manifest, save_scorer
from workers.curation.quality.stopping import heed_stop
from workers.reporter import Reporter
from workers.specs.curation.quality import QualityTrainingSpec

MIN_KINDS = 2


def train(
    spec: QualityTrainingSpec,
    labels: Sequence[Label],
    *,
    out: Path,
    reporter: Reporter,
    bad: Sequence[BadRow] = (),
    source: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the scorer into the folder `out`, which appears only when whole. Returns the summary.

    `source` says in the manifest where the labels came from. Raises LabelsError for too few or equal labels,
    StoppedError when a command said stop.
    """
    _check(labels)
    data = count_labelled(spec, labels, reporter)
    predictions = predict_unseen(data, spec, lambda done, total: _progress(reporter, "evaluate", done, total))
    evaluation = evaluate(predictions, spec)
    _progress(reporter, "fit", 0, 1)
    fitted = fit(data.rows, data.labels, data.hashes, spec)
    _progress(reporter, "fit", 1, 1)
    described = _describe(labels, bad, source)
    training = {"num_documents": len(labels), "l2": fitted.l2} | _suggestions(fitted)
    manifest = Manifest(spec.name, spec.model_dump(mode="json"), described, training, evaluation)
    with whole_folder(out) as folder:
        save_scorer(fitted.model, manifest, folder)
        write_json(folder / "evaluation.json", evaluation)
        write_lines(folder / "predictions.jsonl", _prediction_rows(labels, data, predictions))
        write_lines(folder / "bad-labels.jsonl", map(asdict, bad))
    summary = summarize(labels, evaluation, training, len(bad))
    reporter.metrics(len(labels), {f"quality/{k}": v for k, v in summary.items() if isinstance(v, float)})
    reporter.event("stage", f"scorer of {len(labels)} labels", stage="quality")
    return summary


def count_labelled(spec: QualityTrainingSpec, labels: Sequence[Label], reporter: Reporter) -> Labelled:
    """The labelled documents as the regression sees them."""
    texts = [label.text for label in labels]
    rows = count_rows(spec.features, texts, lambda done: _progress(reporter, "count", done, len(texts)))
    hashes = [xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"), spec.seed) for text in texts]
    scores = np.array([label.score for label in labels], dtype=np.float64)
    return Labelled(rows, scores, np.array(hashes, dtype=np.uint64), np.array([float(len(text)) for text in texts]))


def summarize(
    labels: Sequence[Label], evaluation: dict[str, Any], training: dict[str, Any], num_bad: int
) -> dict[str, Any]:
    """The figures that a run shows: plain ones, and a group for each threshold and for the gain over length."""
    agreement = evaluation["agreement"]
    summary: dict[str, Any] = {
        "documents": len(labels), "bad_labels": num_bad, "evaluated_on": evaluation["num_documents"],
        "l2": training["l2"],
    } | {name: figure["value"] for name, figure in agreement.items()}  # fmt: skip
    for row in evaluation["thresholds"]:
        if not row["num_positive"]:
            continue
        group: dict[str, Any] = {"num_positive": row["num_positive"], "min_score": row["min_score"]}
        for name in ("precision", "recall", "f1"):
            group |= {name: row[name]["value"], f"{name}_low": row[name]["low"], f"{name}_high": row[name]["high"]}
        best = training["best_min_score"].get(str(row["threshold"]))
        summary[f"threshold_{row['threshold']}"] = group | {"best_min_score": best, "best_f1": row["best_f1"]["value"]}
    summary["length_baseline"] = {name: figure["length"]["value"] for name, figure in agreement.items()} | {
        f"spearman_gain{suffix}": agreement["spearman"]["gain"][name]
        for name, suffix in (("value", ""), ("low", "_low"), ("high", "_high"))
    }
    return summary


def _check(labels: Sequence[Label]) -> None:
    if len(labels) < MIN_DOCUMENTS * 2:
        raise LabelsError(f"{len(labels)} labels are too few to learn from and to measure: give {2 * MIN_DOCUMENTS}")
    if len({label.score for label in labels}) < MIN_KINDS:
        raise LabelsError(f"all {len(labels)} labels are {labels[0].score:g}: there is nothing to tell apart")


def _progress(reporter: Reporter, stage: str, done: int, total: int) -> None:
    reporter.progress(stage, done, total, "documents" if stage == "count" else "")
    if done % 100 == 0 or done == total:
        heed_stop(reporter)


def _describe(labels: Sequence[Label], bad: Sequence[BadRow], source: dict[str, Any] | None) -> dict[str, Any]:
    counts = Tally(f"{round(label.score)}" for label in labels)
    reasons = Tally(row.reason for row in bad)
    described = {"num_labels": len(labels), "by_rounded_score": dict(sorted(counts.items())), "bad": dict(reasons)}
    return {"source": source or {}} | described


def _suggestions(fitted: Fit) -> dict[str, Any]:
    cuts = zip(THRESHOLDS, best_cuts(fitted.validation_labels, fitted.validation_scores), strict=True)
    quantiles = np.quantile(fitted.validation_scores, np.arange(1, 20) / 20) if len(fitted.validation_scores) else []
    return {
        "best_min_score": {str(t): round(cut, 2) for t, cut in cuts if np.isfinite(cut)},
        "score_quantiles": [round(float(value), 3) for value in quantiles],
    }


def _prediction_rows(labels: Sequence[Label], data: Labelled, predictions: Predictions) -> list[dict[str, Any]]:
    return [
        {
            "document_id": labels[position].document_id,
            "text_hash": f"{int(data.hashes[position]):016x}",
            "label": float(predictions.labels[row]),
            "score": round(float(predictions.scores[row]), 4),
            "length_score": round(float(predictions.length_scores[row]), 4),
            "text": labels[position].text[:200],
        }
        for row, position in enumerate(predictions.positions.tolist())
    ]
