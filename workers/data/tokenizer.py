"""Byte-level BPE: training, loading, encoding. https://huggingface.co/docs/tokenizers

As in SmolLM's tokenizer: each digit is a token of its own, no blank is put in front, every byte can be written.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"
PAD = "<|pad|>"
SPECIAL_TOKENS = (END, PAD, "<|im_start|>", "<|im_end|>")
"""Ids 0, 1, ... in this order. The last two are the marks of the chat template (`workers.data.chat`)."""


class Tokenizer:
    """Text to token ids and back. Special tokens written out in a text are plain text to `encode`."""

    def __init__(self, fast: FastTokenizer) -> None:
        self.fast = fast
        # A document that quotes "<|endoftext|>" must not end there.
        self.fast.encode_special_tokens = True
        self.eos_token_id = self.id_of(END)
        padding = fast.token_to_id(PAD)  # SmolLM2's tokenizer has none; nothing is ever padded with it in training
        self.pad_token_id = self.eos_token_id if padding is None else int(padding)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a tokenizer.json.  Raises FileNotFoundError, or ValueError when it is none of ours."""
        if not path.is_file():
            raise FileNotFoundError(f"no tokenizer at {path}")
        return cls(FastTokenizer.from_file(str(path)))

    def save(self, path: Path) -> None:
        """Write tokenizer.json."""
        partial = path.with_name(path.name + ".partial")
        self.fast.save(str(partial))
        partial.rename(path)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, special ones included."""
        size: int = self.fast.get_vocab_size()
        return size

    def id_of(self, token: str) -> int:
        """Id of a token. Raises ValueError when there is none."""
        found: int | None = self.fast.token_to_id(token)
        if found is None:
            raise ValueError(f"the tokenizer has no token {token}")
        return found

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without an end token."""
        ids: list[int] = self.fast.encode(text, add_special_tokens=False).ids
        return ids

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """Ids of each text; on all cores."""
        return [encoding.ids for encoding in self.fast.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the ids; special tokens are left out, broken UTF-8 becomes U+FFFD."""
        text: str = self.fast.decode(list(ids), skip_special_tokens=True)
        return text


def train_tokenizer(texts: Iterator[str], vocab_size: int, length: int | None = None) -> Tokenizer:
    """Train on texts. Equal texts in equal order give an equal tokenizer, byte by byte.

    `length` is the number of texts, where known. The vocabulary stays smaller than asked when the texts have too few
    different words. Raises ValueError for a vocabulary that cannot hold the bytes and special tokens.
    """
    least = len(SPECIAL_TOKENS) + 256
    if vocab_size < least:
        raise ValueError(f"a byte-level vocabulary needs at least {least} tokens, not {vocab_size}")
    fast = FastTokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    fast.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    fast.train_from_iterator(texts, trainer=trainer, length=length)
    return Tokenizer(fast)
