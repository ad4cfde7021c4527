"""QK-clip: logits driven over tau come back under it, head by head, and nothing else changes."""

import pytest
import torch
from torch import Tensor

from workers.model.attention import Attention, document_mask, max_logits
from workers.model.transformer import Transformer
from workers.specs.training.model import Model
from workers.specs.training.optimizers import MuonClip
from workers.training.optimizers import build_optimizer

SHAPE = Model(d_model=48, num_layers=4, num_heads=6, num_kv_heads=2, d_ffn=64, nope_interval=4)
TAU = 5.0


def naive_max(q_BHTD: Tensor, k_BGTD: Tensor, mask: Tensor | None) -> Tensor:
    """Float64, one head at a time."""
    heads = []
    for head in range(q_BHTD.shape[1]):
        k_BTD = k_BGTD[:, head // (q_BHTD.shape[1] // k_BGTD.shape[1])].double()
        scores = q_BHTD[:, head].double() @ k_BTD.mT / q_BHTD.shape[-1] ** 0.5
        allowed = torch.ones(scores.shape[1:], dtype=torch.bool).tril() if mask is None else mask[:, 0]
        heads.append(scores.masked_fill(~allowed, 0).amax())
    return torch.stack(heads)


@pytest.mark.parametrize("num_tokens", [7, 300])
@pytest.mark.parametrize("masked", [False, True])
def test_the_largest_logit_of_each_head_is_found(num_tokens: int, masked: bool) -> None:
    q, k = torch.randn(2, 6, num_tokens, 8), torch.randn(2, 2, num_tokens, 8)
    documents = torch.randint(3, (2, num_tokens)).sort(dim=1).values
    mask = document_mask(documents) if masked else None
    torch.testing.assert_close(max_logits(q, k, mask).double(), naive_max(q, k, mask), rtol=1e-5, atol=1e-5)


def hot_model(lr: float) -> tuple[Transformer, object]:
    """A model one of whose heads has logits far over tau."""
    torch.manual_seed(7)
    model = Transformer(SHAPE, 60)
    width = SHAPE.d_model // SHAPE.num_heads
    with torch.no_grad():
        for block in model.blocks:
            block.attention.qkv.weight[: 2 * width] *= 180  # heads 0 and 1
            block.attention.qkv.weight[2 * width : 3 * width] *= 8
    return model, build_optimizer(MuonClip(lr=lr, weight_decay=0.0, max_logit=TAU), model)


def measure(model: Transformer) -> Tensor:
    """Forward and backward; the logits seen in them.  -> (layers, H)"""
    tokens = torch.randint(60, (4, 33), generator=torch.Generator().manual_seed(3))
    logits = model(tokens[:, :-1], torch.zeros(4, 32, dtype=torch.int64))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    return torch.stack([block.attention.max_logits_H.clone() for block in model.blocks])


def test_without_a_rate_one_step_brings_every_head_to_tau() -> None:
    model, optimizer = hot_model(lr=0.0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    first = measure(model)
    assert first[0].max() > 2 * TAU
    optimizer.step()
    optimizer.zero_grad()
    seen = optimizer.telemetry()
    assert seen["max_attention_logit"] == pytest.approx(float(first.max()))
    assert seen["min_qk_gamma"] == pytest.approx(TAU / float(first.max()))
    # Each layer's own logits, on the inputs that it had: later layers see what the clip changed before them.
    assert measure(model)[0].max() <= TAU * (1 + 1e-5)
    width = SHAPE.d_model // SHAPE.num_heads
    for number, block in enumerate(model.blocks):
        was = before[f"blocks.{number}.attention.qkv.weight"]
        for head in range(SHAPE.num_heads):
            rows = slice(head * width, (head + 1) * width)
            gamma = min(1.0, TAU / float(first[number, head]))
            torch.testing.assert_close(block.attention.qkv.weight[rows], was[rows] * gamma, rtol=1e-6, atol=0)
        keys_and_values = slice(SHAPE.num_heads * width, None)
        assert torch.equal(block.attention.qkv.weight[keys_and_values], was[keys_and_values])
    for name, p in model.named_parameters():
        assert "qkv" in name or torch.equal(p, before[name]), name


def test_at_a_rate_the_logits_are_held_within_five_steps() -> None:
    model, optimizer = hot_model(lr=5e-4)
    seen = []
    for _ in range(8):
        seen.append(float(measure(model).max()))
        optimizer.step()
        optimizer.zero_grad()
    assert seen[0] > 2 * TAU
    assert max(seen[5:]) <= 1.05 * TAU


def test_logits_are_watched_in_training_alone() -> None:
    model, _ = hot_model(lr=0.0)
    model.eval()
    model(torch.zeros(1, 8, dtype=torch.int64))
    assert all(float(block.attention.take_max_logits().max()) == 0 for block in model.blocks)
    with pytest.raises(ValueError, match="not watched"):
        Attention(SHAPE, 0).take_max_logits()
