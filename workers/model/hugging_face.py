"""Our names and shapes -> those of transformers' `SmolLM3ForCausalLM`. A pure mapping; nothing is computed."""

from typing import Any

from torch import Tensor

from workers.model.transformer import Transformer
from workers.specs.training.model import Model


def to_hf_state_dict(model: Transformer) -> dict[str, Tensor]:
    """Weights under Hugging Face's names; fused projections are cut apart. Tied models have no `lm_head.weight`."""
    spec = model.spec
    d_head = spec.d_model // spec.num_heads
    d_kv = d_head * spec.num_kv_heads
    own = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    weights = {"model.embed_tokens.weight": own["embedding.weight"], "model.norm.weight": own["norm.weight"]}
    for layer in range(spec.num_layers):
        ours, theirs = f"blocks.{layer}", f"model.layers.{layer}"
        q, k, v = own[f"{ours}.attention.qkv.weight"].split((spec.d_model, d_kv, d_kv))
        gate, up = own[f"{ours}.ffn.gate_up.weight"].chunk(2)
        weights |= {
            f"{theirs}.input_layernorm.weight": own[f"{ours}.attention_norm.weight"],
            f"{theirs}.self_attn.q_proj.weight": q,
            f"{theirs}.self_attn.k_proj.weight": k,
            f"{theirs}.self_attn.v_proj.weight": v,
            f"{theirs}.self_attn.o_proj.weight": own[f"{ours}.attention.out.weight"],
            f"{theirs}.post_attention_layernorm.weight": own[f"{ours}.ffn_norm.weight"],
            f"{theirs}.mlp.gate_proj.weight": gate,
            f"{theirs}.mlp.up_proj.weight": up,
            f"{theirs}.mlp.down_proj.weight": own[f"{ours}.ffn.down.weight"],
        }
    if model.head is not None:
        weights["lm_head.weight"] = own["head.weight"]
    return {name: tensor.contiguous().clone() for name, tensor in weights.items()}


def hf_config(model: Model, vocab_size: int) -> dict[str, Any]:
    """Contents of `config.json`. The caller adds special token ids and `max_position_embeddings`."""
    rotary = [
        int(not model.nope_interval or (layer + 1) % model.nope_interval != 0) for layer in range(model.num_layers)
    ]
    return {
        "architectures": ["SmolLM3ForCausalLM"],
        "model_type": "smollm3",
        "vocab_size": vocab_size,
        "hidden_size": model.d_model,
        "intermediate_size": model.d_ffn,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_heads,
        "num_key_value_heads": model.num_kv_heads,
        "hidden_act": "silu",
        "rms_norm_eps": model.norm_eps,
        "initializer_range": model.init_std,
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_theta},
        "no_rope_layer_interval": model.nope_interval or model.num_layers + 1,
        "no_rope_layers": rotary,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": model.tied_embeddings,
        "use_sliding_window": False,
        "dtype": "float32",
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None,
    }
