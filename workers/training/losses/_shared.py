"""What every loss is.

Shapes: B sequences, T tokens, C model width.
"""

from torch import Tensor, nn

from workers.model.transformer import Transformer


class Loss(nn.Module):
    """One term of the objective. `name` is its metric; `weight` what it is multiplied by in the sum."""

    name: str
    weight: float = 1.0

    def forward(
        self, model: Transformer, hidden_BTC: Tensor, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor
    ) -> Tensor:
        """The mean over all places, without the weight.  -> () fp32

        hidden_BTC: what `Transformer.hidden` gave for the tokens, before the output projection.
        """
        raise NotImplementedError
