"""Text from a model, token by token: greedy or sampled, one prompt or several, with a key-value cache.

Shapes: B batch, T tokens, V vocabulary, C model width.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from workers.model.cache import Cache
from workers.model.transformer import Transformer


def generate(
    model: Transformer,
    prompt: list[int],
    *,
    num_tokens: int,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    eos_token_id: int | None = None,
    seed: int = 0,
) -> Iterator[int]:
    """Yield up to `num_tokens` token ids that follow `prompt`; the end token, when met, is the last one.

    Temperature 0 takes the likeliest token. `top_k` 0 samples from the whole vocabulary; `top_p` from the fewest
    tokens that hold so much of the probability. `workers.model.packed.pack` makes a model faster at it.
    Raises ValueError for an empty prompt, a token outside the vocabulary or settings out of range.
    """
    check_prompts(model, [prompt])
    check_sampling(temperature, top_k, top_p)
    device = model.embedding.weight.device
    generator = torch.Generator(device=device).manual_seed(seed)
    cache = Cache(len(prompt) + num_tokens)
    tokens_BT = torch.tensor([prompt], dtype=torch.int64, device=device)
    for _ in range(num_tokens):
        with torch.inference_mode():
            logits_BV = last_logits(model, tokens_BT, cache)
            tokens_BT = choose_tokens(logits_BV, temperature, top_k, top_p, generator)
        token = int(tokens_BT)
        yield token
        if token == eos_token_id:
            return


@torch.inference_mode()
def generate_batch(
    model: Transformer,
    prompts: list[list[int]],
    *,
    num_tokens: int,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    eos_token_id: int | None = None,
    seed: int = 0,
) -> list[list[int]]:
    """What follows each prompt, as `generate` does for one; prompts of unequal lengths are padded on the left.

    A row's positions begin at its padding: rotary positions act through differences alone.
    """
    check_prompts(model, prompts)
    check_sampling(temperature, top_k, top_p)
    device = model.embedding.weight.device
    generator = torch.Generator(device=device).manual_seed(seed)
    longest = max(map(len, prompts))
    first_B = torch.tensor([longest - len(prompt) for prompt in prompts], device=device)
    cache = Cache(longest + num_tokens, first_B if bool(first_B.any()) else None)
    tokens_BT = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts], device=device)
    rows: list[list[int]] = [[] for _ in prompts]
    for _ in range(num_tokens):
        logits_BV = last_logits(model, tokens_BT, cache)
        tokens_BT = choose_tokens(logits_BV, temperature, top_k, top_p, generator)
        for row, (token,) in zip(rows, tokens_BT.tolist(), strict=True):
            if eos_token_id is None or row[-1:] != [eos_token_id]:
                row.append(token)
        if all(row[-1] == eos_token_id for row in rows):
            break
    return rows


def last_logits(model: Transformer, tokens_BT: Tensor, cache: Cache) -> Tensor:
    """Logits of what follows the last token; the tokens go into the cache.  (B, T) -> (B, V)"""
    return model.logits(model.hidden(tokens_BT, cache=cache)[:, -1])


def choose_tokens(
    logits_BV: Tensor, temperature: float, top_k: int, top_p: float, generator: torch.Generator
) -> Tensor:
    """The likeliest token at temperature 0, else one drawn from the tempered distribution.  (B, V) -> (B, 1)"""
    if temperature == 0:
        return logits_BV.argmax(-1, keepdim=True)
    scaled_BV = logits_BV / temperature
    if 0 < top_k < scaled_BV.shape[-1]:
        scaled_BV = scaled_BV.masked_fill(scaled_BV < scaled_BV.topk(top_k).values[:, -1:], float("-inf"))
    shares_BV = scaled_BV.softmax(-1)
    if top_p < 1:
        sorted_BV, order_BV = shares_BV.sort(-1, descending=True)
        # Out goes what comes after the token that fills the share; the likeliest always stays.
        sorted_BV = sorted_BV.masked_fill(sorted_BV.cumsum(-1) - sorted_BV >= top_p, 0.0)
        shares_BV = torch.zeros_like(shares_BV).scatter(-1, order_BV, sorted_BV)
    return torch.multinomial(shares_BV, 1, generator=generator)


def check_prompts(model: Transformer, prompts: list[list[int]]) -> None:
    """Raises ValueError for no prompt, an empty one, or a token outside the vocabulary."""
    if not prompts:
        raise ValueError("give at least one prompt")
    for prompt in prompts:
        if not prompt or not all(0 <= token < model.vocab_size for token in prompt):
            raise ValueError(f"the prompt must have tokens, each in [0, {model.vocab_size}); got {prompt[:20]}")


def check_sampling(temperature: float, top_k: int, top_p: float) -> None:
    """Raises ValueError for settings out of range."""
    if temperature < 0 or top_k < 0 or not 0 < top_p <= 1:
        raise ValueError(
            "temperature and top_k must not be negative, top_p must be in (0, 1]; "
            f"got {temperature}, {top_k} and {top_p}"
        )
