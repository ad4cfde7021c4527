"""Gradient clipping, one file a kind."""

from collections.abc import Callable
from typing import Any

from workers.specs.training.clipping import Clipping
from workers.training.clipping import adagc, global_norm, per_tensor, value, zclip
from workers.training.clipping._shared import Clipped, Clipper

__all__ = ["Clipped", "Clipper", "build_clipper"]

_BUILDERS: dict[str, Callable[[Any], Clipper]] = {
    "global_norm": global_norm.build,
    "per_tensor": per_tensor.build,
    "value": value.build,
    "adagc": adagc.build,
    "zclip": zclip.build,
}


def build_clipper(spec: Clipping) -> Clipper:
    """The clipping that `spec` describes."""
    return _BUILDERS[spec.kind](spec)
