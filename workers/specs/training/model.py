"""The model's shape: SmolLM3. https://huggingface.co/blog/smollm3"""

from typing import Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Spec
from workers.specs.training.mtp import Mtp


class Model(Spec):
    """A decoder with GQA, RoPE (none in every n-th layer), RMSNorm, SwiGLU, tied embeddings."""

    kind: Literal["smollm3"] = "smollm3"
    d_model: int = Field(256, ge=16, multiple_of=2)
    """Width."""
    num_layers: int = Field(8, ge=1, le=1000)
    num_heads: int = Field(8, ge=1)
    num_kv_heads: int = Field(2, ge=1)
    """Key and value heads, shared by groups of query heads."""
    d_ffn: int = Field(704, ge=16)
    """Inner width of the SwiGLU block."""
    rope_theta: float = Field(50_000.0, gt=1)
    nope_interval: int = Field(4, ge=0)
    """Every so many layers one has no RoPE; 0: all have it."""
    norm_eps: float = Field(1e-6, gt=0)
    tied_embeddings: bool = True
    init_std: float = Field(0.02, gt=0)
    mtp: Mtp | None = None
    """Heads that predict tokens after the next: a further loss in training, drafts for fast decoding."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.d_model % self.num_heads:
            raise ValueError(f"d_model {self.d_model} is not divisible by num_heads {self.num_heads}")
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_heads {self.num_heads} is not divisible by num_kv_heads {self.num_kv_heads}")
        if (self.d_model // self.num_heads) % 2:
            raise ValueError("the head width d_model / num_heads must be even for RoPE")
        return self

    def num_parameters(self, vocab_size: int) -> int:
        """Parameters in all, embeddings once when tied."""
        d_kv = self.d_model // self.num_heads * self.num_kv_heads
        layer = 2 * self.d_model**2 + 2 * self.d_model * d_kv + 3 * self.d_model * self.d_ffn + 2 * self.d_model
        embeddings = vocab_size * self.d_model * (1 if self.tied_embeddings else 2)
        heads = self.mtp.num_parameters(self.d_model, layer) if self.mtp else 0
        return embeddings + self.num_layers * layer + self.d_model + heads
