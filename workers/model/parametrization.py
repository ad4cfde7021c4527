"""muP and CompleteP: what weights, rates and sums are multiplied by, so that settings found small hold when large.

Width: arXiv 2203.03466 (table 8). Depth: arXiv 2505.01618 (table 1, with alpha 1). As in EleutherAI's nanoGPT-mup.
Under Muon the update of a matrix has a fixed spectral norm times sqrt(width) (its RMS is AdamW's), where AdamW's grows
as the width; so its rate goes with the square root of the width ratio.
"""

from dataclasses import dataclass
from typing import Literal

from workers.specs.training.model import Model

Role = Literal["embedding", "head", "hidden", "norm", "last_norm"]
"""hidden: matrices between the embedding and the head. head: of models whose embeddings are not tied."""
ROLES: tuple[Role, ...] = ("embedding", "head", "hidden", "norm", "last_norm")
_ALPHA = 1.0


def role_of(name: str, num_dimensions: int) -> Role:
    """The role of a parameter by its name in the model."""
    if name.startswith("embedding."):
        return "embedding"
    if name.startswith("head."):
        return "head"
    if num_dimensions >= 2:
        return "hidden"
    return "last_norm" if name.startswith("norm.") else "norm"


@dataclass(frozen=True)
class Multipliers:
    """Factors by the ratios of width and depth to the base; all 1 under the standard parametrization."""

    width: float = 1.0
    depth: float = 1.0
    query: float = 1.0
    """Of queries, so that attention goes by q.k / D instead of q.k / sqrt(D)."""

    @classmethod
    def of(cls, model: Model) -> "Multipliers":
        """Those of a spec."""
        if model.parametrization == "standard":
            return cls()
        depth = model.num_layers / model.base_num_layers if model.parametrization == "completep" else 1.0
        return cls(model.d_model / model.base_d_model, depth, model.head_width**-0.5)

    @property
    def residual(self) -> float:
        """Of what a sublayer adds to the residual."""
        return self.depth**-_ALPHA

    @property
    def logits(self) -> float:
        """Of the logits."""
        return 1 / self.width

    def init_std(self, role: Role) -> float:
        """Of the standard deviation at the start."""
        return self.width**-0.5 if role == "hidden" else 1.0

    def lr(self, role: Role, orthogonal: bool = False) -> float:
        """Of the learning rate; `orthogonal`: the update is Muon's."""
        depth = self.depth ** (_ALPHA - 1) if role in ("hidden", "norm") else 1.0
        return depth * (self._width_of_rate(orthogonal) if role == "hidden" else 1.0)

    def weight_decay(self, role: Role, orthogonal: bool = False) -> float:
        """Of the weight decay, so that decay times rate is the same at all widths."""
        return 1 / self._width_of_rate(orthogonal) if role == "hidden" else 1.0

    def eps(self, role: Role) -> float:
        """Of AdamW's epsilon: gradients shrink with width, and with depth where the residual does."""
        return self.depth ** (-_ALPHA if role in ("hidden", "norm") else 0.0) / self.width

    def _width_of_rate(self, orthogonal: bool) -> float:
        return self.width ** (-0.5 if orthogonal else -1.0)
