"""Keys and values of the tokens seen so far, in tensors that are allocated once and grow by doubling.

Shapes: B batch, G key-value heads, T new tokens, S all tokens (past and new), D head width.
"""

import torch
from torch import Tensor


class Cache:
    """One (B, G, capacity, D) pair a layer, of which the first `num_tokens` places are filled."""

    def __init__(self, capacity_tokens: int = 0, first_B: Tensor | None = None) -> None:
        """`capacity_tokens`: places to allocate at first. `first_B`: first real place of each left-padded row."""
        self.num_tokens = 0
        self.first_B = first_B
        self._capacity = capacity_tokens
        self._pairs: dict[int, Tensor] = {}

    def extend(self, layer: int, k_BGTD: Tensor, v_BGTD: Tensor) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values behind the old ones; all of them.  -> 2 x (B, G, S, D)

        The next tokens of the layer go to the same places until `num_tokens` says that these were taken.
        """
        past, wanted = self.num_tokens, self.num_tokens + k_BGTD.shape[2]
        pair = self._pairs.get(layer)
        if pair is None or pair.shape[3] < wanted:
            pair = self._pairs[layer] = self._grow(pair, k_BGTD, wanted)
        pair[0, :, :, past:wanted] = k_BGTD
        pair[1, :, :, past:wanted] = v_BGTD
        return pair[0, :, :, :wanted], pair[1, :, :, :wanted]

    def keep(self, num_tokens: int) -> None:
        """Forget all but the first `num_tokens`. Raises ValueError when there are fewer."""
        if not 0 <= num_tokens <= self.num_tokens:
            raise ValueError(f"the cache holds {self.num_tokens} tokens, it cannot keep {num_tokens}")
        self.num_tokens = num_tokens

    def mask(self, num_new: int, device: torch.device) -> Tensor | None:
        """Who of the new tokens may look where; None where one token sees all.  -> (T, S) or (B, 1, T, S) bool"""
        past = self.num_tokens
        places_S = torch.arange(past + num_new, device=device)
        rows_T1 = places_S[past:, None]
        if self.first_B is None:
            return None if num_new == 1 or not past else places_S <= rows_T1
        seen_BTS = (places_S <= rows_T1) & (places_S >= self.first_B[:, None, None])
        # A padded place sees itself: a row of nothing would be NaN.
        return (seen_BTS | (places_S == rows_T1))[:, None]

    def _grow(self, old: Tensor | None, k_BGTD: Tensor, wanted: int) -> Tensor:
        B, G, _, D = k_BGTD.shape
        self._capacity = max(wanted, self._capacity if old is None else 2 * old.shape[3])
        new = k_BGTD.new_empty(2, B, G, self._capacity, D)
        if old is not None:
            new[:, :, :, : self.num_tokens] = old[:, :, :, : self.num_tokens]
        return new
