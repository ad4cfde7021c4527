"""A checkpoint -> scores with 95 % intervals, every item kept."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workers.data.tokenizer import Tokenizer
from workers.evaluation.bootstrap import ratio_interval
from workers.evaluation.tasks import bits_per_byte, chat_modes, cloze, multiple_choice, needle
from workers.evaluation.tasks._shared import Bench, Item, TaskResult
from workers.model.checkpoint import load_model
from workers.reporter import Reporter
from workers.specs.evaluation import EvaluationSpec, Task

RUNNERS: dict[str, Any] = {
    "bits_per_byte": bits_per_byte.run,
    "cloze": cloze.run,
    "multiple_choice": multiple_choice.run,
    "chat_modes": chat_modes.run,
    "needle": needle.run,
}
DEFAULT_CONTEXT_TOKENS = 1024


def evaluate(
    spec: EvaluationSpec, *, checkpoint: Path, dataset: Path, home: Path, out: Path, reporter: Reporter
) -> dict[str, Any]:
    """Run all tasks; write `out/evaluation.json` and `out/items-<task>.jsonl`. Returns `{"results": [...]}`.

    A result is `{task, metric, value, low, high, chance, num_items, slices}`; slices by language (or length, or
    mode). A task that cannot run (no file, no text) is left out with a warning. Raises FileNotFoundError or ValueError
    for a checkpoint or dataset that is none or does not fit, ValueError when no task could run.
    """
    bench = open_bench(checkpoint, dataset, home, spec.seed, reporter)
    out.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, Any]] = []
    for number, task in enumerate(spec.tasks):
        reporter.progress("evaluation", number, len(spec.tasks), "tasks")
        result = run_task(task, bench)
        if result is None:
            continue
        _name_apart(result, results)
        results.append(summarize(result, spec.num_bootstrap, spec.seed))
        _write_items(out / f"items-{result.task}.jsonl", result.items)
    reporter.progress("evaluation", len(spec.tasks), len(spec.tasks), "tasks")
    if not results:
        raise ValueError("no task could run: the warnings above say why")
    _write(out / "evaluation.json", [json.dumps(results, indent=2, allow_nan=False)])
    return {"results": results}


def open_bench(checkpoint: Path, dataset: Path, home: Path, seed: int, reporter: Reporter) -> Bench:
    """Load the model and tokenizer. Raises ValueError when they do not fit one another."""
    model, _, vocab_size = load_model(checkpoint)
    tokenizer = Tokenizer.load(dataset / "tokenizer.json")
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(
            f"the tokenizer of {dataset} has {tokenizer.vocab_size} tokens, the model of {checkpoint} {vocab_size}: "
            f"evaluate a checkpoint on the dataset it was trained on"
        )
    return Bench(model.float(), tokenizer, context_tokens(checkpoint), dataset, home, seed, reporter)


def context_tokens(checkpoint: Path) -> int:
    """The sequence length of the checkpoint's training (its last stage), as its trainer.json has it; else 1024."""
    try:
        state = json.loads((checkpoint / "trainer.json").read_text(encoding="utf-8"))
        return int(state.get("context_tokens") or state["identity"]["batch.sequence_tokens"])
    except (FileNotFoundError, KeyError, TypeError):
        return DEFAULT_CONTEXT_TOKENS


def run_task(task: Task, bench: Bench) -> TaskResult | None:
    """One task's items; None when it was left out."""
    return RUNNERS[task.kind](task, bench)


def summarize(result: TaskResult, num_resamples: int, seed: int) -> dict[str, Any]:
    """The score over all items and by language, each with its interval."""

    def interval(items: list[Item]) -> dict[str, Any]:
        value, low, high = ratio_interval(
            [i.numerator for i in items], [i.denominator for i in items], num_resamples=num_resamples, seed=seed
        )
        return {"value": value, "low": low, "high": high, "num_items": len(items)}

    languages = sorted({item.slice for item in result.items})
    slices = {language: interval([i for i in result.items if i.slice == language]) for language in languages}
    head = {"task": result.task, "metric": result.metric, "chance": result.chance}
    return head | interval(result.items) | {"slices": slices}


def _name_apart(result: TaskResult, earlier: Iterable[dict[str, Any]]) -> None:
    """Two tasks of a kind in one spec must not write the same file."""
    same = sum(1 for e in earlier if e["task"] == result.task or e["task"].startswith(f"{result.task}-"))
    if same:
        result.task = f"{result.task}-{same + 1}"


def _write_items(path: Path, items: list[Item]) -> None:
    kept = ("item_id", "slice", "score", "correct", "data")
    rows = ({name: value for name, value in asdict(item).items() if name in kept} for item in items)
    _write(path, (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows))


def _write(path: Path, lines: Iterable[str]) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
