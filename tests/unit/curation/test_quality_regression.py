"""Ridge, calibration and figures against closed forms in float64 on fresh random inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.quality import metrics
from workers.curation.quality.calibration import IDENTITY, fit_calibration, isotonic
from workers.curation.quality.regression import Design, ridge


@pytest.fixture
def random():
    seed = np.random.SeedSequence().entropy
    print(f"seed {seed}")
    return np.random.default_rng(seed)


def make_design(random, num_rows, num_columns, num_dense, share=0.3):
    matrix = random.normal(size=(num_rows, num_columns)).astype(np.float32) * (
        random.random((num_rows, num_columns)) < share
    )
    dense = np.column_stack([random.normal(size=(num_rows, num_dense)) * 3, np.ones(num_rows)])
    dense[:, 1] = dense[:, 0] * 2 + random.normal(size=num_rows) * 0.01  # figures depend on one another
    starts = np.concatenate([[0], np.cumsum((matrix != 0).sum(1))])
    columns = np.nonzero(matrix)[1].astype(np.int32)
    penalized = np.append(np.ones(num_dense), 0.0)
    return Design(starts, columns, matrix[matrix != 0], num_columns, dense, penalized), matrix.astype(np.float64)


@pytest.mark.parametrize(("num_rows", "num_columns"), [(60, 20), (30, 200)])
def test_ridge_is_the_closed_form(random, num_rows, num_columns):
    design, matrix = make_design(random, num_rows, num_columns, 3)
    targets, strengths = random.uniform(0, 5, num_rows), np.array([0.1, 1.0, 30.0])
    sparse, dense = ridge(design, targets, strengths, tolerance=1e-9)
    whole = np.column_stack([matrix, design.dense])
    penalized = np.append(np.ones(num_columns), design.penalized)
    for k, strength in enumerate(strengths):
        expected = np.linalg.solve(whole.T @ whole + np.diag(penalized * strength), whole.T @ targets)
        assert np.concatenate([sparse[:, k], dense[:, k]]) == pytest.approx(expected, abs=1e-5)
    rough = design.predict(*ridge(design, targets, strengths))
    assert rough == pytest.approx(design.predict(sparse, dense), abs=0.05)


def test_ridge_takes_columns_that_never_change_and_no_columns(random):
    design, _ = make_design(random, 40, 5, 2)
    still = Design(design.starts, design.columns, design.values, 5, design.dense * [1, 0, 1], design.penalized)
    targets = random.uniform(0, 5, 40)
    sparse, dense = ridge(still, targets, np.array([1.0]))
    assert np.isfinite(sparse).all()
    assert abs(dense[1, 0]) < 1e-6
    empty = Design(
        np.zeros(41, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), 0, np.ones((40, 1)), np.zeros(1)
    )
    assert ridge(empty, targets, np.array([1.0]))[1] == pytest.approx(targets.mean())


def test_ridge_refuses_labels_that_are_no_numbers(random):
    design, _ = make_design(random, 10, 5, 2)
    with pytest.raises(ValueError, match="finite labels"):
        ridge(design, np.full(10, np.nan), np.array([1.0]))


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), min_size=1, max_size=25))
def test_isotonic_is_the_min_max_formula(points):
    raw, labels = (np.array(values, dtype=np.float64) for values in zip(*points, strict=True))
    knots, levels = isotonic(raw, labels)
    assert (np.diff(knots) > 0).all()
    assert (np.diff(levels) > 0).all()
    order = np.argsort(raw, kind="stable")
    values = np.unique(raw)
    # Robertson, Wright and Dykstra 1988, section 1.4: max over starts of min over ends of the mean.
    expected = [
        max(
            min(labels[order][(raw[order] >= a) & (raw[order] <= b)].mean() for b in values[values >= value])
            for a in values[values <= value]
        )
        for value in values
    ]
    assert levels == pytest.approx(np.unique(np.round(expected, 9)))


def test_calibration_rises_and_stays_within_the_scale(random):
    raw = random.normal(2.5, 2, 300)
    labels = np.clip(np.round(raw / 2 + 1 + random.normal(0, 0.5, 300)), 0, 5)
    for kind in ("linear", "isotonic"):
        calibration = fit_calibration(kind, raw, labels)
        scores = calibration(np.linspace(-20, 20, 500))
        assert (np.diff(scores) >= 0).all()
        assert scores.min() >= 0
        assert scores.max() <= 5
        assert ((calibration(raw) - labels) ** 2).mean() < ((np.clip(raw, 0, 5) - labels) ** 2).mean()


def test_calibration_leaves_scores_alone_where_it_could_only_follow_noise(random):
    few, many = random.uniform(0, 5, 10), random.uniform(0, 5, 100)
    assert fit_calibration("isotonic", few, few) is IDENTITY
    assert fit_calibration("none", many, many) is IDENTITY
    assert fit_calibration("linear", many, 5 - many) is IDENTITY  # raw scores that point the wrong way
    assert fit_calibration("isotonic", np.ones(100), many) is IDENTITY


def test_figures_of_the_sample_are_the_textbooks():
    labels = np.array([0.0, 1, 1, 2, 3, 5])
    scores = np.array([0.5, 0.5, 2.0, 1.0, 4.0, 3.0])
    one = np.ones((1, 6))
    found = metrics.agreement(one, labels, scores)
    ranks = (np.array([1, 2.5, 2.5, 4, 5, 6]), np.array([1.5, 1.5, 4, 3, 6, 5]))
    assert found["spearman"][0] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert found["pearson"][0] == pytest.approx(np.corrcoef(labels, scores)[0, 1])
    assert found["mean_absolute_error"][0] == pytest.approx(np.abs(labels - scores).mean())
    detected = metrics.detection(one, labels >= 2, scores >= 1)
    assert (detected["precision"][0], detected["recall"][0]) == (0.75, 1.0)
    assert detected["f1"][0] == pytest.approx(6 / 7)


def test_figures_of_a_resample_are_those_of_the_documents_written_out(random):
    labels, scores = random.integers(0, 6, 40).astype(float), np.round(random.uniform(0, 5, 40), 1)
    times = random.multinomial(40, np.full(40, 1 / 40))
    weighted = metrics.agreement(times[None].astype(float), labels, scores)
    copies = np.repeat(np.arange(40), times)
    written = metrics.agreement(np.ones((1, 40)), labels[copies], scores[copies])
    assert {k: v[0] for k, v in weighted.items()} == pytest.approx({k: v[0] for k, v in written.items()})


def test_intervals_cover_and_undefined_figures_are_none(random):
    scores = random.uniform(0, 5, 400)
    labels = np.clip(scores + random.normal(0, 1, 400), 0, 5)
    figures = metrics.bootstrap(lambda weights: metrics.agreement(weights, labels, scores), 400, 500, seed=1)
    again = metrics.bootstrap(lambda weights: metrics.agreement(weights, labels, scores), 400, 500, seed=1)
    found = metrics.interval(figures["mean_absolute_error"])
    assert found == metrics.interval(again["mean_absolute_error"])
    error = np.abs(labels - scores)
    assert found["value"] == pytest.approx(error.mean())
    # Central limit theorem: 1.96 standard errors on each side.
    half = 1.96 * error.std() / 20
    assert (found["value"] - found["low"], found["high"] - found["value"]) == pytest.approx((half, half), rel=0.3)
    nobody = metrics.detection(np.ones((3, 5)), np.zeros(5, bool), np.zeros(5, bool))
    assert metrics.interval(nobody["f1"]) == {"value": None, "low": None, "high": None}


def test_the_best_cut_is_the_best_of_all_cuts(random):
    labels, scores = random.integers(0, 6, 60).astype(float), np.round(random.uniform(0, 5, 60), 1)
    best = metrics.best_cut(labels, scores, 3)

    def f1(cut):
        return metrics.detection(np.ones((1, 60)), labels >= 3, scores >= cut)["f1"][0]

    assert f1(best) == pytest.approx(max(f1(cut) for cut in np.unique(scores)))
    assert metrics.best_cut(np.zeros(60), scores, 3) is None
