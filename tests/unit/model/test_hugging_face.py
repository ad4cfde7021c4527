"""Llama, Qwen3 and SmolLM3 of transformers: out with equal logits, and back again from the folder."""

import json
from pathlib import Path

import pytest
import torch

from workers.model.foreign import build, open_any_model
from workers.model.hugging_face import hf_config, model_of_config, to_hf_state_dict
from workers.model.transformer import Transformer
from workers.specs.training.model import Model

SHAPE = {"d_model": 32, "num_layers": 4, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 48, "init_std": 0.2}
MUP = {"base_d_model": 16, "base_num_layers": 2}
EXPRESSIBLE = [
    ("LlamaForCausalLM", {"nope_interval": 0}),
    ("LlamaForCausalLM", {"nope_interval": 0, "d_head": 16, "ffn": "geglu", "tied_embeddings": False}),
    ("LlamaForCausalLM", {"nope_interval": 0, "parametrization": "completep", **MUP}),
    ("Qwen3ForCausalLM", {"nope_interval": 0, "qk_norm": True, "d_head": 12}),
    ("Qwen3ForCausalLM", {"nope_interval": 9, "qk_norm": True, "tied_embeddings": False, "rope_theta": 300.0}),
    ("Qwen3ForCausalLM", {"nope_interval": 0, "qk_norm": True, "parametrization": "completep", **MUP}),
    ("SmolLM3ForCausalLM", {"nope_interval": 3, "parametrization": "mup", **MUP}),
    ("SmolLM3ForCausalLM", {"nope_interval": 2, "d_head": 10, "norm_eps": 1e-4}),
    ("SmolLM3ForCausalLM", {"nope_interval": 0, "d_head": 8, "num_heads": 6, "init": "depth_scaled"}),
]


def stirred(spec: Model) -> Transformer:
    model = Transformer(spec, 97).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:  # gains of 1 would hide a norm in the wrong place
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def logits(model: torch.nn.Module) -> torch.Tensor:
    tokens = torch.randint(97, (2, 33), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = model(tokens)
    return found if isinstance(found, torch.Tensor) else found.logits


@pytest.mark.parametrize(("name", "changes"), EXPRESSIBLE)
def test_logits_are_those_of_transformers_and_it_comes_back(name: str, changes: dict, tmp_path: Path) -> None:
    import transformers

    ours = stirred(Model(**SHAPE | changes))
    config = hf_config(ours.spec, 97)
    assert config["architectures"] == [name]
    theirs = getattr(transformers, name)(transformers.AutoConfig.for_model(**config)).eval()
    missing, unexpected = theirs.load_state_dict(to_hf_state_dict(ours), strict=False)
    assert unexpected == [] and missing == (["lm_head.weight"] if ours.spec.tied_embeddings else [])
    expected = logits(ours)
    assert expected.std() > 0.1, "else the comparison would say nothing"
    assert (logits(theirs) - expected).abs().max() <= 1e-4
    theirs.save_pretrained(tmp_path, max_shard_size="20KB")  # several files and an index
    assert (tmp_path / "model.safetensors.index.json").is_file()
    again = open_any_model(tmp_path)
    assert (logits(again) - expected).abs().max() <= 1e-4
    assert again.spec.parametrization == "standard"
    if ours.spec.parametrization == "standard" and ours.spec.nope_interval <= 4:
        assert again.spec == ours.spec.model_copy(update={"init": "normal"})


def test_what_no_class_can_express_is_not_exported() -> None:
    model = Model(**SHAPE, norm="layernorm")
    with pytest.raises(ValueError, match="no class of transformers can express it: norm layernorm"):
        hf_config(model, 97)
    with pytest.raises(ValueError, match="norm layernorm"):
        to_hf_state_dict(Transformer(model, 97))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2' is none of llama, qwen3, smollm3"),
        ({"attention_bias": True}, "our model has no attention_bias"),
        ({"hidden_act": "relu"}, "our model has no hidden_act relu"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 5.0}}, "our model has no rope"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "our model has no sliding attention"),
        ({"model_type": "smollm3", "no_rope_layers": [0, 1, 1, 1]}, "not every n-th layer"),
    ],
)
def test_what_our_model_cannot_express_is_refused(change: dict, message: str) -> None:
    config = hf_config(Model(**SHAPE | {"nope_interval": 0}), 97) | change
    with pytest.raises(ValueError, match=message):
        model_of_config(config)


def test_older_configs_are_understood() -> None:
    config = hf_config(Model(**SHAPE | {"nope_interval": 0, "rope_theta": 700.0}), 97)
    del config["rope_parameters"], config["head_dim"]
    assert model_of_config(config | {"rope_theta": 700.0, "rope_scaling": None}).rope_theta == 700.0
    assert model_of_config(config).rope_theta == 10_000.0


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    model = stirred(Model(**SHAPE | {"nope_interval": 0}))
    config, weights = hf_config(model.spec, 97), to_hf_state_dict(model)
    with pytest.raises(ValueError, match=r"no place for: model\.layers\.0\.self_attn\.q_proj\.bias"):
        build(config, weights | {"model.layers.0.self_attn.q_proj.bias": torch.zeros(32)}, tmp_path)
    with pytest.raises(ValueError, match=r"the weights have no model\.norm\.weight"):
        build(config, {name: tensor for name, tensor in weights.items() if name != "model.norm.weight"}, tmp_path)
    with pytest.raises(ValueError, match="does not fit our model"):
        build(config | {"intermediate_size": 40}, weights, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        open_any_model(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(FileNotFoundError, match="safetensors alone"):
        open_any_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="is damaged"):
        open_any_model(tmp_path)
