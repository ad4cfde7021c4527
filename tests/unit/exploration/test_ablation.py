"""Ablations: recipes of variants, statistics against references, ranking with lost trainings."""

import math
import random
import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workers.exploration.ablation import Cell, rank
from workers.exploration.paired import adjust_holm, bootstrap_difference, compare_paired, t_p_value, t_quantile
from workers.specs import RUN_SPEC, preset_names, preset_text
from workers.specs.composition import compose
from workers.specs.exploration import AblationSpec


@pytest.mark.parametrize(
    ("freedom", "expected"),  # NIST/SEMATECH e-Handbook, table 1.3.6.7.2, column 0.975
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (29, 2.045), (100, 1.984)],
)
def test_quantiles_of_t(freedom: int, expected: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(expected, abs=5e-4)


@given(st.floats(-60, 60), st.integers(1, 60))
def test_p_values_equal_a_numerical_integral(t: float, freedom: int) -> None:
    """The density, integrated over the angle theta with x = sqrt(freedom) tan(theta), by Simpson's rule."""
    theta = np.linspace(math.atan(abs(t) / math.sqrt(freedom)), math.pi / 2, 2001)
    density = np.cos(theta) ** (freedom - 1)
    weights = np.array([1, *[4, 2] * 999, 4, 1])
    scale = math.gamma((freedom + 1) / 2) / (math.gamma(freedom / 2) * math.sqrt(math.pi))
    integral = 2 * scale * float((weights * density).sum()) * (theta[1] - theta[0]) / 3
    assert t_p_value(t, freedom) == pytest.approx(integral, abs=1e-9)


def test_two_degrees_of_freedom_in_closed_form() -> None:
    for t in (0.0, 0.5, 3.0, 40.0):
        assert t_p_value(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), abs=1e-12)


def test_a_paired_comparison_by_hand() -> None:
    found = compare_paired([0.1, 0.2, 0.3], 0.95)  # mean .2, deviation .1, error .1 / sqrt(3)
    margin = 4.302653 * 0.1 / math.sqrt(3)
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.2 - margin), pytest.approx(0.2 + margin))
    assert found.p_value == pytest.approx(1 - 2 * math.sqrt(3) / math.sqrt(2 + 12))


def test_no_spread_and_too_little() -> None:
    assert compare_paired([0.5, 0.5, 0.5], 0.95).p_value == 0.0
    assert compare_paired([0.0, 0.0], 0.95).p_value == 1.0
    for bad in ([], [1.0], [1.0, math.nan]):
        with pytest.raises(ValueError, match="two finite differences"):
            compare_paired(bad, 0.95)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=9), st.floats(0.6, 0.999))
def test_interval_and_p_value_agree(differences: list[float], confidence: float) -> None:
    found = compare_paired(differences, confidence)
    assert found.low <= found.difference <= found.high
    if abs(found.p_value - (1 - confidence)) > 1e-6:
        assert (found.p_value < 1 - confidence) == (found.low > 0 or found.high < 0)
    mirrored = compare_paired([-d for d in differences], confidence)
    assert (mirrored.low, mirrored.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.2))
def test_holm_rejects_what_his_procedure_rejects(p_values: list[float], alpha: float) -> None:
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    rejected = set()
    for place, number in enumerate(order):
        if p_values[number] * (len(p_values) - place) >= alpha:
            break
        rejected.add(number)
    assert {i for i, p in enumerate(adjust_holm(p_values)) if p < alpha} == rejected


def test_bootstrap_over_items_is_paired() -> None:
    rng = np.random.default_rng(0)
    bytes_N = rng.integers(100, 1000, 200).astype(np.float64)
    hardness_N = rng.uniform(1, 9, 200)
    base = (hardness_N * bytes_N, bytes_N)
    variant = ((hardness_N - 0.05) * bytes_N, bytes_N)
    low, high = bootstrap_difference(base, variant, 0.95, 2000, 1)
    assert low == pytest.approx(-0.05)  # the texts differ a hundredfold as much as the arms do
    assert high == pytest.approx(-0.05)
    assert bootstrap_difference(base, variant, 0.95, 300, 1) == bootstrap_difference(base, variant, 0.95, 300, 1)


def cells(values: dict[str, list[float]], **changes: Any) -> list[Cell]:
    return [
        Cell(arm, seed, "completed", value=value, tokens=1000, **changes)
        for arm, found in values.items()
        for seed, value in enumerate(found)
    ]


def test_ranking_of_clear_and_unclear_variants() -> None:
    found = cells(
        {
            "base": [2.00, 2.10, 2.05],
            "good": [1.90, 2.00, 1.951],
            "bad": [2.20, 2.31, 2.25],
            "noise": [2.03, 2.05, 2.09],
        }
    )
    ranking = rank(["base", "good", "bad", "noise"], found, "bits_per_byte", 0.95)
    assert [(s.arm, s.verdict) for s in ranking.standings] == [
        ("good", "better"),
        ("base", "base"),
        ("noise", "not told apart"),
        ("bad", "worse"),
    ]
    assert ranking.winner == "good"
    assert ranking.notes == []
    good = ranking.standings[0]
    assert good.difference == pytest.approx(-0.0996667, abs=1e-6)
    assert good.low is not None
    assert good.high is not None
    assert good.low < good.difference < good.high < 0
    assert good.p_value is not None
    assert good.p_adjusted == pytest.approx(min(1.0, 3 * good.p_value))


def test_for_accuracy_more_is_better() -> None:
    found = cells({"base": [0.30, 0.31, 0.32], "good": [0.40, 0.411, 0.42], "bad": [0.20, 0.211, 0.22]})
    ranking = rank(["base", "good", "bad"], found, "accuracy", 0.95)
    assert [s.arm for s in ranking.standings] == ["good", "base", "bad"]
    assert [s.verdict for s in ranking.standings] == ["better", "base", "worse"]


def test_the_number_of_variants_counts() -> None:
    many = {f"v{i}": [2.0, 2.01, 2.02] for i in range(12)}
    borderline = {"base": [2.00, 2.00, 2.00], "one": [1.97, 1.98, 1.96]}  # p = .034
    assert rank(["base", "one"], cells(borderline), "bits_per_byte", 0.95).winner == "one"
    arms = ["base", "one", *many]
    assert rank(arms, cells(borderline | many), "bits_per_byte", 0.95).winner is None


def test_lost_trainings_are_told_and_never_win() -> None:
    found = cells({"base": [2.0, 2.1, 2.05], "half": [1.5, 1.6, 1.55], "lost": [1.0, 1.0, 1.0]})
    for cell in found:
        if (cell.arm, cell.seed) in {("half", 2), ("lost", 0), ("lost", 1)}:
            cell.state, cell.value, cell.error = "failed", None, "OutOfMemory"
    found[0].tokens = 900
    ranking = rank(["base", "half", "lost"], found, "bits_per_byte", 0.95)
    assert [(s.arm, s.verdict) for s in ranking.standings] == [
        ("half", "better"),
        ("base", "base"),
        ("lost", "incomplete"),
    ]
    assert ranking.standings[0].num_seeds == 2
    assert ranking.standings[2].num_failed == 2
    assert any("half lost 1" in note for note in ranking.notes)
    assert any("lost lost 2" in note and "not compared" in note for note in ranking.notes)
    assert any("equally many tokens: 900, 1,000" in note for note in ranking.notes)


def test_a_lost_base_compares_nothing() -> None:
    found = cells({"base": [math.nan] * 3, "v": [1.0, 1.0, 1.1]})
    ranking = rank(["base", "v"], found, "bits_per_byte", 0.95)
    assert ranking.winner is None
    assert {s.verdict for s in ranking.standings} == {"incomplete"}
    assert ranking.notes[0].startswith("the base lost 3")


@given(st.permutations(range(9)), st.randoms(use_true_random=False))
def test_the_order_of_cells_changes_nothing(order: list[int], rng: random.Random) -> None:
    values = {arm: [rng.uniform(1, 2) for _ in range(3)] for arm in ("base", "a", "b")}
    found = cells(values)
    shuffled = [found[i] for i in order]
    arms = ["base", "a", "b"]
    assert rank(arms, found, "bits_per_byte", 0.9) == rank(arms, shuffled, "bits_per_byte", 0.9)


def test_items_give_an_interval_over_texts_and_languages_a_difference() -> None:
    found = []
    for arm, seed in product(("base", "v"), range(2)):
        items = {f"d{i}": ((2.0 + i - (arm == "v") * 0.1) * 100, 100.0) for i in range(20)}
        slices = {"en": 2.0 + seed - (arm == "v") * 0.3, "fr": 3.0}
        value = sum(n for n, _ in items.values()) / sum(d for _, d in items.values())
        found.append(Cell(arm, seed, "completed", value=value + seed, tokens=1, slices=slices, items=items))
    (best, _) = rank(["base", "v"], found, "bits_per_byte", 0.95, num_bootstrap=500).standings
    assert (best.items_low, best.items_high) == (pytest.approx(-0.1), pytest.approx(-0.1))
    assert best.slices == {"en": pytest.approx(-0.3), "fr": 0.0}


BASE = {
    "filters": [
        {"kind": "gopher_quality", "languages": ["fr"], "min_words": 40},
        {"kind": "gopher_quality", "languages": ["en"]},
        {"kind": "gopher_repetition"},
    ]
}


def spec(*variants: dict[str, Any], **changes: Any) -> AblationSpec:
    return AblationSpec.model_validate({"base": BASE, "variants": variants, **changes})


def test_variants_change_the_recipe() -> None:
    found = spec(
        {"name": "no-repetition", "without": ["gopher_repetition"]},
        {"name": "short", "thresholds": {"gopher_quality": {"min_words": 10, "max_words": None}}},
        {"name": "c4", "add": [{"kind": "c4_quality", "min_sentences": 2}]},
        {"name": "no-dedup", "curation": {"dedup": {"minhash": False}, "html_extractor": {"kind": "resiliparse"}}},
        {"name": "french-twice", "mixture": [{"weight": 2, "languages": ["fr"]}, {"weight": 1, "languages": ["en"]}]},
    )
    assert found.arms == ["base", "no-repetition", "short", "c4", "no-dedup", "french-twice"]
    assert [f.kind for f in found.recipe("no-repetition").filters] == ["gopher_quality", "gopher_quality"]
    short = found.recipe("short").filters
    assert [(f.min_words, f.max_words, f.languages) for f in short[:2]] == [(10, None, ["fr"]), (10, None, ["en"])]  # type: ignore[union-attr]  # both are Gopher's
    assert [f.kind for f in found.recipe("c4").filters][-1] == "c4_quality"
    no_dedup = found.recipe("no-dedup")
    assert not no_dedup.dedup.minhash
    assert no_dedup.dedup.exact
    assert no_dedup.html_extractor.kind == "resiliparse"
    assert found.recipe("french-twice") == found.recipe("base") == found.base
    assert [part.weight for part in found.mixture("french-twice")] == [2, 1]
    assert found.mixture("short") == []
    assert found.seeds == [0, 1, 2]


@pytest.mark.parametrize(
    ("variants", "changes", "message"),
    [
        ([{"name": "base", "without": ["gopher_quality"]}], {}, "names of their own"),
        ([{"name": "a", "without": ["gopher_quality"]}] * 2, {}, "names of their own"),
        ([{"name": "a"}], {}, "variant a changes nothing"),
        ([{"name": "a", "thresholds": {"gopher_repetition": {}}}], {}, "changes nothing"),
        ([{"name": "a", "without": ["c4_quality"]}], {}, "no filter 'c4_quality', only gopher_quality, gopher_rep"),
        ([{"name": "a", "thresholds": {"gopher_quality": {"min_wrods": 1}}}], {}, "variant a: /filters/0/min_wrods"),
        ([{"name": "a", "curation": {"dedup": {"seed": -1}}}], {}, "variant a: /dedup/seed"),
        ([{"name": "a", "without": ["gopher_quality"]}], {"rank_by": "cloze"}, "none of the evaluation's tasks: bits"),
        (
            [{"name": "a", "without": ["gopher_quality"]}],
            {"training": {"dataset": "sha256:" + "0" * 64}},
            "stay empty",
        ),
    ],
)
def test_what_does_not_fit_says_so(variants: list[dict[str, Any]], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        spec(*variants, **changes)


def test_the_example_of_the_docs_can_be_launched() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "ablation.md"
    (block,) = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    found = RUN_SPEC.validate_python(compose(yaml.safe_load(block), yaml.safe_load))
    assert isinstance(found, AblationSpec)
    assert found.arms == ["base", "no-repetition", "short-pages", "no-dedup", "more-french"]


def test_presets_of_ablations_are_whole() -> None:
    loaded = [compose(yaml.safe_load(preset_text(name)), yaml.safe_load) for name in preset_names()]
    found = [RUN_SPEC.validate_python(raw) for raw in loaded if raw["kind"] == "ablation"]
    assert found
    for ablation in found:
        assert isinstance(ablation, AblationSpec)
        assert ablation.num_seeds >= 3
        assert len({ablation.recipe(arm).model_dump_json() for arm in ablation.arms}) == len(ablation.arms)
