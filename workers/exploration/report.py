"""An ablation's folder: `ablation.json`, a table in `ablation.md`, each arm's recipe, and the winner's.

ablation.json      spec, datasets, cells (one training each), ranking
ablation.md        the table for people
recipes/ARM.yaml   the composed recipe of each arm, ready to launch
winner.yaml        the recipe to go on with: the best variant that is better than the base; absent if there is none
"""

import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from workers.exploration.ablation import Cell, Ranking, Standing
from workers.specs.exploration import AblationSpec

_LN2 = math.log(2)


@dataclass(slots=True)
class Curated:
    """The dataset of an arm, or why there is none."""

    run: str
    state: str
    error: str
    dataset: str | None
    statistics: dict[str, Any] = field(default_factory=dict)

    @property
    def train_tokens(self) -> int:
        """Tokens there are to train on."""
        return int(self.statistics.get("num_tokens", {}).get("train", 0))


def read_cell(cell: Cell, results: list[dict[str, Any]], evaluation: Path, task: str) -> str:
    """Fill in a cell's score and items from its evaluation. Returns the metric's name.

    A task that did not run (its benchmark was not fetched) fails the cell, and says so.
    """
    result = next((r for r in results if r["task"] == task), None)
    if result is None:
        cell.state, cell.error = "failed", f"{task} was left out of the evaluation: its warnings say why"
        return ""
    cell.value = float(result["value"])
    cell.slices = {language: float(part["value"]) for language, part in result["slices"].items()}
    with (evaluation / f"items-{task}.jsonl").open(encoding="utf-8") as lines:
        cell.items = {row["item_id"]: _ratio(row) for row in map(json.loads, lines)}
    return str(result["metric"])


def _ratio(item: dict[str, Any]) -> tuple[float, float]:
    """Bits over bytes, or 1 or 0 over 1."""
    if item["correct"] is None:
        return item["data"]["nats"] / _LN2, float(item["data"]["num_bytes"])
    return float(item["correct"]), 1.0


def summarize(ranking: Ranking) -> dict[str, Any]:
    """What the run's summary shows."""
    shown = ("arm", "verdict", "mean", "difference", "low", "high", "p_adjusted", "num_seeds")
    rows = [{name: getattr(standing, name) for name in shown} for standing in ranking.standings]
    return {"metric": ranking.metric, "winner": ranking.winner, "ranking": rows, "notes": ranking.notes}


def write_report(
    out: Path, spec: AblationSpec, curated: dict[str, Curated], cells: list[Cell], ranking: Ranking
) -> None:
    """Write the folder. Files appear whole."""
    (out / "recipes").mkdir(parents=True, exist_ok=True)
    whole = {
        "spec": spec.model_dump(mode="json"),
        "datasets": {arm: _dataset(found) for arm, found in curated.items()},
        "cells": [{k: v for k, v in asdict(cell).items() if k != "items"} for cell in cells],
        "ranking": ranking.as_dict(),
    }
    _write(out / "ablation.json", json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    _write(out / "ablation.md", table(spec, curated, ranking))
    for arm in spec.arms:
        _write(out / "recipes" / f"{arm}.yaml", recipe_yaml(spec, arm, ranking))
    if ranking.winner:
        _write(out / "winner.yaml", recipe_yaml(spec, ranking.winner, ranking))


def _dataset(found: Curated) -> dict[str, Any]:
    kept = {"documents": found.statistics.get("documents"), "train_tokens": found.train_tokens}
    return {"run": found.run, "state": found.state, "error": found.error, "dataset": found.dataset} | kept


def table(spec: AblationSpec, curated: dict[str, Curated], ranking: Ranking) -> str:
    """The ranking in Markdown."""
    level = f"{spec.confidence:.0%}"
    tokens = spec.training.num_tokens
    better = "lower" if ranking.metric == "bits_per_byte" else "higher"
    lines = [
        f"# {spec.name}",
        "",
        f"{ranking.metric} on the same held-out texts ({better} is better); {spec.num_seeds} seeds, {tokens:,} tokens "
        "each. Differences are to the base, paired by seed. A verdict holds after Holm's correction for "
        f"{len(spec.variants)} variants.",
        "",
        f"| variant | {ranking.metric} | difference | {level} over seeds | {level} over texts | p (Holm) | verdict | "
        "training documents | epochs | seeds |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(standing, curated[standing.arm], tokens) for standing in ranking.standings),
    ]
    lines += ["", *(f"- {note}" for note in ranking.notes)] if ranking.notes else []
    winner = f"**{ranking.winner}** is the recipe to go on with." if ranking.winner else "No variant beats the base."
    return "\n".join([*lines, "", winner, ""])


def _row(s: Standing, found: Curated, tokens: int) -> str:
    documents = sum(by_split.get("train", 0) for by_split in (found.statistics.get("documents") or {}).values())
    epochs = f"{tokens / found.train_tokens:.2f}" if found.train_tokens else ""
    spread = f" ± {s.deviation:.4f}" if s.deviation is not None else ""
    cells = (
        s.arm, f"{_figure(s.mean)}{spread}", _signed(s.difference), _interval(s.low, s.high),
        _interval(s.items_low, s.items_high), "" if s.p_adjusted is None else f"{s.p_adjusted:.3g}", s.verdict,
        f"{documents:,}", epochs, f"{s.num_seeds}" + (f", {s.num_failed} lost" if s.num_failed else ""),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:+.4f} to {high:+.4f}"


def recipe_yaml(spec: AblationSpec, arm: str, ranking: Ranking) -> str:
    """The arm's curation, composed, with what was found about it above."""
    standing = next(s for s in ranking.standings if s.arm == arm)
    said = [f"{spec.base.name}, variant {arm} of the ablation {spec.name}: {standing.verdict}"]
    if standing.difference is not None and standing.low is not None and standing.high is not None:
        interval = _interval(standing.low, standing.high)
        said.append(f"{ranking.metric} {_signed(standing.difference)} to the base ({spec.confidence:.0%}: {interval})")
    said += [f"trained as a mixture: {json.dumps(part.model_dump(mode='json'))}" for part in spec.mixture(arm)]
    whole = spec.recipe(arm).model_dump(mode="json") | {"name": f"{spec.base.name}-{arm}"}
    text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    return "".join(f"# {line}\n" for line in said) + text


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
