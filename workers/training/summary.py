"""What a finished training says: its losses beside what counting reaches, and what it cost."""

from collections.abc import Iterator
from typing import Any

from workers.training.baselines import Ints, count_losses
from workers.training.batches import counted_pairs, read_windows
from workers.training.engine import Engine
from workers.training.speed import peak_memory_bytes

WINDOWS_AT_ONCE = 256


def summarize(engine: Engine) -> dict[str, Any]:
    """The summary; all losses in nats per token, the baselines on the tokens that were trained on."""
    state = engine.state
    engine.reporter.event(
        "stage", "measuring held-out loss and the counting baselines", step=state.step, stage="measure"
    )
    heldout_loss = engine.heldout.loss(engine.objective, engine.accelerator, engine.dtype)
    unigram_loss, bigram_loss = count_losses(_seen(engine), engine.heldout.pairs(), engine.model.vocab_size)
    return {
        "first_loss": state.first_loss,
        "last_loss": state.last_loss,
        "heldout_loss": heldout_loss,
        "unigram_loss": unigram_loss,
        "bigram_loss": bigram_loss,
        "num_parameters": sum(p.numel() for p in engine.model.parameters()),
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / state.seconds if state.seconds else 0.0,
        "flops_per_second": engine.speed.typical(),
        "dtype": engine.dtype,
        "memory_bytes": peak_memory_bytes(engine.accelerator.device),
        "steps": state.step,
        "interventions": state.num_interventions,
        "rollbacks": state.num_rollbacks,
        "checkpoint": str(engine.store.path(state.step, state.branch)),
        **engine.order.shares(state),
    }


def _seen(engine: Engine) -> Iterator[tuple[Ints, Ints]]:
    for source, windows in engine.order.seen(engine.state):
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            part = read_windows(source, windows[start : start + WINDOWS_AT_ONCE], engine.order.unit_tokens)
            engine.reporter.progress("baselines", min(start + WINDOWS_AT_ONCE, len(windows)), len(windows), "windows")
            yield counted_pairs(part)
