"""The model: SmolLM3 by default, and the choices that are discussed beside it. https://huggingface.co/blog/smollm3"""

from typing import Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Spec
from workers.specs.training.mtp import Mtp


class Model(Spec):
    """A decoder with GQA and RoPE (none in every n-th layer); as it stands RMSNorm, SwiGLU, tied embeddings."""

    kind: Literal["smollm3"] = "smollm3"
    d_model: int = Field(256, ge=16, multiple_of=2)
    """Width."""
    num_layers: int = Field(8, ge=1, le=1000)
    num_heads: int = Field(8, ge=1)
    num_kv_heads: int = Field(2, ge=1)
    """Key and value heads, shared by groups of query heads."""
    d_head: int | None = Field(None, ge=2, multiple_of=2)
    """Width of a head; none: d_model / num_heads."""
    d_ffn: int = Field(704, ge=16)
    """Inner width of the feed-forward block."""
    ffn: Literal["swiglu", "geglu", "relu2"] = "swiglu"
    """swiglu, geglu: gated (arXiv 2002.05202), three matrices; relu2: squared ReLU (arXiv 2109.08668), two."""
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    """layernorm also subtracts the mean and has a bias."""
    norm_placement: Literal["pre", "post", "sandwich"] = "pre"
    """pre: before each sublayer; post: after the residual, no last norm (arXiv 1706.03762); sandwich: on both sides."""
    norm_eps: float = Field(1e-6, gt=0)
    qk_norm: bool = False
    """RMSNorm over each head's query and key before RoPE, as in Qwen3. arXiv 2302.05442"""
    rope_theta: float = Field(50_000.0, gt=1)
    nope_interval: int = Field(4, ge=0)
    """Every so many layers one has no RoPE; 0: all have it."""
    tied_embeddings: bool = True
    init: Literal["normal", "depth_scaled"] = "normal"
    """depth_scaled: matrices that write to the residual start at init_std / sqrt(2 num_layers), as in GPT-2."""
    init_std: float = Field(0.02, gt=0)
    parametrization: Literal["standard", "mup", "completep"] = "standard"
    """mup: the best rate stays put over widths (arXiv 2203.03466); completep: over depths too (arXiv 2505.01618)."""
    base_d_model: int = Field(256, ge=1)
    """Width at which rates, decay and init_std hold as they are given, for mup and completep."""
    base_num_layers: int = Field(8, ge=1)
    """Depth at which they hold, for completep."""
    mtp: Mtp | None = None
    """Heads that predict tokens after the next: a further loss in training, drafts for fast decoding."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.d_head is None and self.d_model % self.num_heads:
            raise ValueError(
                f"d_model {self.d_model} is not divisible by num_heads {self.num_heads}: change one, or set d_head"
            )
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_heads {self.num_heads} is not divisible by num_kv_heads {self.num_kv_heads}")
        if self.head_width % 2:
            raise ValueError("the head width d_model / num_heads must be even for RoPE")
        return self

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.d_head or self.d_model // self.num_heads

    @property
    def has_nope(self) -> bool:
        """Is there a layer without RoPE?"""
        return 0 < self.nope_interval <= self.num_layers

    @property
    def transformers_class(self) -> str | None:
        """The class of `transformers` that has the same logits with the same weights; None: there is none."""
        if self.own_format_reasons:
            return None
        if self.qk_norm:
            return "Qwen3ForCausalLM"
        # LlamaConfig refuses widths that its heads do not divide, whatever the width of a head.
        return "SmolLM3ForCausalLM" if self.has_nope or self.d_model % self.num_heads else "LlamaForCausalLM"

    @property
    def own_format_reasons(self) -> list[str]:
        """Why no class of `transformers` can express the model; empty: one can."""
        reasons = []
        if self.norm != "rmsnorm":
            reasons.append(f"norm {self.norm}")
        if self.norm_placement != "pre":
            reasons.append(f"norm_placement {self.norm_placement}")
        if self.ffn == "relu2":
            reasons.append("ffn relu2")
        if self.qk_norm and self.has_nope:
            reasons.append("qk_norm together with layers without RoPE (nope_interval 0 would do)")
        return reasons

    def num_parameters(self, vocab_size: int) -> int:
        """Parameters in all, embeddings once when tied."""
        norm = self.d_model * (2 if self.norm == "layernorm" else 1)
        attention = 2 * self.d_model * self.head_width * (self.num_heads + self.num_kv_heads)
        attention += 2 * self.head_width if self.qk_norm else 0
        ffn = self.d_model * self.d_ffn * (2 if self.ffn == "relu2" else 3)
        layer = attention + ffn + norm * (4 if self.norm_placement == "sandwich" else 2)
        last_norm = 0 if self.norm_placement == "post" else norm
        embeddings = vocab_size * self.d_model * (1 if self.tied_embeddings else 2)
        heads = self.mtp.num_parameters(self.d_model, layer) if self.mtp else 0
        return embeddings + self.num_layers * layer + last_norm + heads
