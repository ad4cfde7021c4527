"""ARC-Easy, HellaSwag, PIQA, SciQ by log-likelihood per byte of each choice, zero-shot.

Prompts as in lm-evaluation-harness: https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks
Sources: arXiv 1803.05457, 1905.07830, 1911.11641, 1707.06209.
"""

import random
import re
from collections.abc import Callable
from typing import Any

from workers.data.benchmarks import find_benchmark, read_rows
from workers.evaluation.tasks._shared import Bench, Question, TaskResult, answer_questions
from workers.specs.evaluation import MultipleChoice

Row = dict[str, Any]


def run(spec: MultipleChoice, bench: Bench) -> TaskResult | None:
    """A sample of the benchmark, drawn by seed. None, with a warning, when its file is absent."""
    path = find_benchmark(spec.benchmark, bench.home)
    if path is None:
        bench.warn(
            f"{spec.benchmark} is left out: its file is absent. Fetch it once with: "
            f"python -m workers.data.benchmarks fetch --home {bench.home}"
        )
        return None
    rows = list(enumerate(read_rows(path)))
    if len(rows) > spec.max_items:
        rows = sorted(random.Random(bench.seed).sample(rows, spec.max_items))  # noqa: S311  # no cryptography
    build = BUILDERS[spec.benchmark]
    questions = [build(f"{spec.benchmark}:{number}", row) for number, row in rows]
    chance = sum(1 / len(question.choices) for question in questions) / len(questions)
    return TaskResult(spec.benchmark, "accuracy", answer_questions(bench, spec.benchmark, questions), chance)


def _arc(item_id: str, row: Row) -> Question:
    choices = [f" {text}" for text in row["choices"]["text"]]
    answer = list(row["choices"]["label"]).index(row["answerKey"])
    return Question(item_id, "en", f"Question: {row['question']}\nAnswer:", choices, answer)


def _hellaswag(item_id: str, row: Row) -> Question:
    context = _clean(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}")
    choices = [f" {_clean(ending)}" for ending in row["endings"]]
    return Question(item_id, "en", context, choices, int(row["label"]))


def _piqa(item_id: str, row: Row) -> Question:
    choices = [f" {row['sol1']}", f" {row['sol2']}"]
    return Question(item_id, "en", f"Question: {row['goal']}\nAnswer:", choices, int(row["label"]))


def _sciq(item_id: str, row: Row) -> Question:
    names = ("distractor1", "distractor2", "distractor3", "correct_answer")
    context = f"{row['support']}\nQuestion: {row['question']}\nAnswer:".lstrip()
    return Question(item_id, "en", context, [f" {row[name]}" for name in names], 3)


def _clean(text: str) -> str:
    """HellaSwag's WikiHow part carries marks like `[title]` and `[step]`."""
    without_marks = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return re.sub(r"\s+", " ", without_marks).strip()


BUILDERS: dict[str, Callable[[str, Row], Question]] = {
    "arc_easy": _arc,
    "hellaswag": _hellaswag,
    "piqa": _piqa,
    "sciq": _sciq,
}
