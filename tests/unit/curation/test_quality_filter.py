"""The filter that uses a scorer, and the scorer's folder: what is loaded, and what is refused."""

import json
import pickle
import shutil

import numpy as np
import pytest
from pydantic import ValidationError

from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.quality.calibration import IDENTITY, Calibration
from workers.curation.quality.features import SHAPE_FIGURES, Counter
from workers.curation.quality.scorer import Manifest, Model, Scorer, load_scorer, save_scorer
from workers.curation.text import Text
from workers.specs.curation.quality import HashedNgrams, QualityScore

FEATURES = HashedNgrams(num_buckets_log2=12, word_ngrams=2)


def make_model(seed=0, calibration=IDENTITY, features=FEATURES, constant=2.5):
    random = np.random.default_rng(seed)
    table = random.normal(size=(1 << features.num_buckets_log2, 2)).astype(np.float32)
    table[:, 0] = np.abs(table[:, 0]) * (random.random(len(table)) < 0.7)
    num_figures = len(SHAPE_FIGURES) if features.shape else 0
    mean, weights = random.normal(size=num_figures), random.normal(size=num_figures) * 0.02
    return Model(features, table, mean, weights, constant, calibration)


@pytest.fixture
def folder(tmp_path):
    save_scorer(make_model(), Manifest("toy"), tmp_path / "scorer")
    return tmp_path / "scorer"


def document(text, language="en"):
    return Document(id="d", source="s", text=text, media_type="text/plain", language=language)


def judge(spec, text):
    one = document(text)
    return one, build_filter(spec).judge(one, Text(one.text, "en"))


TEXTS = ["", "one", "A few words, and then some more of them.\n\nNext: 1 2 3", "x " * 3000]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("shape", [True, False])
def test_scores_are_the_formulas_in_float64(text, shape):
    features = FEATURES.model_copy(update={"shape": shape})
    model = make_model(features=features, calibration=Calibration((0.0, 2.0, 5.0), (1.0, 2.5, 4.0)))
    counter = Counter(features)
    slots, figures = counter.count(text)
    values = np.log1p(counter.counts_V[slots].astype(float)) * model.table[slots, 0]
    norm = np.sqrt((values**2).sum())
    raw = (values @ model.table[slots, 1].astype(float)) / norm if norm else 0.0
    raw += float((figures - model.shape_mean) @ model.shape_weights) + 2.5
    scorer = Scorer(model)
    assert scorer.raw_score(text) == pytest.approx(raw, abs=1e-9)
    assert scorer.score(text) == pytest.approx(np.interp(raw, [0, 2, 5], [1, 2.5, 4]), abs=1e-9)
    assert scorer.score(text) == scorer.score(text)  # no counts stay behind


def test_a_scorer_that_was_saved_scores_the_same(folder):
    assert [load_scorer(folder).score(text) for text in TEXTS] == [Scorer(make_model()).score(text) for text in TEXTS]


def test_the_filter_writes_column_bucket_and_figure_and_drops_below(folder):
    score = round(load_scorer(folder).score(TEXTS[2]), 2)
    kept, verdict = judge(QualityScore(scorer=str(folder), min_score=score), TEXTS[2])
    assert isinstance(verdict, Text)
    assert kept.metadata["quality_score"] == score == kept.figures["quality_score.min_score"]
    dropped, verdict = judge(QualityScore(scorer=str(folder), min_score=score + 0.01), TEXTS[2])
    assert verdict == Drop("quality_score.min_score", score, score + 0.01)
    assert dropped.metadata["quality_score"] == score
    unlimited, verdict = judge(QualityScore(scorer=str(folder)), TEXTS[2])
    assert isinstance(verdict, Text)
    assert unlimited.figures == {"quality_score.min_score": score}


@pytest.mark.parametrize(("constant", "bucket"), [(-9.0, 0), (1.0, 1), (2.0, 1), (2.5, 2), (9.0, 2)])
def test_buckets_begin_at_their_bounds(tmp_path, constant, bucket):
    features = FEATURES.model_copy(update={"shape": False})
    save_scorer(make_model(features=features, constant=constant), Manifest("toy"), tmp_path / "s")
    kept, _ = judge(QualityScore(scorer=str(tmp_path / "s"), buckets=[1.0, 2.5]), "")
    assert kept.metadata["quality_bucket"] == bucket


def test_bounds_must_ascend():
    with pytest.raises(ValidationError, match="must ascend"):
        QualityScore(scorer="x", buckets=[2.0, 2.0])


def test_languages_are_the_specs(folder):
    assert build_filter(QualityScore(scorer=str(folder), languages=["fr"])).languages == frozenset({"fr"})


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        ("sha256:" + "0" * 64, "its digest is resolved by the service's run"),
        ("/no/such/place", "is no folder on this worker"),
    ],
)
def test_a_scorer_that_is_no_folder_says_what_to_do(scorer, message):
    with pytest.raises(ValueError, match=message):
        build_filter(QualityScore(scorer=scorer))


def change(folder, **fields):
    manifest = json.loads((folder / "scorer.json").read_text()) | fields
    (folder / "scorer.json").write_text(json.dumps(manifest))


def spoil_version(folder):
    change(folder, features_version=99)


def spoil_weights(folder):
    content = (folder / "weights.npz").read_bytes()
    (folder / "weights.npz").write_bytes(content[:-20])


def spoil_features(folder):
    change(folder, features={"num_buckets_log2": 13})


def spoil_manifest(folder):
    (folder / "scorer.json").write_text("[1, 2")


def spoil_by_pickle(folder):
    import hashlib

    np.savez(folder / "weights.npz", table=np.array([Evil()], dtype=object), shape_mean=[0.0], shape_weights=[0.0])
    change(folder, weights_sha256=hashlib.sha256((folder / "weights.npz").read_bytes()).hexdigest())


class Evil:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the weights were unpickled",))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_version, "features of version 99.*train it again"),
        (spoil_weights, "damaged"),
        (spoil_features, "shape of its features"),
        (spoil_manifest, r"scorer\.json is missing or unreadable"),
        (spoil_by_pickle, "damaged"),
        (lambda folder: (folder / "weights.npz").unlink(), "damaged"),
        (lambda folder: shutil.rmtree(folder) or folder.mkdir(), "is no folder of a trained scorer"),
    ],
)
def test_folders_that_are_no_sound_scorer_are_refused(folder, spoil, message):
    spoil(folder)
    with pytest.raises(ValueError, match=message):
        load_scorer(folder)


def test_the_evil_object_would_be_noticed():
    with pytest.raises(pytest.fail.Exception):
        pickle.loads(pickle.dumps(Evil()))
