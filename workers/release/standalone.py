"""Loads the model in this folder with PyTorch alone: `from modeling import load; model = load(".")`.

`model(tokens_BT)` gives the logits of the next token at each place, `generate(model, tokens, 32)` continues a list of
token ids. `python modeling.py "The water"` continues a text; that needs the package `tokenizers`.

Shapes: B batch, T new tokens, S all tokens, H query heads, G key-value heads, D head width, C model width,
V vocabulary.
"""

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Pair = tuple[Tensor, Tensor]
"""Keys and values of a layer, each (B, G, S, D)."""
_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def _norm(c: Any) -> nn.Module:
    return (nn.LayerNorm if c.norm == "layernorm" else nn.RMSNorm)(c.d_model, eps=c.norm_eps)


class Attention(nn.Module):
    """Grouped-query attention; some layers have no rotary positions."""

    def __init__(self, c: Any, layer: int) -> None:
        super().__init__()
        self.c, self.width = c, c.d_head or c.d_model // c.num_heads
        self.rotary = not c.nope_interval or (layer + 1) % c.nope_interval != 0
        self.qkv = nn.Linear(c.d_model, (c.num_heads + 2 * c.num_kv_heads) * self.width, bias=False)
        self.out = nn.Linear(c.num_heads * self.width, c.d_model, bias=False)
        if c.qk_norm:
            self.q_norm = nn.RMSNorm(self.width, eps=c.norm_eps)
            self.k_norm = nn.RMSNorm(self.width, eps=c.norm_eps)

    def forward(self, x_BTC: Tensor, past: Pair | None) -> tuple[Tensor, Pair]:
        """(B, T, C) -> (B, T, C), and the keys and values of all tokens so far."""
        c, num_tokens = self.c, x_BTC.shape[1]
        begin = past[0].shape[2] if past else 0
        heads = self.qkv(x_BTC).unflatten(-1, (-1, self.width)).transpose(1, 2)
        q, k, v = heads.split((c.num_heads, c.num_kv_heads, c.num_kv_heads), dim=1)
        if c.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        if self.rotary:
            q, k = self._turn(q, begin), self._turn(k, begin)
        if past:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        group = c.num_heads // c.num_kv_heads
        k_BHSD, v_BHSD = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = q @ k_BHSD.mT * (c.query_factor / math.sqrt(self.width))
        allowed = torch.ones(num_tokens, k.shape[2], dtype=torch.bool, device=x_BTC.device).tril(begin)
        mixed = scores.masked_fill(~allowed, -math.inf).softmax(-1) @ v_BHSD
        return self.out(mixed.transpose(1, 2).flatten(2)), (k, v)

    def _turn(self, x: Tensor, begin: int) -> Tensor:
        places = torch.arange(begin, begin + x.shape[2], dtype=torch.float32, device=x.device)
        exponents = torch.arange(0, self.width, 2, dtype=torch.float32, device=x.device) / self.width
        angles = torch.outer(places, self.c.rope_theta**-exponents).repeat(1, 2)
        first, second = x.chunk(2, -1)
        return x * angles.cos().to(x.dtype) + torch.cat((-second, first), -1) * angles.sin().to(x.dtype)


class FeedForward(nn.Module):
    """SwiGLU, GeGLU or squared ReLU."""

    def __init__(self, c: Any) -> None:
        super().__init__()
        self.kind = c.ffn
        if c.ffn == "relu2":
            self.up = nn.Linear(c.d_model, c.d_ffn, bias=False)
        else:
            self.gate_up = nn.Linear(c.d_model, 2 * c.d_ffn, bias=False)
        self.down = nn.Linear(c.d_ffn, c.d_model, bias=False)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        if self.kind == "relu2":
            return self.down(self.up(x_BTC).relu().square())
        gate, up = self.gate_up(x_BTC).chunk(2, -1)
        return self.down((functional.silu if self.kind == "swiglu" else functional.gelu)(gate) * up)


class Block(nn.Module):
    """Attention and feed-forward, each with a residual, normed before, after, or on both sides."""

    def __init__(self, c: Any, layer: int) -> None:
        super().__init__()
        self.c = c
        self.attention_norm, self.ffn_norm = _norm(c), _norm(c)
        self.attention, self.ffn = Attention(c, layer), FeedForward(c)
        if c.norm_placement == "sandwich":
            self.attention_out_norm, self.ffn_out_norm = _norm(c), _norm(c)

    def forward(self, x: Tensor, past: Pair | None) -> tuple[Tensor, Pair]:
        """(B, T, C) -> (B, T, C)"""
        factor, placement = self.c.residual_factor, self.c.norm_placement
        if placement == "post":
            new, pair = self.attention(x, past)
            x = self.attention_norm(x + factor * new)
            return self.ffn_norm(x + factor * self.ffn(x)), pair
        new, pair = self.attention(self.attention_norm(x), past)
        x = x + factor * (self.attention_out_norm(new) if placement == "sandwich" else new)
        new = self.ffn(self.ffn_norm(x))
        return x + factor * (self.ffn_out_norm(new) if placement == "sandwich" else new), pair


class LanguageModel(nn.Module):
    """The decoder that model.json describes."""

    def __init__(self, c: Any) -> None:
        super().__init__()
        self.c = c
        self.embedding = nn.Embedding(c.vocab_size, c.d_model)
        self.blocks = nn.ModuleList(Block(c, layer) for layer in range(c.num_layers))
        self.norm = nn.Identity() if c.norm_placement == "post" else _norm(c)
        self.head = None if c.tied_embeddings else nn.Linear(c.d_model, c.vocab_size, bias=False)

    def forward(self, tokens_BT: Tensor, cache: list[Pair] | None = None) -> Tensor:
        """Logits.  (B, T) int64 -> (B, T, V). A list as `cache` holds what was seen, and is brought up to date."""
        x_BTC = self.embedding(tokens_BT)
        pairs: list[Pair] = []
        for layer, block in enumerate(self.blocks):
            x_BTC, pair = block(x_BTC, cache[layer] if cache else None)
            pairs.append(pair)
        if cache is not None:
            cache[:] = pairs
        head_VC = self.embedding.weight if self.head is None else self.head.weight
        return functional.linear(self.norm(x_BTC), head_VC) * self.c.logits_factor


def load(folder: str | Path) -> LanguageModel:
    """The model in evaluation mode."""
    description = json.loads((Path(folder) / "model.json").read_text(encoding="utf-8"))
    c = SimpleNamespace(**description["model"], **description["factors"], vocab_size=description["vocab_size"])
    model = LanguageModel(c)
    weights = read_safetensors(Path(folder) / "model.safetensors")
    # Heads of multi-token prediction are kept in the file; plain decoding does without.
    model.load_state_dict({name: tensor for name, tensor in weights.items() if not name.startswith("mtp.")})
    return model.eval()


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name. The format: eight bytes with the header's length, the header as JSON, the numbers."""
    content = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, entry in json.loads(content[8:begin]).items():
        if name == "__metadata__":
            continue
        shape = entry["shape"]
        first = begin + entry["data_offsets"][0]
        flat = torch.frombuffer(content, dtype=_TYPES[entry["dtype"]], count=math.prod(shape), offset=first)
        tensors[name] = flat.reshape(shape).clone()
    return tensors


@torch.inference_mode()
def generate(model: LanguageModel, tokens: list[int], num_tokens: int, eos_token_id: int | None = None) -> list[int]:
    """The likeliest next tokens, one after another; the end token, when met, is the last."""
    cache: list[Pair] = []
    new, found = tokens, []
    while len(found) < num_tokens and (not found or found[-1] != eos_token_id):
        logits_BTV = model(torch.tensor([new], device=model.embedding.weight.device), cache)
        new = [int(logits_BTV[0, -1].argmax())]
        found += new
    return found


if __name__ == "__main__":
    from tokenizers import Tokenizer

    here = Path(__file__).parent
    tokenizer = Tokenizer.from_file(str(here / "tokenizer.json"))
    prompt = sys.argv[1] if len(sys.argv) > 1 else "The"
    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    print(prompt + tokenizer.decode(generate(load(here), ids, 32)))
