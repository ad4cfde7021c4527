"""Sequential heads: each goes on from the one before and sees one more token. DeepSeek-V3, arXiv 2412.19437

h'_i^k = block_k(M_k [RMSNorm(h_i^(k-1)); RMSNorm(Emb(t_(i+k)))]), section 2.2; the output projection is the model's.

Shapes: B batch, T tokens, C model width.
"""

import torch
from torch import Tensor, nn

from workers.model.cache import Cache
from workers.model.mtp._shared import Heads, ToLogits
from workers.specs.training.model import Model


class SequentialHeads(Heads):
    """The chain of causal predictions."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        numbers = range(self.num_heads)
        self.hidden_norms = nn.ModuleList(nn.RMSNorm(model.d_model, eps=model.norm_eps) for _ in numbers)
        self.token_norms = nn.ModuleList(nn.RMSNorm(model.d_model, eps=model.norm_eps) for _ in numbers)
        self.joins = nn.ModuleList(nn.Linear(2 * model.d_model, model.d_model, bias=False) for _ in numbers)

    def join(self, number: int, state_BTC: Tensor, embedded_BTC: Tensor) -> Tensor:
        """A head's input.  2 x (B, T, C) -> (B, T, C)"""
        parts = (self.hidden_norms[number](state_BTC), self.token_norms[number](embedded_BTC))
        return self.joins[number](torch.cat(parts, dim=-1))

    def forward(
        self, hidden_BTC: Tensor, tokens_BT: Tensor, documents_BT: Tensor, embedding: nn.Module, theta: float
    ) -> list[Tensor]:
        """-> num_heads x (B, n, C)"""
        states, state_BTC = [], hidden_BTC
        for number, norm in enumerate(self.norms):
            num_places = max(tokens_BT.shape[1] - number - 2, 0)
            seen = tokens_BT[:, number + 1 : number + 1 + num_places]
            joined = self.join(number, state_BTC[:, :num_places], embedding(seen))
            state_BTC = self.run_block(number, joined, theta, documents_BT[:, :num_places])
            states.append(norm(state_BTC))
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
        """The first head again and again: its state stands for the hidden state of the place after.

        So a depth of 1 drafts any number of tokens, as DeepSeek's released module is used.
        """
        drafts: list[int] = []
        state_BTC, after = hidden_TC[None], tokens
        kept = cache.num_tokens + len(tokens)
        while True:
            embedded = embedding(torch.tensor([after], device=hidden_TC.device))
            state_BTC = self.run_block(0, self.join(0, state_BTC, embedded), theta, cache=cache)[:, -1:]
            cache.num_tokens += len(after)
            if len(drafts) < num_drafts:
                drafts.append(int(to_logits(self.norms[0](state_BTC))[0, -1].argmax()))
            if len(drafts) >= num_drafts:
                break
            after = drafts[-1:]
        cache.keep(kept)  # what came of drafts is not what the model will say
        return drafts
