"""Which of four continuations belongs to a held-out passage? The other three come from passages of the same language.

A benchmark that needs no download and knows every language of the dataset.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from workers.evaluation.tasks._shared import (
    Bench,
    HeldOutDocument,
    Question,
    TaskResult,
    answer_questions,
    held_out_by_language,
)
from workers.specs.evaluation import Cloze

NUM_CHOICES = 4


@dataclass(slots=True, frozen=True)
class Passage:
    """A stretch of a document, cut in two."""

    document_id: str
    number: int
    language: str
    context: str
    continuation: str


def run(spec: Cloze, bench: Bench) -> TaskResult | None:
    """Items shared out evenly over the languages. None, with a warning, when no language has text enough."""
    questions = build_questions(spec, bench)
    if not questions:
        bench.warn("cloze is left out: no language has held-out text enough for four passages")
        return None
    return TaskResult("cloze", "accuracy", answer_questions(bench, "cloze", questions), chance=1 / NUM_CHOICES)


def build_questions(spec: Cloze, bench: Bench) -> list[Question]:
    """The same questions for the same held-out text, spec and seed."""
    drawn = random.Random(bench.seed)  # noqa: S311  # drawing items is no cryptography
    queues: list[list[Question]] = []
    for language, documents in held_out_by_language(bench.dataset).items():
        passages = [p for document in documents for p in cut_passages(document, spec)]
        drawn.shuffle(passages)
        asked = [q for p in passages[: spec.num_items] if (q := _question(p, passages, drawn))]
        if not asked:
            bench.warn(f"cloze leaves out {language or 'text without a language'}: too little held-out text")
        queues.append(asked)
    rounds = (q for turn in range(spec.num_items) for queue in queues for q in queue[turn : turn + 1])
    return [question for question, _ in zip(rounds, range(spec.num_items), strict=False)]


def cut_passages(document: HeldOutDocument, spec: Cloze) -> list[Passage]:
    """Passages that do not overlap, blanks made single."""
    words = document.text.split()
    length = spec.context_words + spec.continuation_words
    return [
        Passage(
            document_id=document.id,
            number=start // length,
            language=document.language,
            context=" ".join(words[start : start + spec.context_words]),
            continuation=" " + " ".join(words[start + spec.context_words : start + length]),
        )
        for start in range(0, len(words) - length + 1, length)
    ]


def _question(passage: Passage, passages: Sequence[Passage], drawn: random.Random) -> Question | None:
    """None when there are not three other continuations."""
    candidates = {p.continuation for p in drawn.sample(passages, min(len(passages), 32))} - {passage.continuation}
    if len(candidates) < NUM_CHOICES - 1:
        return None
    choices = drawn.sample(sorted(candidates), NUM_CHOICES - 1)
    answer = drawn.randrange(NUM_CHOICES)
    choices.insert(answer, passage.continuation)
    return Question(f"{passage.document_id}:{passage.number}", passage.language, passage.context, choices, answer)
