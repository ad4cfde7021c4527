"""z-loss: the squared log of the softmax's sum, which keeps logits from drifting. PaLM, arXiv 2204.02311, section 5

Shapes: B sequences, T tokens, C model width, V vocabulary.
"""

from torch import Tensor

from workers.model.transformer import Transformer
from workers.training.losses._shared import Loss, mean_weights


class ZLoss(Loss):
    """log^2 Z, the mean over the targets that count; PaLM's weight is 1e-4."""

    name = "loss/z"

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(
        self, model: Transformer, hidden_BTC: Tensor, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor
    ) -> Tensor:
        """-> () fp32"""
        log_z_BT = model.logits(hidden_BTC).logsumexp(-1)
        return (log_z_BT.square() * mean_weights(targets_BT)).sum()
