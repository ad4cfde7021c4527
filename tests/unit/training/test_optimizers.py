"""Who is optimised by what, and that the state survives being written down."""

import pytest
import torch

from workers.model.transformer import Transformer
from workers.specs.training.model import Model
from workers.specs.training.optimizers import AdamW, Muon, MuonClip, Optimizer, Spam
from workers.training.optimizers import build_optimizer

SHAPE = Model(d_model=32, num_layers=2, num_heads=4, num_kv_heads=2, d_ffn=48, tied_embeddings=False)


def take_step(model: Transformer, optimizer: object) -> None:
    tokens = torch.randint(50, (2, 9), generator=torch.Generator().manual_seed(1))
    logits = model(tokens[:, :-1])
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    optimizer.step()
    optimizer.zero_grad()


def names_by_group(model: Transformer, optimizer: object) -> dict[str, tuple[str, float]]:
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(p)]: (label, group["weight_decay"])
        for label, part in optimizer.parts.items()
        for group in part.param_groups
        for p in group["params"]
    }


def test_muon_has_the_hidden_matrices_and_adamw_the_rest_undecayed() -> None:
    model = Transformer(SHAPE, 50)
    groups = names_by_group(model, build_optimizer(Muon(weight_decay=0.2), model))
    assert groups.keys() == dict(model.named_parameters()).keys()
    for name, (label, decay) in groups.items():
        hidden = name.startswith("blocks.") and "norm" not in name
        assert (label, decay) == (("muon", 0.2) if hidden else ("adamw", 0.0)), name


def test_adamw_decays_hidden_matrices_only() -> None:
    model = Transformer(SHAPE, 50)
    groups = names_by_group(model, build_optimizer(AdamW(weight_decay=0.3), model))
    decayed = {name for name, (_, decay) in groups.items() if decay == 0.3}
    assert decayed == {n for n, p in model.named_parameters() if p.ndim == 2 and n.startswith("blocks.")}
    assert {decay for _, decay in groups.values()} == {0.0, 0.3}


def test_muons_update_has_adamws_size() -> None:
    torch.manual_seed(0)
    model = Transformer(SHAPE, 50)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = build_optimizer(Muon(lr=1e-2, weight_decay=0.0), model)
    take_step(model, optimizer)
    for name, p in model.named_parameters():
        if name.startswith("blocks.") and p.ndim == 2:
            rms = (p.detach() - before[name]).square().mean().sqrt()
            assert 0.1e-2 < rms < 0.35e-2, name  # 0.2 x lr, as AdamW's updates have in practice


@pytest.mark.parametrize("spec", [AdamW(), Spam(), Muon(), MuonClip()], ids=lambda spec: spec.kind)
def test_saved_state_continues_exactly(spec: Optimizer) -> None:
    torch.manual_seed(0)
    one = Transformer(SHAPE, 50)
    first = build_optimizer(spec, one)
    take_step(one, first)
    two = Transformer(SHAPE, 50)
    two.load_state_dict(one.state_dict())
    second = build_optimizer(spec, two)
    second.load_state_tensors(first.state_tensors())
    take_step(one, first)
    take_step(two, second)
    for (name, p), q in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.equal(p, q), name


def test_state_of_another_model_is_refused() -> None:
    model = Transformer(SHAPE, 50)
    optimizer = build_optimizer(AdamW(), model)
    with pytest.raises(ValueError, match="fits no parameter"):
        optimizer.load_state_tensors({"adamw/blocks.9.ffn.down.weight/exp_avg": torch.zeros(1)})
