"""z-loss against its formula in float64, and its gradient's effect on the logits' size."""

import torch

from workers.model.transformer import Transformer
from workers.specs.training import TrainingSpec
from workers.specs.training.model import Model
from workers.training.batches import IGNORED
from workers.training.losses import build_losses
from workers.training.objective import Objective

SHAPE = Model(d_model=32, num_layers=1, num_heads=2, num_kv_heads=1, d_ffn=48, init_std=0.3)


def test_it_is_the_mean_of_squared_log_sums_over_counted_targets_and_adds_its_gradient() -> None:
    model = Transformer(SHAPE, 40)
    spec = TrainingSpec(model=SHAPE, z_loss_weight=0.25, num_steps=200)
    objective = Objective(model, build_losses(spec))
    tokens, targets = torch.randint(40, (2, 9)), torch.randint(40, (2, 9))
    targets[0, 3:6] = IGNORED
    documents = torch.zeros(2, 9, dtype=torch.int64)
    total, terms, _ = objective(tokens, targets, documents, torch.ones(2))
    total.backward()
    found = model.embedding.weight.grad.double()
    twin = Transformer(SHAPE, 40).double()
    twin.load_state_dict(model.state_dict())
    logits = torch.nn.functional.linear(twin.hidden(tokens), twin.embedding.weight)
    counted = targets != IGNORED
    z = logits.logsumexp(-1)[counted].square().mean()
    loss = torch.nn.functional.cross_entropy(logits[counted], targets[counted])
    (loss + 0.25 * z).backward()
    torch.testing.assert_close(terms["loss/z"].double(), z.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(terms["loss"].double(), loss.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found, twin.embedding.weight.grad, rtol=1e-3, atol=1e-5)


def test_without_a_weight_there_is_none() -> None:
    assert [loss.name for loss in build_losses(TrainingSpec())] == ["loss"]
