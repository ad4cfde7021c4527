"""QK-clip with QK-norm: the gains of the norms come down until no head is over tau."""

import torch

from workers.model.transformer import Transformer
from workers.specs.training.model import Model
from workers.specs.training.optimizers import MuonClip
from workers.training.drills import grow_queries
from workers.training.optimizers import build_optimizer

SHAPE = Model(d_model=48, num_layers=3, num_heads=6, num_kv_heads=2, d_ffn=64, qk_norm=True)
TAU = 5.0


def hot_model(lr: float) -> tuple[Transformer, object]:
    torch.manual_seed(3)
    model = Transformer(SHAPE, 60)
    with torch.no_grad():
        for block in model.blocks[:2]:
            block.attention.q_norm.weight.uniform_(3, 5)
            block.attention.k_norm.weight.uniform_(0.5, 2)
        model.blocks[2].attention.q_norm.weight.fill_(0.2)
    return model, build_optimizer(MuonClip(lr=lr, weight_decay=0.0, max_logit=TAU), model)


def measure(model: Transformer) -> torch.Tensor:
    """Forward and backward; the logits seen.  -> (layers, H)"""
    tokens = torch.randint(60, (4, 33), generator=torch.Generator().manual_seed(3))
    logits = model(tokens[:, :-1], torch.zeros(4, 32, dtype=torch.int64))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    return torch.stack([block.attention.max_logits_H.clone() for block in model.blocks])


def test_without_a_rate_one_step_brings_the_gains_down() -> None:
    model, optimizer = hot_model(lr=0.0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    first = measure(model)
    assert first[0].max() > 1.5 * TAU and first[2].max() < TAU
    optimizer.step()
    optimizer.zero_grad()
    assert measure(model)[0].max() <= TAU * (1 + 1e-5)
    for number in range(2):
        gamma = TAU / float(first[number].max())
        for gain in ("q_norm", "k_norm"):
            name = f"blocks.{number}.attention.{gain}.weight"
            torch.testing.assert_close(model.get_parameter(name), before[name] * gamma**0.5, rtol=1e-6, atol=0)
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {f"blocks.{n}.attention.{gain}.weight" for n in range(2) for gain in ("q_norm", "k_norm")}


def test_at_a_rate_the_logits_are_held_within_five_steps() -> None:
    model, optimizer = hot_model(lr=5e-4)
    seen = []
    for _ in range(8):
        seen.append(float(measure(model).max()))
        optimizer.step()
        optimizer.zero_grad()
    assert seen[0] > 1.5 * TAU
    assert max(seen[5:]) <= 1.05 * TAU


def test_the_drill_that_grows_logits_grows_them_by_its_factor() -> None:
    model, _ = hot_model(lr=0.0)
    first = measure(model)
    for block in model.blocks:
        block.attention.take_max_logits()
    grow_queries(model, 1.5)
    torch.testing.assert_close(measure(model)[0], first[0] * 1.5, rtol=1e-4, atol=0)
