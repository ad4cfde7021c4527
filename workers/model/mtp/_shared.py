"""What every kind of multi-token heads is.

Shapes: B batch, T tokens, C model width, n places that a head can predict from: T - k - 1 for head k = 1, 2, ...
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from workers.model.attention import Documents, rotary_table
from workers.model.block import Block
from workers.model.cache import Cache
from workers.specs.training.model import Model

ToLogits = Callable[[Tensor], Tensor]


class Heads(nn.Module):
    """Head k = 1, 2, ... predicts token i + k + 1 from place i; the model itself predicts i + 1."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        if model.mtp is None:
            raise ValueError("the model's spec has no mtp")
        self.num_heads = model.mtp.num_heads
        self.blocks = nn.ModuleList(Block(model, number) for number in range(self.num_heads))
        for block in self.blocks:
            block.attention.has_rotary = True  # places would else be unknown to a head of one block
        self.norms = nn.ModuleList(nn.RMSNorm(model.d_model, eps=model.norm_eps) for _ in range(self.num_heads))

    def forward(
        self, hidden_BTC: Tensor, tokens_BT: Tensor, documents_BT: Tensor, embedding: nn.Module, theta: float
    ) -> list[Tensor]:
        """Hidden states of each head, for the model's own output projection.  -> num_heads x (B, n, C)

        hidden_BTC: the model's, after its last norm.
        """
        raise NotImplementedError

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
        """Likely tokens after the last of `tokens`; at most `num_drafts`.

        hidden_TC: the model's hidden states of places not yet in the heads' `cache`; tokens: what follows each of them.
        """
        raise NotImplementedError

    def run_block(
        self,
        number: int,
        x_BTC: Tensor,
        theta: float,
        documents_BT: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Through the block of one head, with or without the places in the cache.  (B, T, C) -> (B, T, C)"""
        block = self.blocks[number]
        past, num_tokens = cache.num_tokens if cache else 0, x_BTC.shape[1]
        positions_T = torch.arange(past, past + num_tokens, device=x_BTC.device)
        table = rotary_table(positions_T, block.attention.head_width, theta)
        if cache is not None:
            mask = cache.mask(num_tokens, x_BTC.device)
        else:
            mask = None if documents_BT is None else Documents(documents_BT)
        return block(x_BTC, table, mask, cache)
