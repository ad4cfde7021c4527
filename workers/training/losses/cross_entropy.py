"""Cross-entropy of the next token.

Shapes: B sequences, T tokens, C model width, V vocabulary.
"""

from torch import Tensor
from torch.nn import functional

from workers.model.transformer import Transformer
from workers.training.losses._shared import Loss


class CrossEntropy(Loss):
    """The language-model loss itself."""

    name = "loss"

    def forward(
        self, model: Transformer, hidden_BTC: Tensor, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor
    ) -> Tensor:
        """-> () fp32"""
        logits_BTV = model.logits(hidden_BTC)
        return functional.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())
