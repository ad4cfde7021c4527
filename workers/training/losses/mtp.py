"""Cross-entropy of the tokens after the next: the mean over the heads, weighted by schedule.

DeepSeek-V3, arXiv 2412.19437, equations 24 and 25; the same sum for parallel heads.

Shapes: B sequences, T tokens, C model width, V vocabulary, K heads, n places of head k: T - k - 1.
"""

import torch
from torch import Tensor

from workers.kernels.linear_cross_entropy import linear_cross_entropy
from workers.model.transformer import Transformer
from workers.specs.training.mtp import MtpWeight
from workers.training.batches import IGNORED
from workers.training.losses._shared import Loss


class MtpLoss(Loss):
    """One term a head; a target counts where it is of the same document as the place it is predicted from."""

    name = "loss/mtp"

    def __init__(self, num_heads: int, schedule: MtpWeight) -> None:
        super().__init__()
        self.num_heads, self.schedule = num_heads, schedule
        # A tensor, so that a compiled objective is not compiled anew for each weight. No buffer: it is no state.
        self.weight: Tensor = torch.tensor(schedule.at(0.0) / num_heads)

    @property
    def names(self) -> list[str]:
        """`loss/mtp_1` for the token after the next, and so on."""
        return [f"loss/mtp_{number + 1}" for number in range(self.num_heads)]

    def set_progress(self, share: float) -> None:
        """The weight of the schedule, shared out over the heads."""
        self.weight.fill_(self.schedule.at(share) / self.num_heads)

    def count_places(self, targets_BT: Tensor, documents_BT: Tensor) -> Tensor:
        """-> (K,)"""
        counts = [self._targets(number, targets_BT, documents_BT) != IGNORED for number in range(self.num_heads)]
        return torch.stack([counted.sum() for counted in counts])

    def forward(
        self, model: Transformer, hidden_BTC: Tensor, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor
    ) -> Tensor:
        """-> (K,) fp32. Raises ValueError for a model without heads."""
        if model.mtp is None:
            raise ValueError("the model has no heads for multi-token prediction")
        states = model.mtp(hidden_BTC, tokens_BT, documents_BT, model.embedding, model.spec.rope_theta)
        means = []
        for number, state_BnC in enumerate(states):
            targets_Bn = self._targets(number, targets_BT, documents_BT)
            total, _ = linear_cross_entropy(
                state_BnC.flatten(0, 1), model.head_weight_VC, targets_Bn.flatten(), IGNORED
            )
            means.append(total / (targets_Bn != IGNORED).sum().clamp(min=1))
        return torch.stack(means)

    @staticmethod
    def _targets(number: int, targets_BT: Tensor, documents_BT: Tensor) -> Tensor:
        """What a head is to say at each place. The window's last target is left out: its document is unknown."""
        ahead = number + 2
        targets_Bn = targets_BT[:, ahead - 1 : -1]
        return targets_Bn.masked_fill(documents_BT[:, :-ahead] != documents_BT[:, ahead:], IGNORED)
