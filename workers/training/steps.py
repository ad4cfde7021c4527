"""One optimizer step, in its two halves: the gradient, and the update.

Shapes: B sequences of a pass, S of the step in this process, T tokens, K losses, N sources, P passes or parameters.
"""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from workers.training.batches import IGNORED, Sequences
from workers.training.clipping import Clipped
from workers.training.devices import autocast
from workers.training.engine import Engine
from workers.training.sharding import local, measure_whole_norms, without_reduction
from workers.training.state import Place
from workers.training.token_counts import fingerprint


def compute_gradient(engine: Engine, place: Place) -> dict[str, float]:
    """Gradient of the batch at `place` over all passes and processes; the mean of each loss by its name.

    `loss` is the cross-entropy, in nats per token; `loss/NAME` that of a source. Means are over all places of the step,
    wherever they were computed. With monitoring, `batch_divergence` says how unlike the training text the batch is,
    and the meter is told what only the controller needs.
    """
    accelerator, batch = engine.accelerator, engine.stage.batch
    rank, num_ranks = accelerator.process_index, accelerator.num_processes
    began = time.perf_counter()
    part = engine.drills.poison(place.index, rank, engine.order.part(place, rank, num_ranks))
    shares_of_sources = engine.watch.settings.source_shares
    part = leave_out(part, engine.order.labels, shares_of_sources, [engine.spec.seed, place.index, rank])
    engine.meter.saw_batch(part, time.perf_counter() - began)
    shares = _shares(engine, part)
    engine.objective.set_progress(engine.state.step / engine.spec.num_steps)
    sums: dict[str, Tensor] = {}
    if engine.token_counts:
        divergence = engine.token_counts.divergence(place, part.tokens) / num_ranks
        sums["batch_divergence"] = divergence.to(accelerator.device)
        sums["batch_fingerprint"] = fingerprint(part.tokens, rank).to(accelerator.device)
    by_sequence: list[Tensor] = []
    for number, shares_K in enumerate(shares):
        rows = slice(number * batch.micro_batch_sequences, (number + 1) * batch.micro_batch_sequences)
        waiting = number < batch.accumulation - 1 and num_ranks > 1
        with _unreduced(engine) if waiting else nullcontext():
            with engine.meter.clock.forward():
                total, terms, sums_B = compute_loss(engine, part, rows, shares_K)
            (total * num_ranks).backward()  # processes take the mean of their gradients
        for name, value in terms.items():
            sums[name] = sums.get(name, torch.zeros_like(value.double())) + value.double()
        by_sequence.append(sums_B)
    parts = (
        torch.stack(list(sums.values())),
        _by_source(engine, part, torch.cat(by_sequence)),
        engine.meter.clock.figures(),
    )
    reduced = iter(accelerator.reduce(torch.cat(parts), "sum").tolist())
    of_losses, of_sources, of_ranks = (list(islice(reduced, len(figures))) for figures in parts)
    found = dict(zip(sums, of_losses, strict=True))
    hidden = {name: found.pop(name) for name in ("batch_fingerprint",) if name in found}
    engine.meter.for_controller = hidden | engine.meter.clock.read(of_ranks)
    return found | _source_losses(engine, of_sources)


def leave_out(part: Sequences, labels: Sequence[str], shares: Mapping[str, float], seed: Sequence[int]) -> Sequences:
    """Of the sources in `shares` only so many sequences count; which, hangs on the seed alone, so on the batch."""
    if not shares or part.sources is None:
        return part
    share_S = np.array([shares.get(labels[source], 1.0) for source in part.sources.tolist()])
    out_S = torch.from_numpy(np.random.default_rng(seed).random(len(share_S)) >= share_S)
    return replace(part, targets=part.targets.masked_fill(out_S[:, None], IGNORED))


def _unreduced(engine: Engine) -> AbstractContextManager[None]:
    """While inside, processes do not yet take the mean of their gradients."""
    if engine.spec.parallel == "fsdp2":
        return without_reduction(engine.module)
    held: AbstractContextManager[None] = engine.accelerator.no_sync(engine.module)
    return held


def _shares(engine: Engine, part: Sequences) -> list[Tensor]:
    """What share of the step's places each pass holds, of each loss.  -> accumulation x (K,) fp32"""
    batch = engine.stage.batch
    counts_PK = torch.stack(
        [
            engine.objective.count_places(targets, documents)
            for targets, documents in zip(
                part.targets.split(batch.micro_batch_sequences),
                part.documents.split(batch.micro_batch_sequences),
                strict=True,
            )
        ]
    ).to(engine.accelerator.device)
    totals_K = engine.accelerator.reduce(counts_PK.sum(0), "sum").clamp(min=1)
    return list((counts_PK / totals_K).float())


def _by_source(engine: Engine, part: Sequences, sums_S: Tensor) -> Tensor:
    """Loss and counted targets of each source, one after the other; nothing where there are no several.  -> (2N,)"""
    num_sources = len(engine.order.labels)
    figures_2N = torch.zeros(2, num_sources, dtype=torch.float64, device=sums_S.device)
    if num_sources > 1 and part.sources is not None:
        sources_S = part.sources.to(sums_S.device)
        figures_2N[0].index_add_(0, sources_S, sums_S.double())
        counts_S = (part.targets != IGNORED).sum(1).double().to(sums_S.device)
        figures_2N[1].index_add_(0, sources_S, counts_S)
    return figures_2N.flatten()


def _source_losses(engine: Engine, figures: list[float]) -> dict[str, float]:
    """Mean loss of each source that this step had."""
    labels = engine.order.labels
    pairs = zip(labels, figures[: len(labels)], figures[len(labels) :], strict=True)
    return {f"loss/{label}": total / count for label, total, count in pairs if count}


def compute_loss(
    engine: Engine, part: Sequences, rows: slice, shares_K: Tensor
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Of some sequences: the sum to differentiate, each loss, and the first by sequence.  -> (), {name: ()}, (B,)"""
    device = engine.accelerator.device
    tokens_BT, targets_BT, documents_BT = (
        t[rows].to(device, non_blocking=True) for t in (part.tokens, part.targets, part.documents)
    )
    with autocast(engine.dtype, device):
        lesson = engine.teacher.look(part, rows) if engine.teacher else None
        total, terms, sums_B = engine.module(tokens_BT, targets_BT, documents_BT, shares_K, lesson)
    return total, terms, sums_B


def gradients(engine: Engine) -> list[Tensor]:
    """The gradients of all parameters that have one: this process's share of them."""
    return [local(p.grad) for p in engine.objective.parameters() if p.grad is not None]


def measure_gradients(engine: Engine) -> Tensor:
    """Norm of each parameter's gradient, 0 where it has none; NaN when an entry is not finite.  -> (P,) fp64"""
    parameters = list(engine.objective.parameters())
    norms_P = torch.zeros(len(parameters), dtype=torch.float64, device=engine.accelerator.device)
    there = [number for number, p in enumerate(parameters) if p.grad is not None]
    norms_P[there] = measure_whole_norms([p.grad for p in parameters if p.grad is not None])
    return norms_P


def apply_update(engine: Engine, norm: float, lr: float) -> tuple[Clipped, Tensor]:
    """Clip and step at rate `lr`. What clipping did, and the norm of each weight's change.  -> (P,) fp64

    A gradient that is not finite cannot be clipped: it goes on as it is.
    """
    finite = math.isfinite(norm)
    clipped = engine.clipper.clip(gradients(engine), norm, engine.watch.clip_scale) if finite else Clipped(norm, 0.0)
    weights = [local(p.detach()) for p in engine.objective.parameters()]
    before = [w.clone() for w in weights]
    engine.optimizers.set_lr(lr)
    engine.optimizers.step()
    engine.optimizers.zero_grad()
    torch._foreach_sub_(before, weights)
    return clipped, measure_whole_norms(before, shared=engine.spec.parallel == "fsdp2")
