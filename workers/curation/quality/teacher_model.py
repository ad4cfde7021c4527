"""A causal language model as a judge: log-odds of Yes against No after a question about a text, or bits per byte.

Legend: Q questions, T tokens.
"""

import inspect
import math

import torch
from torch import Tensor

from workers.model.pretrained import find_model, load_model
from workers.specs.curation.quality import TeacherLabels

_INSTRUCTION = "Answer with one word, Yes or No."
_YES, _NO = ("Yes", " Yes", "yes", " yes", "YES"), ("No", " No", "no", " no", "NO")
_SPLIT = "\x1e"
"""Stands where the document goes while the prompt is laid out; no document holds it."""


class TeacherModel:
    """Judges texts. Loads on creation: seconds, and memory for the weights in float32 (bfloat16 on a GPU)."""

    def __init__(self, spec: TeacherLabels) -> None:
        """Raises ValueError when there is no such model, or it cannot be loaded."""
        self.spec = spec
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, self.tokenizer = load_model(find_model(spec.model), self.device)
        # transformers 5.2x renamed the argument.
        known = inspect.signature(self.model.forward).parameters
        self._cache_name = "cache" if "cache" in known else "past_key_values"
        self._before, self._questions = self._lay_out()
        self._yes, self._no = self._answers(_YES), self._answers(_NO)

    def judge(self, text: str) -> list[float]:
        """Log-odds of Yes by question (method rubric), or minus the bits per byte (perplexity). Higher is better."""
        with torch.inference_mode():
            return self._log_odds(text) if self.spec.method == "rubric" else [-self._bits_per_byte(text)]

    def _log_odds(self, text: str) -> list[float]:
        from transformers import DynamicCache

        cache = DynamicCache(config=self.model.config)
        cached = {self._cache_name: cache, "use_cache": True}
        self.model(self._ids([*self._before, *self._document(text)]), logits_to_keep=1, **cached)
        cache.batch_repeat_interleave(len(self._questions))  # the document is read once for all questions
        longest = max(map(len, self._questions))
        # Padding stands at the end, where no earlier token sees it.
        padded_QT = [question + question[-1:] * (longest - len(question)) for question in self._questions]
        ids_QT = torch.tensor(padded_QT, device=self.device)
        logits_QTV = self.model(ids_QT, **cached).logits.float()
        last = torch.tensor([len(question) - 1 for question in self._questions], device=self.device)
        logits_QV = logits_QTV[torch.arange(len(last), device=self.device), last]
        odds_Q = torch.logsumexp(logits_QV[:, self._yes], 1) - torch.logsumexp(logits_QV[:, self._no], 1)
        found: list[float] = odds_Q.tolist()
        return found

    def _bits_per_byte(self, text: str) -> float:
        start = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        ids_1T = self._ids([*start, *self._document(text)])
        if ids_1T.shape[1] < 2:
            return math.inf
        logits_TV = self.model(ids_1T).logits[0, :-1].float()
        nats = torch.nn.functional.cross_entropy(logits_TV, ids_1T[0, 1:], reduction="sum").item()
        num_bytes = len(self.tokenizer.decode(ids_1T[0, 1:].tolist()).encode())
        return nats / math.log(2) / max(1, num_bytes)

    def _document(self, text: str) -> list[int]:
        for sign in self.tokenizer.all_special_tokens:  # a page must not end the prompt by writing its end sign
            text = text.replace(sign, " ")
        # Eight characters a token are more than enough, and save the tokenizer a long text.
        ids: list[int] = self.tokenizer.encode(text[: 8 * self.spec.max_tokens], add_special_tokens=False)
        return ids[: self.spec.max_tokens]

    def _lay_out(self) -> tuple[list[int], list[list[int]]]:
        """Tokens before the document, and after it for each question."""
        prompts = [self._prompt(f"{question} {_INSTRUCTION}") for question in self.spec.questions]
        before, after = zip(*(prompt.split(_SPLIT) for prompt in prompts), strict=True)
        encode = self.tokenizer.encode
        return encode(before[0], add_special_tokens=False), [encode(one, add_special_tokens=False) for one in after]

    def _prompt(self, question: str) -> str:
        content = f"Text:\n{_SPLIT}\n\nQuestion about the text: {question}"
        if not self.tokenizer.chat_template:
            return f"{self.tokenizer.bos_token or ''}{content}\nAnswer:"
        messages = [{"role": "user", "content": content}]
        prompt: str = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return prompt

    def _answers(self, words: tuple[str, ...]) -> list[int]:
        """Tokens that are one of the words, in its spellings."""
        encoded = [self.tokenizer.encode(word, add_special_tokens=False) for word in words]
        found = sorted({ids[0] for ids in encoded if len(ids) == 1})
        if not found and self.spec.method == "rubric":
            raise ValueError(f"the teacher's tokenizer has no token for {words[0]!r}: use method: perplexity")
        return found

    def _ids(self, ids: list[int]) -> Tensor:
        return torch.tensor([ids], device=self.device)
