"""The decoder in plain PyTorch; same numbers as transformers' SmolLM3, Llama or Qwen3 where one of them can express it.

https://huggingface.co/blog/smollm3

Shapes: B batch, T tokens, C model width, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.model.attention import Documents, rotary_table
from workers.model.block import Block
from workers.model.cache import Cache
from workers.model.initialisation import initialise
from workers.model.mtp import build_heads
from workers.model.norm import build_norm
from workers.model.parametrization import Multipliers
from workers.model.trace import Trace
from workers.specs.training.model import Model


class Transformer(nn.Module):
    """Decoder-only language model. Weights are drawn from torch's global generator: seed it first."""

    def __init__(self, model: Model, vocab_size: int) -> None:
        super().__init__()
        self.spec, self.vocab_size = model, vocab_size
        self.embedding = nn.Embedding(vocab_size, model.d_model)
        self.blocks = nn.ModuleList(Block(model, layer) for layer in range(model.num_layers))
        # Post-norm layers end in a norm of their own.
        self.norm = nn.Identity() if model.norm_placement == "post" else build_norm(model)
        self.head = None if model.tied_embeddings else nn.Linear(model.d_model, vocab_size, bias=False)
        self.logits_factor = Multipliers.of(model).logits
        initialise(self, model)
        self.packed_head: nn.Module | None = None
        self.packed_draft_head: nn.Module | None = None
        # Last, so that the same seed gives the same trunk with and without heads.
        self.mtp = build_heads(model)
        if self.mtp is not None:
            initialise(self.mtp, model)

    @property
    def head_weight_VC(self) -> Tensor:
        """Weight of the output projection: the embedding itself when tied; times muP's factor of the logits."""
        weight_VC = self.embedding.weight if self.head is None else self.head.weight
        return weight_VC if self.logits_factor == 1 else weight_VC * self.logits_factor

    def forward(self, tokens_BT: Tensor, documents_BT: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """Logits of the next token at each place, fp32.  (B, T) int64 -> (B, T, V)"""
        return self.logits(self.hidden(tokens_BT, documents_BT, cache))

    def logits(self, hidden_BTC: Tensor) -> Tensor:
        """Through the output projection, fp32.  (B, T, C) -> (B, T, V)"""
        if self.packed_head is not None:
            return self.packed_head(hidden_BTC)
        return functional.linear(hidden_BTC, self.head_weight_VC).float()

    def draft_logits(self, hidden_BTC: Tensor) -> Tensor:
        """The same for drafts, which are checked: less exact where that is faster.  (B, T, C) -> (B, T, V)"""
        if self.packed_draft_head is not None:
            return self.packed_draft_head(hidden_BTC)
        return self.logits(hidden_BTC)

    def hidden(
        self,
        tokens_BT: Tensor,
        documents_BT: Tensor | None = None,
        cache: Cache | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """Hidden states after the last norm.  (B, T) int64 -> (B, T, C)

        `documents_BT` numbers the document of each token: tokens see earlier ones of their own document alone. Rotary
        positions run on through the window; since they act only through differences within a document, its
        logits equal those of the document alone. With a `cache` the tokens follow the cached ones (no documents).
        A `trace` is given what it asks for on the way.
        """
        past = cache.num_tokens if cache else 0
        num_tokens = tokens_BT.shape[1]
        positions_T = torch.arange(past, past + num_tokens, device=tokens_BT.device)
        table = rotary_table(positions_T, self.spec.head_width, self.spec.rope_theta)
        mask = None if documents_BT is None else Documents(documents_BT)
        if cache is not None:
            mask = cache.mask(num_tokens, tokens_BT.device)
        x_BTC = self.embedding(tokens_BT)
        for layer, block in enumerate(self.blocks):
            x_BTC = block(x_BTC, table, mask, cache, trace)
            if trace is not None:
                trace.add_hidden(layer, x_BTC if layer + 1 < len(self.blocks) else self.norm(x_BTC))
        if cache is not None:
            cache.num_tokens += num_tokens
        return self.norm(x_BTC)
