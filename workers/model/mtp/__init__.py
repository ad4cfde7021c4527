"""Heads for tokens after the next: each kind a file; drafts for self-speculative decoding come from the same heads."""

from workers.model.mtp._shared import Heads
from workers.model.mtp.parallel import ParallelHeads
from workers.model.mtp.sequential import SequentialHeads
from workers.specs.training.model import Model


def build_heads(model: Model) -> Heads | None:
    """The heads that a model's spec asks for."""
    if model.mtp is None:
        return None
    return SequentialHeads(model) if model.mtp.kind == "sequential" else ParallelHeads(model)
