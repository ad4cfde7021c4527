"""Our names and shapes <-> those of transformers' Llama, Qwen3 and SmolLM3.

Going out, muP's factors are folded into the weights beside them, since these classes have none. Coming in, a config
that our model cannot express is refused.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from workers.model.parametrization import Multipliers
from workers.model.transformer import Transformer
from workers.specs.training.model import Model

MODEL_TYPES = {"LlamaForCausalLM": "llama", "Qwen3ForCausalLM": "qwen3", "SmolLM3ForCausalLM": "smollm3"}
_ACTIVATIONS = {"swiglu": "silu", "geglu": "gelu"}
_SAME = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.out.weight": "self_attn.o_proj.weight",
    "attention.q_norm.weight": "self_attn.q_norm.weight",
    "attention.k_norm.weight": "self_attn.k_norm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn.down.weight": "mlp.down_proj.weight",
}
_FUSED = {
    "attention.qkv.weight": tuple(f"self_attn.{part}_proj.weight" for part in "qkv"),
    "ffn.gate_up.weight": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
}
"""Ours is theirs one upon the other."""


def to_hf_state_dict(model: Transformer) -> dict[str, Tensor]:
    """Weights under Hugging Face's names; fused projections are cut apart. Tied models have no `lm_head.weight`.

    Raises ValueError when no class can express the model.
    """
    spec, factors = model.spec, Multipliers.of(model.spec)
    _check_expressible(spec)
    own = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    weights = {
        "model.embed_tokens.weight": own["embedding.weight"],
        "model.norm.weight": own["norm.weight"] * factors.logits,
    }
    for layer in range(spec.num_layers):
        ours, theirs = f"blocks.{layer}", f"model.layers.{layer}"
        sizes = {"ffn.gate_up.weight": (spec.d_ffn, spec.d_ffn), "attention.qkv.weight": _heads(spec)}
        for name, parts in _FUSED.items():
            pieces = own[f"{ours}.{name}"].split(sizes[name])
            weights |= {f"{theirs}.{part}": piece for part, piece in zip(parts, pieces, strict=True)}
        weights |= {f"{theirs}.{to}": own[f"{ours}.{name}"] for name, to in _SAME.items() if f"{ours}.{name}" in own}
        query = "q_norm" if spec.qk_norm else "q_proj"
        for name, factor in (
            (f"self_attn.{query}.weight", factors.query),
            ("self_attn.o_proj.weight", factors.residual),
            ("mlp.down_proj.weight", factors.residual),
        ):
            weights[f"{theirs}.{name}"] = weights[f"{theirs}.{name}"] * factor
    if model.head is not None:
        weights["lm_head.weight"] = own["head.weight"]
    return {name: tensor.contiguous().clone() for name, tensor in weights.items()}


def from_hf_state_dict(spec: Model, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under our names, in fp32. Raises ValueError when some are missing or left over."""
    left = dict(theirs)
    own: dict[str, Tensor] = {}

    def take(name: str) -> Tensor:
        if name not in left:
            raise ValueError(f"the weights have no {name}")
        return left.pop(name).float()

    own["embedding.weight"], own["norm.weight"] = take("model.embed_tokens.weight"), take("model.norm.weight")
    for layer in range(spec.num_layers):
        for name, to in _SAME.items():
            if spec.qk_norm or to not in ("self_attn.q_norm.weight", "self_attn.k_norm.weight"):
                own[f"blocks.{layer}.{name}"] = take(f"model.layers.{layer}.{to}")
        for name, parts in _FUSED.items():
            own[f"blocks.{layer}.{name}"] = torch.cat([take(f"model.layers.{layer}.{part}") for part in parts])
    if not spec.tied_embeddings:
        own["head.weight"] = take("lm_head.weight")
    left.pop("lm_head.weight", None)  # of tied models: the embedding once more
    if extra := [name for name in left if not name.endswith("rotary_emb.inv_freq")]:
        raise ValueError(f"weights that our model has no place for: {', '.join(sorted(extra)[:4])}")
    return own


def hf_config(model: Model, vocab_size: int) -> dict[str, Any]:
    """Contents of `config.json`. The caller adds special token ids and `max_position_embeddings`.

    Raises ValueError when no class can express the model.
    """
    name = _check_expressible(model)
    config = {
        "architectures": [name],
        "model_type": MODEL_TYPES[name],
        "vocab_size": vocab_size,
        "hidden_size": model.d_model,
        "intermediate_size": model.d_ffn,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_heads,
        "num_key_value_heads": model.num_kv_heads,
        "head_dim": model.head_width,
        "hidden_act": _ACTIVATIONS[model.ffn],
        "rms_norm_eps": model.norm_eps,
        "initializer_range": model.init_std,
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_theta},
        "attention_bias": False,
        "tie_word_embeddings": model.tied_embeddings,
        "dtype": "float32",
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if name != "Qwen3ForCausalLM":
        config["mlp_bias"] = False
    if name != "LlamaForCausalLM":
        config |= {"use_sliding_window": False, "layer_types": ["full_attention"] * model.num_layers}
    if name == "SmolLM3ForCausalLM":
        config["no_rope_layer_interval"] = model.nope_interval or model.num_layers + 1
        config["no_rope_layers"] = rotary_layers(model.nope_interval, model.num_layers)
    return config


def model_of_config(config: Mapping[str, Any]) -> Model:
    """The spec of a config.json. Raises ValueError for what our model cannot express, and says what that is."""
    kind = config.get("model_type")
    if kind not in MODEL_TYPES.values():
        raise ValueError(f"model_type {kind!r} is none of {', '.join(MODEL_TYPES.values())}")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10_000.0))
    activation = {theirs: ours for ours, theirs in _ACTIVATIONS.items()}.get(config.get("hidden_act", "silu"))
    num_layers, num_heads = config["num_hidden_layers"], config["num_attention_heads"]
    refused = {
        "attention_bias": config.get("attention_bias"),
        "mlp_bias": config.get("mlp_bias"),
        f"rope {rope}": rope.get("rope_type", rope.get("type", "default")) != "default",
        f"partial_rotary_factor {rope.get('partial_rotary_factor')}": rope.get("partial_rotary_factor", 1) != 1,
        "sliding attention": "sliding_attention" in (config.get("layer_types") or []),
        f"hidden_act {config.get('hidden_act')}": activation is None,
    }
    if wrong := [name for name, is_there in refused.items() if is_there]:
        raise ValueError(f"our model has no {', '.join(wrong)}")
    return Model(
        d_model=config["hidden_size"],
        num_layers=num_layers,
        num_heads=num_heads,
        num_kv_heads=config.get("num_key_value_heads") or num_heads,
        d_head=_width_unless_plain(config.get("head_dim"), config["hidden_size"], num_heads),
        d_ffn=config["intermediate_size"],
        ffn=activation,
        qk_norm=kind == "qwen3",
        rope_theta=theta,
        nope_interval=_interval(config, num_layers) if kind == "smollm3" else 0,
        norm_eps=config.get("rms_norm_eps", 1e-6),
        tied_embeddings=config.get("tie_word_embeddings", kind == "smollm3"),
        init_std=config.get("initializer_range") or 0.02,
    )


def rotary_layers(nope_interval: int, num_layers: int) -> list[int]:
    """1 for each layer that has RoPE, else 0."""
    return [int(not nope_interval or (layer + 1) % nope_interval != 0) for layer in range(num_layers)]


def _interval(config: Mapping[str, Any], num_layers: int) -> int:
    """What `nope_interval` gives these layers without RoPE. Raises ValueError when none does."""
    interval = config.get("no_rope_layer_interval") or 4
    layers = config.get("no_rope_layers") or rotary_layers(interval, num_layers)
    for candidate in (0, *range(1, num_layers + 1)):
        if rotary_layers(candidate, num_layers) == list(layers):
            return candidate
    raise ValueError(f"no_rope_layers {layers} are not every n-th layer")


def _heads(spec: Model) -> tuple[int, int, int]:
    d_kv = spec.head_width * spec.num_kv_heads
    return spec.head_width * spec.num_heads, d_kv, d_kv


def _width_unless_plain(head_dim: int | None, d_model: int, num_heads: int) -> int | None:
    return None if head_dim is None or head_dim * num_heads == d_model else head_dim


def _check_expressible(model: Model) -> str:
    if model.transformers_class is None:
        raise ValueError(f"no class of transformers can express it: {', '.join(model.own_format_reasons)}")
    return model.transformers_class
