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


class Spam(Spec):
    """AdamW that cuts spikes in single entries and forgets its moments now and then. arXiv 2501.06842"""

    kind: Literal["spam"] = "spam"
    lr: float = Field(3e-3, ge=0, le=10)
    """Peak learning rate."""
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    """None on embeddings and norms."""
    threshold: float = Field(5000.0, gt=1)
    """An entry whose square is over so many times its second moment is cut to that."""
    reset_steps: int = Field(500, ge=2)
    """The moments are set to 0 every so many steps."""
    rewarm_steps: int = Field(150, ge=1)
    """Steps of cosine warm-up after a reset."""


class _Muon(Spec):
    lr: float = Field(3e-3, ge=0, le=10)
    """Peak learning rate, of both parts: Muon's update is scaled to AdamW's RMS."""
    momentum: float = Field(0.95, ge=0, lt=1)
    num_ns_steps: int = Field(5, ge=1, le=20)
    """Newton-Schulz iterations."""
    weight_decay: float = Field(0.1, ge=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    eps: float = Field(1e-8, gt=0)


class Muon(_Muon):
    """Muon for 2-D hidden weights, AdamW for the rest. https://kellerjordan.github.io/posts/muon/"""

    kind: Literal["muon"] = "muon"


class MuonClip(_Muon):
    """Muon that scales down the queries of a head whose attention logits grow too large (Kimi K2). arXiv 2507.20534"""

    kind: Literal["muon_clip"] = "muon_clip"
    max_logit: float = Field(100.0, gt=0)
    """Largest attention logit of a head (tau); QK-clip acts beyond it."""


Optimizer = Annotated[AdamW | Spam | Muon | MuonClip, Field(discriminator="kind")]
