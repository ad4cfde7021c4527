"""Specs: strict, with errors that point at the field; presets are valid."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workers.model.transformer import Transformer
from workers.specs import RUN_SPEC, preset_names, preset_text
from workers.specs.base import problems
from workers.specs.composition import compose, lay_over
from workers.specs.training import TrainingSpec
from workers.specs.training.model import Model


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid_and_describe_themselves(name: str) -> None:
    text = preset_text(name)
    assert text.startswith("# ")
    RUN_SPEC.validate_python(compose(yaml.safe_load(text), yaml.safe_load))


def test_a_preset_can_stand_inside_a_spec() -> None:
    spec = compose(
        {"kind": "pipeline", "curation": {"preset": "debian-docs", "dedup": {"minhash": False}}}, yaml.safe_load
    )
    assert spec["curation"]["dedup"] == {"before_filters": True, "minhash": False}
    assert spec["curation"]["name"] == "debian-docs"


def test_another_kind_replaces_an_object_whole() -> None:
    base = {"optimizer": {"kind": "adamw", "beta1": 0.8}}
    assert lay_over(base, {"optimizer": {"kind": "muon"}}) == {"optimizer": {"kind": "muon"}}
    assert lay_over(base, {"optimizer": {"lr": 1.0}}) == {"optimizer": {"kind": "adamw", "beta1": 0.8, "lr": 1.0}}


def test_the_demo_preset_is_there() -> None:
    assert "pipeline" in preset_names()


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="pipeline"):
        preset_text("no-such-preset")


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        ({"kind": "training", "lerning_rate": 1}, "/training/lerning_rate"),
        ({"kind": "training", "optimizer": {"kind": "adamw", "lr": -1}}, "/training/optimizer/adamw/lr"),
        ({"kind": "pipeline", "training": {"model": {"d_modl": 3}}}, "/pipeline/training/model/d_modl"),
        ({"kind": "curation", "filters": [{"kind": "url", "x": 1}]}, "/curation/filters/0/url/x"),
    ],
)
def test_errors_point_at_the_field(spec: dict[str, object], pointer: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RUN_SPEC.validate_python(spec)
    assert pointer in [problem["pointer"] for problem in problems(caught.value)]


def test_warm_up_must_leave_steps() -> None:
    with pytest.raises(ValidationError, match="warmup_steps"):
        TrainingSpec.model_validate({"num_steps": 10})


def test_equal_specs_have_equal_hashes() -> None:
    assert TrainingSpec(seed=1).content_hash() == TrainingSpec(seed=1).content_hash()
    assert TrainingSpec(seed=1).content_hash() != TrainingSpec(seed=2).content_hash()


@given(
    heads=st.sampled_from([1, 2, 4, 8]),
    head_width=st.sampled_from([16, 32]),
    layers=st.integers(1, 3),
    ffn=st.integers(16, 64),
    tied=st.booleans(),
)
def test_parameters_are_counted_as_the_model_has_them(
    heads: int, head_width: int, layers: int, ffn: int, tied: bool
) -> None:
    model = Model(
        d_model=heads * head_width,
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=1,
        d_ffn=ffn,
        tied_embeddings=tied,
    )
    built = Transformer(model, vocab_size=50)
    assert sum(p.numel() for p in built.parameters()) == model.num_parameters(50)
