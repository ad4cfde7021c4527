"""Parallel heads: one block each on the model's last hidden state. Meta, arXiv 2404.19737

Shapes: B batch, T tokens, C model width, K heads.
"""

import torch
from torch import Tensor, nn

from workers.model.cache import Cache
from workers.model.mtp._shared import Heads, ToLogits


class ParallelHeads(Heads):
    """All heads see the same hidden states and none of the tokens after."""

    def forward(
        self, hidden_BTC: Tensor, tokens_BT: Tensor, documents_BT: Tensor, embedding: nn.Module, theta: float
    ) -> list[Tensor]:
        """-> num_heads x (B, n, C)"""
        states = []
        for number, norm in enumerate(self.norms):
            rows = slice(0, max(tokens_BT.shape[1] - number - 2, 0))
            states.append(norm(self.run_block(number, hidden_BTC[:, rows], theta, documents_BT[:, rows])))
        return states

    def draft(
        self,
        hidden_TC: Tensor,
        tokens: list[int],
        num_drafts: int,
        cache: Cache,
        embedding: nn.Module,
        to_logits: ToLogits,
        theta: float,
    ) -> list[int]:
        """One token of each head, all from the last place."""
        states = [self.run_block(number, hidden_TC[None], theta, cache=cache)[0] for number in range(self.num_heads)]
        cache.num_tokens += len(hidden_TC)
        if not num_drafts:
            return []
        last_KC = torch.stack([norm(state_TC[-1]) for norm, state_TC in zip(self.norms, states, strict=True)])
        return to_logits(last_KC[:num_drafts]).argmax(-1).tolist()
