"""Does the best learning rate stay put: a sweep over three widths under the standard parametrization and under muP.

Each width trains at each rate, from the same seeds on the same real text; width 64 is the base. The best rate of a
width lies at the bottom of a parabola through the lowest held-out loss and its neighbours, over the logarithm of the
rate. `moved` is by how many doublings it moved from the narrowest to the widest model. The coordinate check trains some
steps at one rate and says by how much logits have changed (RMS), the widest model's over the narrowest's.

What is done is kept in the data folder and not done again; `--figure` writes an SVG. Needs
`headrace corpus fetch debian-docs`, or a dataset of your own.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.figure import Line, Panel, draw
from stability import make_dataset
from torch.nn import functional

from workers.data.shards import TokenDataset
from workers.model.transformer import Transformer
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.specs.training.model import Model
from workers.training.optimizers import build_optimizer
from workers.training.trainer import train

HEAD_WIDTH, NUM_LAYERS = 32, 4
SEQUENCE_TOKENS = 128
CHECKED_WIDTHS, CHECKED_STEPS, CHECKED_LR = (64, 128, 256, 512), 4, 4e-3
TITLES = {"standard": "standard", "mup": "muP"}
Losses = dict[str, dict[int, list[float]]]
"""Held-out loss of each rate, by parametrization and width."""


def main() -> int:
    """Print each run and, last, the JSON row; 1 when the best rate moves by half a doubling or more under muP."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, help="folder of a dataset version; without: manuals of debian-docs")
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="finished runs are kept here")
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--rates", type=float, nargs="+", default=[2.0**power for power in range(-10, -3)])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--sequences", type=int, default=8, help="of 128 tokens, in a step")
    parser.add_argument("--optimizer", choices=("adamw", "muon"), default="adamw")
    parser.add_argument("--figure", type=Path, help="SVG to write")
    options = parser.parse_args()
    options.dataset = options.dataset or make_dataset(options.home, options.home / "benchmarks" / "stability")
    losses: Losses = {name: {width: [] for width in options.widths} for name in TITLES}
    for rate in options.rates:
        for name, by_width in losses.items():
            for width, found in by_width.items():
                runs = [run(options, name, width, rate, seed) for seed in range(options.seeds)]
                found.append(statistics.mean(runs))
                shown = " ".join(f"{loss:.4f}" for loss in runs)
                print(f"{name:8} width {width:4} rate {rate:.5f} held-out loss {shown}", flush=True)
    changes = {name: check_coordinates(options, name) for name in TITLES}
    if options.figure:
        options.figure.parent.mkdir(parents=True, exist_ok=True)
        options.figure.write_text(draw(panels(options, losses, changes), num_columns=3), encoding="utf-8")
    row = summarize(options, losses, changes)
    print(json.dumps(row))
    return 0 if abs(row["moved_mup"]) < 0.5 else 1


def summarize(options: argparse.Namespace, losses: Losses, changes: dict[str, list[float]]) -> dict[str, Any]:
    """The row."""
    best = {name: [best_rate(options.rates, found) for found in by_width.values()] for name, by_width in losses.items()}
    row: dict[str, Any] = {"name": "mup", "optimizer": options.optimizer, "widths": options.widths}
    for name, rates in best.items():
        row[f"best_{name}"] = [float(f"{rate:.3g}") for rate in rates]
        row[f"moved_{name}"] = round(float(np.log2(rates[-1] / rates[0])), 2)
    for name, by_width in losses.items():
        # What the rate that was tuned on the narrowest model costs the widest one, on the grid.
        tuned = int(np.argmin(by_width[options.widths[0]]))
        widest = by_width[options.widths[-1]]
        row[f"cost_{name}"] = round(widest[tuned] - min(widest), 4)
    for name, found in changes.items():
        row[f"logits_change_{name}"] = round(found[-1] / found[0], 2)
    return row | {"seeds": options.seeds, "steps": options.steps, "tokens": options.steps * tokens_per_step(options)}


def tokens_per_step(options: argparse.Namespace) -> int:
    """Tokens of one update."""
    return int(options.sequences) * SEQUENCE_TOKENS


def best_rate(rates: list[float], losses: list[float]) -> float:
    """Where a parabola through the lowest loss and its neighbours is lowest; at the grid's ends the end itself."""
    lowest = int(np.nanargmin(losses))
    if lowest in (0, len(rates) - 1) or not np.isfinite(losses[lowest - 1 : lowest + 2]).all():
        return rates[lowest]
    curve = np.polyfit(np.log2(rates[lowest - 1 : lowest + 2]), losses[lowest - 1 : lowest + 2], 2)
    return float(2 ** (-curve[1] / (2 * curve[0])))


def check_coordinates(options: argparse.Namespace, parametrization: str) -> list[float]:
    """RMS by which the logits of the same text changed over some steps on it, for each width."""
    windows = TokenDataset(options.dataset, "train")
    length = SEQUENCE_TOKENS + 1
    rows = [windows.window(start * length, length)[0] for start in range(options.sequences)]
    tokens_BT = torch.from_numpy(np.stack(rows))
    changes = []
    for width in CHECKED_WIDTHS:
        torch.manual_seed(0)
        spec = build_spec(options, parametrization, width, CHECKED_LR, 0)
        model = Transformer(spec.model, windows.vocab_size)
        optimizers = build_optimizer(spec.optimizer, model)
        before = model(tokens_BT[:, :-1]).detach()
        for _ in range(CHECKED_STEPS):
            logits = model(tokens_BT[:, :-1])
            functional.cross_entropy(logits.flatten(0, 1), tokens_BT[:, 1:].flatten()).backward()
            optimizers.step()
            optimizers.zero_grad()
        with torch.no_grad():
            changes.append(float((model(tokens_BT[:, :-1]) - before).square().mean().sqrt()))
        print(f"{parametrization:8} width {width:4} logits changed by {changes[-1]:.3f}", flush=True)
    return changes


def panels(options: argparse.Namespace, losses: Losses, changes: dict[str, list[float]]) -> list[Panel]:
    """The sweep of each parametrization, and the coordinate check."""
    finite = [loss for by_width in losses.values() for found in by_width.values() for loss in found]
    lowest = min(loss for loss in finite if np.isfinite(loss))
    y_range = (round(lowest - 0.05, 1), round(lowest + 1.1, 1))
    charts = []
    for name, by_width in losses.items():
        lines = [
            Line(f"width {width}", options.rates, found, marked=(int(np.nanargmin(found)),))
            for width, found in by_width.items()
        ]
        charts.append(Panel(f"{TITLES[name]}: loss by rate", "learning rate", "held-out loss", lines, y_range))
    lines = [Line(TITLES[name], CHECKED_WIDTHS, found) for name, found in changes.items()]
    every = [change for found in changes.values() for change in found]
    title = f"change of logits in {CHECKED_STEPS} steps"
    charts.append(Panel(title, "width", "RMS", lines, (min(every) / 1.1, max(every) * 1.1), y_log=True))
    return charts


def run(options: argparse.Namespace, parametrization: str, width: int, rate: float, seed: int) -> float:
    """Held-out loss of one training, infinite where it broke down; a finished one is read."""
    spec = build_spec(options, parametrization, width, rate, seed)
    key = f"{spec.content_hash()[:12]}-{(options.dataset / 'dataset.json').stat().st_size}"
    path = options.home / "benchmarks" / f"mup-{key}" / "result.json"
    if not path.is_file():
        summary = train(spec, dataset=options.dataset, out=path.parent, reporter=MemoryReporter())
        path.write_text(json.dumps(summary["heldout_loss"]))
    loss = float(json.loads(path.read_text()))
    return loss if np.isfinite(loss) else float("inf")


def build_spec(options: argparse.Namespace, parametrization: str, width: int, rate: float, seed: int) -> TrainingSpec:
    """The same at all widths but for the width: heads of one size, as many as fit; no decay."""
    num_heads = width // HEAD_WIDTH
    model = Model(
        d_model=width,
        num_layers=NUM_LAYERS,
        num_heads=num_heads,
        num_kv_heads=num_heads // 2,
        d_ffn=width * 11 // 4,
        parametrization=parametrization,  # type: ignore[arg-type]
        base_d_model=options.widths[0],
    )
    return TrainingSpec.model_validate(
        {
            "model": model,
            "optimizer": {"kind": options.optimizer, "lr": rate, "weight_decay": 0.0},
            "schedule": {"kind": "wsd", "warmup_steps": options.steps // 8, "decay_share": 0.4},
            "batch": {"sequence_tokens": SEQUENCE_TOKENS, "micro_batch_sequences": options.sequences},
            "num_steps": options.steps,
            "seed": seed,
            "checkpointing": {"every_steps": options.steps},
            "heldout": {"every_steps": options.steps, "num_batches": 16},
            "monitoring": {"mode": "off"},
            "telemetry": {"every_steps": 0},
        }
    )


if __name__ == "__main__":
    sys.exit(main())
