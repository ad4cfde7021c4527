"""What every loss is.

Shapes: B sequences, T tokens, C model width.
"""

from torch import Tensor, nn

from workers.model.trace import Trace
from workers.model.transformer import Transformer
from workers.training.batches import IGNORED
from workers.training.lesson import Lesson


class Loss(nn.Module):
    """One term of the objective. `name` is its metric; `weight` what it is multiplied by in the sum."""

    name: str
    weight: float | Tensor = 1.0

    @property
    def names(self) -> list[str]:
        """Its metrics: several where the loss has several terms of equal weight, each a mean of its own."""
        return [self.name]

    def set_progress(self, share: float) -> None:
        """Told before each step what share of all steps is done."""

    def forward(
        self, model: Transformer, hidden_BTC: Tensor, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The mean over all places, without the weight; 0 where there is none.  -> () fp32, with M names (M,)

        The first of the losses gives its sum over each sequence beside.  -> (), (B,)
        hidden_BTC: what `Transformer.hidden` gave for the tokens, before the output projection.
        """
        raise NotImplementedError

    def count_places(self, targets_BT: Tensor, documents_BT: Tensor) -> Tensor:
        """How many places the mean is over: the targets that count. Override it where it is others.  -> () or (M,)"""
        return (targets_BT != IGNORED).sum()


class TeacherLoss(Loss):
    """A loss that compares the student with a teacher, at the places whose targets count."""

    hidden_layers: frozenset[int] = frozenset()
    """Layers of the student whose outputs it looks at."""
    attention_layers: frozenset[int] = frozenset()
    """Layers of the student whose attention maps it looks at."""

    def compare(
        self, model: Transformer, hidden_BTC: Tensor, targets_BT: Tensor, trace: Trace, lesson: Lesson
    ) -> Tensor:
        """The mean over all places, without the weight; 0 where there is none.  -> () fp32"""
        raise NotImplementedError


def mean_weights(targets_BT: Tensor) -> Tensor:
    """What each place counts in a mean over the targets that count.  (B, T) -> (B, T) fp32"""
    counted_BT = targets_BT != IGNORED
    return counted_BT.float() / counted_BT.sum().clamp(min=1)
