"""What all tasks share: the bench they work on, their items and results, held-out documents, choices by likelihood."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.data.chat import CHAT_MEDIA_TYPE
from workers.data.tokenizer import Tokenizer
from workers.evaluation.scoring import Request, score
from workers.model.transformer import Transformer
from workers.reporter import Reporter

LN2 = math.log(2)


@dataclass(slots=True, frozen=True)
class Bench:
    """The model under test and what a task may use."""

    model: Transformer
    tokenizer: Tokenizer
    context_tokens: int
    """Longest context the model was trained on."""
    dataset: Path
    home: Path
    """The worker's data folder: fetched benchmarks are below it."""
    seed: int
    reporter: Reporter

    def warn(self, message: str) -> None:
        """Something was left out: say what, and what helps."""
        self.reporter.event("warning", message)
        self.reporter.log(message, "warning")

    def score(self, name: str, requests: Sequence[Request], context_tokens: int | None = None) -> list[float]:
        """Log-likelihoods (nats), with progress under the task's name.

        context_tokens: what the model may see at once; none: as much as it was trained on.
        """
        return score(
            self.model,
            requests,
            context_tokens=context_tokens or self.context_tokens,
            on_progress=lambda done, total: self.reporter.progress(f"evaluate {name}", done, total, "sequences"),
        )


@dataclass(slots=True)
class Item:
    """One item with what the model did."""

    item_id: str
    slice: str
    """Language; of some tasks length or mode."""
    score: float
    correct: bool | None
    data: dict[str, Any]
    numerator: float
    """The metric is sum(numerator) / sum(denominator) over items."""
    denominator: float = 1.0


@dataclass(slots=True)
class TaskResult:
    """The items of one task."""

    task: str
    metric: str
    items: list[Item] = field(default_factory=list)
    chance: float | None = None


@dataclass(slots=True, frozen=True)
class HeldOutDocument:
    """A document that was kept out of training."""

    id: str
    language: str
    text: str
    is_chat: bool = False
    """A conversation: `text` is `workers.data.chat`'s."""


def held_out_by_language(dataset: Path) -> dict[str, list[HeldOutDocument]]:
    """Held-out documents with text, in their order, by language; languages sorted.

    Conversations are left out: they are no text as the model knows it. Raises FileNotFoundError without the file,
    ValueError for a line that is no document.
    """
    found: dict[str, list[HeldOutDocument]] = {}
    for document in held_out_documents(dataset):
        if document.text.strip() and not document.is_chat:
            found.setdefault(document.language, []).append(document)
    return dict(sorted(found.items()))


def held_out_documents(dataset: Path) -> Iterator[HeldOutDocument]:
    """All held-out documents. Raises FileNotFoundError without the file, ValueError for a line that is none."""
    path = dataset / "heldout.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"{dataset} has no heldout.jsonl: it is not a dataset folder")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                is_chat = row.get("media_type") == CHAT_MEDIA_TYPE
                yield HeldOutDocument(str(row["id"]), str(row["language"]), str(row["text"]), is_chat)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{path}, line {number} is no held-out document: {error}") from error


@dataclass(slots=True, frozen=True)
class Question:
    """A context with its possible continuations, one of them right."""

    item_id: str
    slice: str
    context: str
    choices: list[str]
    """As they follow the context, their leading blank included."""
    answer: int
    data: dict[str, Any] = field(default_factory=dict)


def answer_questions(bench: Bench, name: str, questions: Sequence[Question]) -> list[Item]:
    """The choice with the highest log-likelihood per UTF-8 byte is the model's answer.

    An item's score is the margin of the right choice over the best wrong one, in bits per byte: above 0 is correct.
    """
    requests = []
    for question in questions:
        context = bench.tokenizer.encode(question.context) or [bench.tokenizer.eos_token_id]
        requests += [Request(context, bench.tokenizer.encode(choice)) for choice in question.choices]
    log_likelihoods, items = iter(bench.score(name, requests)), []
    for question in questions:
        bits = [-next(log_likelihoods) / (LN2 * len(choice.encode())) for choice in question.choices]
        items.append(judge(question, bits))
    return items


def judge(question: Question, bits: list[float]) -> Item:
    """The item of a question, by the bits per byte of each choice."""
    chosen = min(range(len(bits)), key=bits.__getitem__)
    best_wrong = min(b for number, b in enumerate(bits) if number != question.answer)
    correct = chosen == question.answer
    return Item(
        item_id=question.item_id,
        slice=question.slice,
        score=best_wrong - bits[question.answer],
        correct=correct,
        data={
            "context": question.context,
            "choices": question.choices,
            "answer": question.answer,
            "chosen": chosen,
            "bits_per_byte": bits,
            **question.data,
        },
        numerator=float(correct),
    )
