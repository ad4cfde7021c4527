"""Cross-entropy of the next token.

Shapes: B sequences, T tokens, C model width, V vocabulary.
"""

from torch import Tensor

from workers.kernels.linear_cross_entropy import linear_cross_entropy
from workers.model.transformer import Transformer
from workers.training.batches import IGNORED
from workers.training.losses._shared import Loss


class CrossEntropy(Loss):
    """The language-model loss itself."""

    name = "loss"

    def forward(
        self, model: Transformer, hidden_BTC: Tensor, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """-> (), (B,), fp32"""
        total, losses_N = linear_cross_entropy(
            hidden_BTC.flatten(0, 1), model.head_weight_VC, targets_BT.flatten(), IGNORED
        )
        num_places = (targets_BT != IGNORED).sum().clamp(min=1)
        return total / num_places, losses_N.view_as(targets_BT).sum(1)
