"""Optimizers."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class AdamW(Spec):
    """torch's fused AdamW. arXiv 1711.05101"""

    kind: Literal["adamw"] = "adamw"
    lr: float = Field(3e-3, ge=0, le=10)
    """Peak learning rate."""
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    """None on embeddings and norms."""


class Muon(Spec):
    """torch.optim.Muon for 2-D hidden weights, AdamW for the rest. https://kellerjordan.github.io/posts/muon/"""

    kind: Literal["muon"] = "muon"
    lr: float = Field(3e-3, ge=0, le=10)
    """Peak learning rate, of both parts: Muon's update is scaled to AdamW's RMS."""
    momentum: float = Field(0.95, ge=0, lt=1)
    num_ns_steps: int = Field(5, ge=1, le=20)
    """Newton-Schulz iterations."""
    weight_decay: float = Field(0.1, ge=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    eps: float = Field(1e-8, gt=0)


Optimizer = Annotated[AdamW | Muon, Field(discriminator="kind")]
