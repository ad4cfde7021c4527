"""Training a scorer: what it learns, that it is the same each time, and what it says of bad labels."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from workers.curation.folder import StoppedError
from workers.curation.quality.__main__ import main
from workers.curation.quality.evaluation import predict_unseen
from workers.curation.quality.labels import Label, LabelsError
from workers.curation.quality.scorer import load_scorer
from workers.curation.quality.train import count_labelled, train
from workers.reporter import MemoryReporter
from workers.specs.curation.quality import QualityTrainingSpec
from workers.specs.events import Command

GOOD = [
    "because", "therefore", "explains", "example", "learn", "reason", "water",
    "light", "energy", "plant", "history", "result", "cause", "shows",
]  # fmt: skip
BAD = [
    "click", "cart", "login", "buy", "cheap", "free", "offer", "share",
    "print", "menu", "home", "next", "terms", "cookie", "subscribe", "banner",
]  # fmt: skip
PLAIN = [
    "the", "of", "and", "a", "in", "is", "to", "for", "with", "on",
    "as", "by", "that", "this", "at", "from", "it", "are", "was",
]  # fmt: skip
SMALL = {"num_buckets_log2": 14}


def make_labels(number, seed=0):
    """Texts in which the share of good words makes the label, and length says nothing."""
    random = np.random.default_rng(seed)
    labels = []
    for i in range(number):
        score = int(random.integers(0, 6))
        words = []
        for _ in range(int(random.integers(40, 400))):
            pool = PLAIN if random.random() < 0.6 else GOOD if random.random() < score / 5 else BAD
            words.append(str(random.choice(pool)))
            if random.random() < 0.1:
                words.append(".")
        labels.append(Label(" ".join(words), float(score), f"d{i}"))
    return labels


def make_spec(**changes):
    base = {"labels": {"kind": "file", "path": "/labels.jsonl"}, "features": SMALL, "num_bootstrap": 200}
    return QualityTrainingSpec.model_validate(base | changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("quality") / "scorer"
    reporter = MemoryReporter()
    summary = train(make_spec(), make_labels(400), out=out, reporter=reporter, source={"kind": "file"})
    return out, summary, reporter


def test_it_learns_and_beats_the_length_baseline(trained):
    out, summary, _ = trained
    assert summary["spearman"] > 0.9
    assert summary["length_baseline"]["spearman_gain_low"] > 0.5
    assert summary["threshold_3"]["f1"] > 0.9
    assert summary["threshold_3"]["f1_low"] < summary["threshold_3"]["f1"] < summary["threshold_3"]["f1_high"]
    assert (summary["documents"], summary["evaluated_on"]) == (400, 400)
    fresh = make_labels(100, seed=1)
    scorer = load_scorer(out)
    scores = np.array([scorer.score(label.text) for label in fresh])
    errors = np.abs(scores - [label.score for label in fresh])
    assert errors.mean() == pytest.approx(summary["mean_absolute_error"], abs=0.25)
    assert ((scores >= 0) & (scores <= 5)).all()


def test_the_folder_tells_its_making(trained):
    out, summary, reporter = trained
    manifest = json.loads((out / "scorer.json").read_text())
    assert manifest["labels"]["source"] == {"kind": "file"}
    assert manifest["labels"]["num_labels"] == 400
    assert manifest["training"]["l2"] == summary["l2"]
    assert len(manifest["training"]["score_quantiles"]) == 19
    thresholds = json.loads((out / "evaluation.json").read_text())["thresholds"]
    assert [(row["threshold"], row["min_score"]) for row in thresholds] == [(t, t - 0.5) for t in (1, 2, 3, 4, 5)]
    assert all({"precision", "recall", "f1", "length_f1", "f1_gain"} <= row.keys() for row in thresholds)
    predictions = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert sorted(row["document_id"] for row in predictions) == sorted(f"d{i}" for i in range(400))
    reporter.flush()
    stages = {event.data["stage"] for event in reporter.batch.events if event.kind == "progress"}
    assert {"count", "evaluate", "fit"} <= stages
    assert reporter.series("quality/spearman")[0][1] == summary["spearman"]


def test_the_same_labels_give_the_same_bytes(trained, tmp_path):
    out, _, _ = trained
    train(make_spec(), make_labels(400), out=tmp_path / "again", reporter=MemoryReporter(), source={"kind": "file"})
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_unseen_documents_are_scored_by_a_model_without_them_and_equal_texts_stay_together():
    spec = make_spec(calibration="none")
    labels = make_labels(60)
    twice = [*labels, *labels[:20]]
    data = count_labelled(spec, twice, MemoryReporter())
    found = predict_unseen(data, spec)
    scores = dict(zip(found.positions.tolist(), found.scores.tolist(), strict=True))
    assert sorted(scores) == list(range(80))
    assert [scores[60 + i] for i in range(20)] == pytest.approx([scores[i] for i in range(20)])
    held = predict_unseen(data, make_spec(split={"kind": "heldout", "share": 0.3}))
    assert 8 < len(held.labels) < 45
    # Nothing of a document's own label reaches its score: turn one label round, and its score stays.
    odd = make_spec(split={"kind": "heldout", "share": 0.3}, calibration="none", l2=1.0)
    before = predict_unseen(data, odd)
    data.labels[before.positions[0]] = 5 - data.labels[before.positions[0]]
    assert (predict_unseen(data, odd).scores == before.scores).all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (make_labels(5), "5 labels are too few"),
        ([Label(f"text {i}", 3.0) for i in range(50)], "all 50 labels are 3"),
    ],
)
def test_labels_from_which_nothing_can_be_learned_are_refused(labels, message, tmp_path):
    with pytest.raises(LabelsError, match=message):
        train(make_spec(), labels, out=tmp_path / "out", reporter=MemoryReporter())
    assert not (tmp_path / "out").exists()


def test_texts_that_cannot_be_told_apart_give_a_scorer_that_says_so(tmp_path):
    labels = [Label("the same text", float(i % 6)) for i in range(60)]
    with pytest.raises(ValueError, match="too few to learn from"):  # all fall into one fold
        train(make_spec(), labels, out=tmp_path / "out", reporter=MemoryReporter())


def test_a_stop_command_stops_and_leaves_nothing(tmp_path):
    reporter = MemoryReporter()
    reporter.pending = [Command(id="c1", kind="stop")]
    with pytest.raises(StoppedError):
        train(make_spec(), make_labels(150), out=tmp_path / "out", reporter=reporter)
    assert list(tmp_path.iterdir()) == []


def write_spec(folder: Path, rows, **changes):
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {"kind": "quality", "features": SMALL, "num_bootstrap": 100} | changes
    spec.setdefault("labels", {"kind": "file", "path": str(folder / "labels.jsonl")})
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    return str(folder / "spec.yaml")


def test_the_command_trains_and_prints_a_summary_last(tmp_path, capsys):
    rows = [{"text": label.text, "score": label.score} for label in make_labels(80)]
    spec = write_spec(tmp_path, [*rows, {"text": "no score"}])
    assert main([spec, "--out", str(tmp_path / "scorer")]) == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out.splitlines()[-1])
    assert (summary["documents"], summary["bad_labels"]) == (80, 1)
    assert "line 81: no_score" in printed.err
    assert load_scorer(Path(summary["scorer"])).score(rows[0]["text"]) >= 0
    assert json.loads((tmp_path / "scorer" / "bad-labels.jsonl").read_text())["line"] == 81


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": {"num_buckets_log2": 99}}, "/features/num_buckets_log2"),
        ({"labels": {"kind": "file", "path": "/no/such/place.jsonl"}}, "/no/such/place.jsonl cannot be read"),
        ({"labels": {"kind": "people", "dataset": "sha256:" + "0" * 64}}, "headrace quality labels"),
        (
            {"labels": {"kind": "teacher", "model": "/no/such/place", "dataset": "/data"}},
            "there is no model '/no/such/place'",
        ),
        (
            {"labels": {"kind": "teacher", "dataset": "/d", "method": "perplexity", "scale": "probability"}},
            "scale: rank",
        ),
        ({"features": {"word_ngrams": 0, "shape": False}}, "nothing is left to look at"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, capsys, changes, message):
    code = main([write_spec(tmp_path, [], **changes), "--out", str(tmp_path / "scorer")])
    assert code in {1, 2}
    assert message in capsys.readouterr().err
    assert not (tmp_path / "scorer").exists()
