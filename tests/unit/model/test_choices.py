"""Norms and their places, feed-forward blocks, QK-norm against formulas in float64; counts and starts of weights."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from workers.model.cache import Cache
from workers.model.transformer import Transformer
from workers.specs.training.model import Model
from workers.specs.training.mtp import Parallel, Sequential

CHOICES = [
    {"norm": "layernorm", "ffn": "geglu", "qk_norm": True},
    {"norm_placement": "post", "ffn": "relu2", "nope_interval": 1},
    {"norm_placement": "sandwich", "d_head": 6, "norm": "layernorm", "nope_interval": 1},
    {"parametrization": "completep", "base_d_model": 8, "base_num_layers": 1, "qk_norm": True, "nope_interval": 1},
]
models = st.builds(
    Model,
    d_model=st.sampled_from([16, 48]),
    num_layers=st.integers(1, 3),
    num_heads=st.sampled_from([2, 4]),
    num_kv_heads=st.sampled_from([1, 2]),
    d_head=st.sampled_from([None, 2, 10]),
    d_ffn=st.integers(16, 40),
    ffn=st.sampled_from(["swiglu", "geglu", "relu2"]),
    norm=st.sampled_from(["rmsnorm", "layernorm"]),
    norm_placement=st.sampled_from(["pre", "post", "sandwich"]),
    qk_norm=st.booleans(),
    tied_embeddings=st.booleans(),
    mtp=st.sampled_from([None, Sequential(num_heads=2), Parallel(num_heads=2)]),
)


@given(model=models, vocab_size=st.integers(10, 60))
@settings(max_examples=80, deadline=None)
def test_parameters_are_counted_as_built(model: Model, vocab_size: int) -> None:
    with torch.device("meta"):
        built = Transformer(model, vocab_size)
    assert sum(p.numel() for p in built.parameters()) == model.num_parameters(vocab_size)


def stirred(spec: Model) -> Transformer:
    """A model whose gains and biases are no ones and zeros, so that a norm in the wrong place shows."""
    model = Transformer(spec, 50).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(parameter, mean=1.0, std=0.3)
    return model


def reference(model: Transformer, tokens: list[int]) -> Tensor:
    """Logits of one text, in float64, one head at a time; without RoPE.  -> (T, V)"""
    spec = model.spec
    own = {name: tensor.double() for name, tensor in model.state_dict().items()}

    def norm(name: str, x: Tensor) -> Tensor:
        if spec.norm == "layernorm" and "q_norm" not in name and "k_norm" not in name:
            centred = x - x.mean(-1, keepdim=True)
            scaled = centred / (centred.square().mean(-1, keepdim=True) + spec.norm_eps).sqrt()
            return scaled * own[f"{name}.weight"] + own[f"{name}.bias"]
        return x / (x.square().mean(-1, keepdim=True) + spec.norm_eps).sqrt() * own[f"{name}.weight"]

    def attend(at: str, x: Tensor) -> Tensor:
        width = spec.d_head or spec.d_model // spec.num_heads
        rows = (x @ own[f"{at}.qkv.weight"].T).split(width, dim=-1)
        mup = spec.parametrization != "standard"
        heads = []
        for head in range(spec.num_heads):
            group = head // (spec.num_heads // spec.num_kv_heads)
            q, k = rows[head], rows[spec.num_heads + group]
            v = rows[spec.num_heads + spec.num_kv_heads + group]
            if spec.qk_norm:
                q, k = norm(f"{at}.q_norm", q), norm(f"{at}.k_norm", k)
            scores = q @ k.T / (width if mup else math.sqrt(width))
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -math.inf)
            heads.append(scores.softmax(-1) @ v)
        return torch.cat(heads, -1) @ own[f"{at}.out.weight"].T

    def feed(at: str, x: Tensor) -> Tensor:
        if spec.ffn == "relu2":
            inner = (x @ own[f"{at}.up.weight"].T).clamp(min=0) ** 2
        else:
            gate, up = (x @ own[f"{at}.gate_up.weight"].T).split(spec.d_ffn, -1)
            inner = up * (
                gate / (1 + (-gate).exp()) if spec.ffn == "swiglu" else gate * (1 + torch.erf(gate / 2**0.5)) / 2
            )
        return inner @ own[f"{at}.down.weight"].T

    completep = spec.parametrization == "completep"
    residual = spec.base_num_layers / spec.num_layers if completep else 1.0
    x = own["embedding.weight"][tokens]
    for layer in range(spec.num_layers):
        for sublayer, part in (("attention", attend), ("ffn", feed)):
            at, before, after = (f"blocks.{layer}.{sublayer}{end}" for end in ("", "_norm", "_out_norm"))
            if spec.norm_placement == "post":
                x = norm(before, x + residual * part(at, x))
            else:
                new = part(at, norm(before, x))
                x = x + residual * (norm(after, new) if spec.norm_placement == "sandwich" else new)
    x = x if spec.norm_placement == "post" else norm("norm", x)
    return x @ own["embedding.weight"].T * (spec.base_d_model / spec.d_model if completep else 1.0)


@pytest.mark.parametrize("changes", CHOICES)
def test_logits_are_those_of_the_formulas(changes: dict) -> None:
    shape = {"d_model": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 48, "init_std": 0.3}
    model = stirred(Model(**shape | {"nope_interval": 1} | changes))
    tokens = torch.randint(50, (12,)).tolist()
    with torch.no_grad():
        found = model(torch.tensor([tokens]))[0].double()
    torch.testing.assert_close(found, reference(model, tokens), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("changes", CHOICES)
def test_pieces_with_a_cache_equal_one_pass(changes: dict) -> None:
    shape = {"d_model": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 48, "init_std": 0.3}
    model, tokens, cache = stirred(Model(**shape | changes)), torch.randint(50, (1, 9)), Cache()
    with torch.no_grad():
        pieces = [model(tokens[:, a:b], cache=cache) for a, b in ((0, 4), (4, 5), (5, 9))]
        torch.testing.assert_close(torch.cat(pieces, dim=1), model(tokens), atol=1e-4, rtol=1e-4)


def test_qk_norm_makes_logits_independent_of_the_size_of_queries_and_keys() -> None:
    model = stirred(Model(d_model=32, num_layers=1, num_heads=4, num_kv_heads=2, d_ffn=48, qk_norm=True, norm_eps=1e-9))
    tokens = torch.randint(50, (1, 9))
    with torch.no_grad():
        before = model(tokens)
        model.blocks[0].attention.qkv.weight[: 6 * 8] *= 7
        torch.testing.assert_close(model(tokens), before, rtol=1e-4, atol=1e-5)


def test_weights_start_as_the_spec_says() -> None:
    shape = {"d_model": 128, "num_layers": 8, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 256, "init_std": 0.05}
    plain = Transformer(Model(**shape), 200)
    scaled = Transformer(Model(**shape, init="depth_scaled"), 200)
    wide = Transformer(Model(**shape, parametrization="mup", base_d_model=32), 200)
    for name, weight in plain.state_dict().items():
        if weight.ndim != 2:
            continue
        to_residual = name.endswith(("out.weight", "down.weight"))
        hidden = name.startswith("blocks.")
        others = {"scaled": scaled.state_dict()[name].std(), "wide": wide.state_dict()[name].std()}
        assert weight.std() == pytest.approx(0.05, rel=0.05)
        assert others["scaled"] == pytest.approx(0.05 / 4 if to_residual else 0.05, rel=0.05), name
        assert others["wide"] == pytest.approx(0.025 if hidden else 0.05, rel=0.05), name


def test_shapes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="set d_head"):
        Model(d_model=30, num_heads=4)
    with pytest.raises(ValidationError, match="multiple of 2"):
        Model(d_model=32, num_heads=4, d_head=7)
    assert Model(d_model=30, num_heads=4, d_head=8).head_width == 8


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "SmolLM3ForCausalLM"),
        ({"nope_interval": 0}, "LlamaForCausalLM"),
        ({"nope_interval": 9}, "LlamaForCausalLM"),
        ({"nope_interval": 0, "num_heads": 6, "d_head": 8, "ffn": "geglu"}, "SmolLM3ForCausalLM"),
        ({"nope_interval": 0, "qk_norm": True, "parametrization": "mup"}, "Qwen3ForCausalLM"),
        ({"qk_norm": True}, None),
        ({"norm": "layernorm"}, None),
        ({"norm_placement": "sandwich"}, None),
        ({"ffn": "relu2"}, None),
    ],
)
def test_the_class_of_transformers_that_can_express_it_is_known(changes: dict, expected: str | None) -> None:
    model = Model(**changes)
    assert model.transformers_class == expected
    assert bool(model.own_format_reasons) == (expected is None)
