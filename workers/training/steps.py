"""One optimizer step, in its two halves: the gradient, and the update.

Shapes: B sequences, T tokens, V vocabulary.
"""

import math
from contextlib import nullcontext

import torch
from torch import Tensor

from workers.kernels.gradient_stats import measure_gradient
from workers.training.batches import Sequences
from workers.training.clipping import Clipped
from workers.training.devices import autocast
from workers.training.engine import Engine


def compute_gradient(engine: Engine, index: int) -> dict[str, float]:
    """Gradient of batch `index` over all passes and processes; the mean of each loss by its name.

    `loss` is the cross-entropy, in nats per token.
    """
    rank, num_ranks = engine.accelerator.process_index, engine.accelerator.num_processes
    part = engine.drills.poison(index, rank, engine.order.part(index, rank, num_ranks))
    num_passes = engine.spec.batch.accumulation
    sums: dict[str, Tensor] = {}
    for number in range(num_passes):
        rows = slice(
            number * engine.spec.batch.micro_batch_sequences, (number + 1) * engine.spec.batch.micro_batch_sequences
        )
        waiting = number < num_passes - 1 and num_ranks > 1
        with engine.accelerator.no_sync(engine.module) if waiting else nullcontext():
            total, terms = compute_loss(engine, part, rows)
            (total / num_passes).backward()
        for name, value in terms.items():
            sums[name] = sums.get(name, torch.zeros_like(value.double())) + value.double() / num_passes
    means = engine.accelerator.reduce(torch.stack(list(sums.values())), "mean").tolist()
    return dict(zip(sums, means, strict=True))


def compute_loss(engine: Engine, part: Sequences, rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean over some sequences: the sum to differentiate, and each loss.  -> (), {name: ()}, fp32"""
    device = engine.accelerator.device
    tokens_BT, targets_BT, documents_BT = (
        t[rows].to(device, non_blocking=True) for t in (part.tokens, part.targets, part.documents)
    )
    with autocast(engine.dtype, device):
        total, terms = engine.module(tokens_BT, targets_BT, documents_BT)
    return total, terms


def gradients(engine: Engine) -> list[Tensor]:
    """The gradients of all parameters that have one."""
    return [p.grad for p in engine.model.parameters() if p.grad is not None]


def measure_norm(engine: Engine) -> float:
    """Norm of the whole gradient; NaN when an entry is not finite."""
    return measure_gradient(gradients(engine)).norm


def apply_update(engine: Engine, norm: float, lr: float) -> tuple[Clipped, float]:
    """Clip and step at rate `lr`. What clipping did, and the norm of the change of the weights.

    A gradient that is not finite cannot be clipped: it goes on as it is.
    """
    finite = math.isfinite(norm)
    clipped = engine.clipper.clip(gradients(engine), norm, engine.watch.clip_scale) if finite else Clipped(norm, 0.0)
    weights = [p.detach() for p in engine.model.parameters()]
    before = [w.clone() for w in weights]
    engine.optimizers.set_lr(lr)
    engine.optimizers.step()
    engine.optimizers.zero_grad()
    torch._foreach_sub_(before, weights)
    return clipped, measure_gradient(before).norm
