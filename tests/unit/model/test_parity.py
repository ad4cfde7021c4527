"""Our transformer gives the numbers of transformers' SmolLM3 on the same random weights."""

import pytest
import torch

from workers.model.hugging_face import hf_config, to_hf_state_dict
from workers.model.transformer import Transformer
from workers.specs.training.model import Model

SHAPES = [
    Model(d_model=32, num_layers=5, num_heads=4, num_kv_heads=2, d_ffn=48),
    Model(d_model=48, num_layers=2, num_heads=6, num_kv_heads=6, d_ffn=64, nope_interval=0, tied_embeddings=False),
    Model(d_model=32, num_layers=3, num_heads=4, num_kv_heads=1, d_ffn=40, nope_interval=1, norm_eps=1e-3),
    Model(d_model=64, num_layers=4, num_heads=2, num_kv_heads=1, d_ffn=80, nope_interval=2, rope_theta=100.0),
]


@pytest.mark.parametrize("spec", SHAPES)
def test_logits_equal_hugging_face(spec: Model) -> None:
    from transformers import SmolLM3Config, SmolLM3ForCausalLM

    torch.manual_seed(torch.seed() % 1000)
    ours = Transformer(spec.model_copy(update={"init_std": 0.2}), 97)
    for name, parameter in ours.named_parameters():
        if "norm" in name:  # gains of 1 would hide a norm in the wrong place
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    theirs = SmolLM3ForCausalLM(SmolLM3Config(**hf_config(spec, 97))).eval()
    missing, unexpected = theirs.load_state_dict(to_hf_state_dict(ours), strict=False)
    assert unexpected == []
    assert missing == (["lm_head.weight"] if spec.tied_embeddings else [])
    tokens = torch.randint(97, (2, 33))
    with torch.no_grad():
        difference = (ours(tokens) - theirs(tokens).logits).abs().max()
    assert difference <= 1e-4


def test_number_of_parameters_is_what_the_spec_says() -> None:
    for spec in SHAPES:
        assert sum(p.numel() for p in Transformer(spec, 97).parameters()) == spec.num_parameters(97)
