"""Text from a model, token by token: greedy or sampled, with a key-value cache.

Shapes: B batch, T tokens, V vocabulary.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from workers.model.attention import Cache
from workers.model.transformer import Transformer


def generate(
    model: Transformer,
    prompt: list[int],
    *,
    num_tokens: int,
    temperature: float = 0.0,
    top_k: int = 0,
    eos_token_id: int | None = None,
    seed: int = 0,
) -> Iterator[int]:
    """Yield up to `num_tokens` token ids that follow `prompt`; the end token, when met, is the last one.

    Temperature 0 takes the likeliest token. `top_k` 0 samples from the whole vocabulary.
    Raises ValueError for an empty prompt, a token outside the vocabulary or a negative temperature.
    """
    if not prompt or not all(0 <= token < model.vocab_size for token in prompt):
        raise ValueError(f"the prompt must have tokens, each in [0, {model.vocab_size}); got {prompt[:20]}")
    if temperature < 0:
        raise ValueError(f"temperature must not be negative; got {temperature}")
    device = model.embedding.weight.device
    generator = torch.Generator(device=device).manual_seed(seed)
    cache = Cache()
    tokens_BT = torch.tensor([prompt], dtype=torch.int64, device=device)
    for _ in range(num_tokens):
        with torch.inference_mode():
            logits_V = model(tokens_BT, cache=cache)[0, -1]
            token = choose_token(logits_V, temperature, top_k, generator)
        yield token
        if token == eos_token_id:
            return
        tokens_BT = torch.tensor([[token]], dtype=torch.int64, device=device)


def choose_token(logits_V: Tensor, temperature: float, top_k: int, generator: torch.Generator) -> int:
    """The likeliest token at temperature 0, else one drawn from the tempered distribution.  (V,) -> id"""
    if temperature == 0:
        return int(logits_V.argmax())
    scaled_V = logits_V / temperature
    if 0 < top_k < scaled_V.numel():
        scaled_V = scaled_V.masked_fill(scaled_V < scaled_V.topk(top_k).values[-1], float("-inf"))
    return int(torch.multinomial(scaled_V.softmax(-1), 1, generator=generator))
