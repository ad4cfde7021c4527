"""Speculative decoding: several drafted tokens are checked in one pass; the output is that of greedy decoding.

Drafts come from the model's own heads for tokens after the next (arXiv 2404.19737, section 2), or from what followed
the same tokens earlier in the text ("prompt lookup", arXiv 2304.04487).

Each token is the model's likeliest, as in greedy decoding; but a pass over several tokens rounds otherwise than
several passes over one, so where the two likeliest lie within rounding of each other, the pass is not believed: the
tokens since the last certain place are run again one by one, exactly as greedy decoding runs them.

Shapes: T tokens of a pass, C model width, V vocabulary.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from workers.model.cache import Cache
from workers.model.generate import check_prompts
from workers.model.transformer import Transformer

_TIE_ROUNDINGS = 256
"""Logits nearer than so many roundings of the largest are a tie."""


class Drafter(Protocol):
    """Guesses what comes next."""

    def draft(self, tokens: list[int], hidden_TC: Tensor, num_drafts: int) -> list[int]:
        """At most `num_drafts` tokens that may follow `tokens`.

        hidden_TC: the model's hidden states of the places before the last token that were not given yet.
        """
        ...


class HeadsDrafter:
    """Drafts of the model's own heads. Raises ValueError for a model without them."""

    def __init__(self, model: Transformer, capacity_tokens: int = 0) -> None:
        if model.mtp is None:
            raise ValueError("the model has no heads for multi-token prediction: train it with model.mtp")
        self.model, self.heads, self.cache = model, model.mtp, Cache(capacity_tokens)

    def draft(self, tokens: list[int], hidden_TC: Tensor, num_drafts: int) -> list[int]:
        """See `Drafter`."""
        model = self.model
        after = tokens[len(tokens) - len(hidden_TC) :]
        return self.heads.draft(
            hidden_TC, after, num_drafts, self.cache, model.embedding, model.draft_logits, model.spec.rope_theta
        )


class NgramDrafter:
    """Drafts from the text itself: what followed the last n tokens where they stood before, the longest n first."""

    def __init__(self, longest: int = 3) -> None:
        self.longest = longest
        self._ends: dict[tuple[int, ...], int] = {}
        self._num_indexed = 0

    def draft(self, tokens: list[int], hidden_TC: Tensor, num_drafts: int) -> list[int]:
        """See `Drafter`."""
        for end in range(self._num_indexed + 1, len(tokens)):  # the last token has no follower yet
            for length in range(1, min(self.longest, end) + 1):
                self._ends[tuple(tokens[end - length : end])] = end
        self._num_indexed = max(len(tokens) - 1, 0)
        for length in range(min(self.longest, len(tokens)), 0, -1):
            if (end := self._ends.get(tuple(tokens[-length:]))) is not None:
                return tokens[end : end + num_drafts]
        return []


@dataclass
class Speculation:
    """What speculation came to."""

    num_passes: int = 0
    num_drafted: int = 0
    num_accepted: int = 0
    num_replayed: int = 0
    """Tokens run again one by one because of a tie."""


def speculate(
    model: Transformer,
    prompt: list[int],
    *,
    num_tokens: int,
    drafter: Drafter | None = None,
    num_drafts: int = 3,
    eos_token_id: int | None = None,
    counts: Speculation | None = None,
) -> Iterator[int]:
    """The tokens of `generate(model, prompt, ...)` at temperature 0, in fewer passes.

    drafter: by default the model's own heads. Raises ValueError for a prompt that `generate` refuses.
    """
    check_prompts(model, [prompt])
    capacity = len(prompt) + num_tokens + num_drafts
    drafter = drafter or HeadsDrafter(model, capacity)
    verifier = _Verifier(model, prompt, capacity, counts or Speculation())
    found: list[int] = []
    while num_tokens > 0:
        with torch.inference_mode():
            if not found:
                found = verifier.begin()
            else:
                drafts = drafter.draft(verifier.tokens, verifier.hidden_TC, min(num_drafts, num_tokens - 1))
                found = verifier.check(drafts)
        for token in found:
            yield token
            num_tokens -= 1
            if token == eos_token_id:
                return


class _Verifier:
    """The text so far, and the model's cache of all of it but the last token."""

    def __init__(self, model: Transformer, prompt: list[int], capacity_tokens: int, counts: Speculation) -> None:
        self.model, self.counts = model, counts
        self.cache = Cache(capacity_tokens)
        self.tokens = list(prompt)
        self.hidden_TC = torch.empty(0)
        """Hidden states of the places that the last pass added."""
        self._num_exact = 0

    def begin(self) -> list[int]:
        """Read the prompt as greedy decoding reads it; the first token."""
        hidden_TC = self._run(self.tokens)
        self.hidden_TC, self._num_exact = hidden_TC, len(self.tokens)
        self.tokens.append(int(self.model.logits(hidden_TC[-1:]).argmax()))
        return self.tokens[-1:]

    def check(self, drafts: list[int]) -> list[int]:
        """The drafts that greedy decoding would choose, and one token more."""
        past, exact = self.cache.num_tokens, not drafts and self._num_exact == self.cache.num_tokens
        hidden_TC = self._run([self.tokens[-1], *drafts])
        logits_TV = self.model.logits(hidden_TC)
        best_T2, ids_T2 = logits_TV.topk(2)
        tie_T = best_T2[:, 0] - best_T2[:, 1] <= self._tie(logits_TV)
        chosen, ties = ids_T2[:, 0].tolist(), tie_T.tolist()
        num_same = next((i for i, draft in enumerate(drafts) if ties[i] or draft != chosen[i]), len(drafts))
        self.counts.num_passes += 1
        self.counts.num_drafted += len(drafts)
        self.counts.num_accepted += num_same
        found = drafts[:num_same]
        self.hidden_TC = hidden_TC[: num_same + 1]
        self.tokens += found
        self.cache.keep(past + num_same + 1)
        if exact:
            self._num_exact += 1
            found.append(int(logits_TV[0].argmax()))
        else:
            found.append(self._replay() if ties[num_same] else chosen[num_same])
        self.tokens.append(found[-1])
        return found

    def _replay(self) -> int:
        """The next token by passes over one token each, from the last place that was run so."""
        left = self.tokens[self._num_exact :]
        self.cache.keep(self._num_exact)
        for token in left:
            hidden_TC = self._run([token])
        self._num_exact = self.cache.num_tokens
        self.counts.num_replayed += len(left)
        return int(self.model.logits(hidden_TC[-1:]).argmax())

    def _run(self, tokens: list[int]) -> Tensor:
        tokens_BT = torch.tensor([tokens], dtype=torch.int64, device=self.model.embedding.weight.device)
        return self.model.hidden(tokens_BT, cache=self.cache)[0]

    @staticmethod
    def _tie(logits_TV: Tensor) -> Tensor:
        """How near is too near at each place.  (T, V) -> (T,)"""
        return _TIE_ROUNDINGS * torch.finfo(logits_TV.dtype).eps * logits_TV.abs().amax(-1)
