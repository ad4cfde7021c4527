"""Gradient clipping. The controller may tighten it: its `clip_scale` multiplies every limit below."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class GlobalNorm(Spec):
    """By the norm of the whole gradient. arXiv 1211.5063"""

    kind: Literal["global_norm"] = "global_norm"
    max_norm: float = Field(1.0, gt=0)

    @property
    def limit(self) -> float:
        """What a person sets when they set the clip."""
        return self.max_norm


class PerTensor(Spec):
    """By the norm of each tensor's gradient by itself."""

    kind: Literal["per_tensor"] = "per_tensor"
    max_norm: float = Field(1.0, gt=0)

    @property
    def limit(self) -> float:
        """What a person sets when they set the clip."""
        return self.max_norm


class Value(Spec):
    """Each entry by its magnitude."""

    kind: Literal["value"] = "value"
    max_value: float = Field(1.0, gt=0)

    @property
    def limit(self) -> float:
        """What a person sets when they set the clip."""
        return self.max_value


class AdaGC(Spec):
    """Each tensor against the running mean of its own clipped norms. arXiv 2502.11034"""

    kind: Literal["adagc"] = "adagc"
    relative: float = Field(1.05, gt=0)
    """Times the running mean that a norm may reach."""
    beta: float = Field(0.98, ge=0, lt=1)
    """Memory of the running mean."""
    warmup_steps: int = Field(100, ge=1)
    """Steps under the global norm, in which the running mean is the least norm so far."""
    max_norm: float = Field(1.0, gt=0)
    """Global norm during the warm-up."""

    @property
    def limit(self) -> float:
        """What a person sets when they set the clip."""
        return self.max_norm


class ZClip(Spec):
    """The whole gradient by the z-score of its norm among the norms before it. arXiv 2504.02507"""

    kind: Literal["zclip"] = "zclip"
    max_z: float = Field(2.5, gt=0)
    """z-score from which a norm is clipped."""
    alpha: float = Field(0.97, ge=0, lt=1)
    """Memory of the running mean and variance."""
    warmup_steps: int = Field(25, ge=2)
    """Steps that only gather norms."""
    max_norm: float = Field(1.0, gt=0)
    """Hard maximum, always."""

    @property
    def limit(self) -> float:
        """What a person sets when they set the clip."""
        return self.max_norm


Clipping = Annotated[GlobalNorm | PerTensor | Value | AdaGC | ZClip, Field(discriminator="kind")]
