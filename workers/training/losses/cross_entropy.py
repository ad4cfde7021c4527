"""Cross-entropy of the next token.

Shapes: B sequences, T tokens, C model width, V vocabulary.
"""

from torch import Tensor
from torch.nn import functional

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
        logits_BTV = model.logits(hidden_BTC)
        losses_N = functional.cross_entropy(
            logits_BTV.flatten(0, 1), targets_BT.flatten(), ignore_index=IGNORED, reduction="none"
        )
        num_places = (targets_BT != IGNORED).sum().clamp(min=1)
        return losses_N.sum() / num_places, losses_N.detach().view_as(targets_BT).sum(1)
