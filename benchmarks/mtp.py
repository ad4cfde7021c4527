"""Whether multi-token prediction helps: held-out loss after equal time, with heads and without, over seeds.

Both sides train on the same data from the same trunk with the same settings. Short runs of both in turn give their
seconds a step, on one thread; each then gets as many steps as fit into the same seconds, its schedule over just these:
heads pay for what they cost. The main loss on held-out text is compared in pairs of seeds: below 0 the heads helped.
`--equal-steps` leaves the cost aside. What is done is kept in the data folder and not done again. Needs
`headrace corpus fetch debian-docs`, or a dataset of your own; and set OMP_NUM_THREADS=1.
"""

import argparse
import json
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from stability import make_dataset

from workers.exploration.paired import compare_paired
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.trainer import train

SHAPE = {"d_model": 256, "num_layers": 6, "num_heads": 8, "num_kv_heads": 2, "d_ffn": 704}
PROBE_STEPS, PROBE_ROUNDS = 12, 3


class StepClock(MemoryReporter):
    """CPU seconds of this process when each step was reported."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def metrics(self, step: int, values: Any, branch: int = 0) -> None:
        """Note the moment."""
        if "tokens_per_second" in values:
            self.seconds.append(time.process_time())


def main() -> int:
    """Print each run and, last, the JSON row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, help="folder of a dataset version; without: manuals of debian-docs")
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="finished runs are kept here")
    parser.add_argument("--mtp", choices=("sequential", "parallel"), default="sequential")
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120.0, help="training time of each run")
    parser.add_argument("--equal-steps", action="store_true", help="as many steps with heads as without")
    options = parser.parse_args()
    options.dataset = options.dataset or make_dataset(options.home, options.home / "benchmarks" / "stability")
    if options.seeds < 2:
        parser.error("an interval needs at least 2 seeds")
    sides = {"without": None, "with": {"kind": options.mtp, "num_heads": options.heads}}
    seconds = seconds_a_step(options, sides)
    print(" ".join(f"{side} heads {found:.4f} s a step" for side, found in seconds.items()), flush=True)
    num_steps = {side: max(PROBE_STEPS, int(options.seconds / found)) for side, found in seconds.items()}
    if options.equal_steps:
        num_steps["with"] = num_steps["without"]
    losses: dict[str, list[float]] = {side: [] for side in sides}
    for seed in range(options.seeds):
        for side, mtp in sides.items():
            result = run(options, mtp, num_steps[side], seed)
            losses[side].append(result["heldout_loss"])
            shown = f"{num_steps[side]:5} steps {result['seconds']:6.1f} s held-out loss {losses[side][-1]:.4f}"
            print(f"seed {seed} {side:8} {shown}", flush=True)
    print(json.dumps(summarize(options, losses, num_steps, seconds)))
    return 0


def summarize(
    options: argparse.Namespace, losses: dict[str, list[float]], num_steps: dict[str, int], seconds: dict[str, float]
) -> dict[str, Any]:
    """The row: the mean difference with heads against without, and its 95 % interval."""
    compared = compare_paired([a - b for a, b in zip(losses["with"], losses["without"], strict=True)], 0.95)
    return {
        "name": "mtp",
        "at_equal": "steps" if options.equal_steps else "seconds",
        "difference": round(compared.difference, 4),
        "interval": [round(compared.low, 4), round(compared.high, 4)],
        "helped": int(compared.high < 0),
        "hurt": int(compared.low > 0),
        "without": [round(loss, 4) for loss in losses["without"]],
        "with": [round(loss, 4) for loss in losses["with"]],
        "seeds": options.seeds,
        "steps": num_steps,
        "seconds": options.seconds,
        "cost_of_a_step": round(seconds["with"] / seconds["without"], 3),
        "heads": f"{options.heads} {options.mtp}",
    }


def seconds_a_step(options: argparse.Namespace, sides: dict[str, dict[str, Any] | None]) -> dict[str, float]:
    """CPU seconds, which are wall seconds of a machine that does nothing else; median over short runs in turn."""
    path = folder(options, build_spec(sides["with"], PROBE_STEPS, seed=0), "probe.json")
    if not path.is_file():
        found: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(PROBE_ROUNDS):
            for side, mtp in sides.items():
                clock = StepClock()
                spec = build_spec(mtp, PROBE_STEPS, seed=0)
                train(spec, dataset=options.dataset, out=path.parent / f"probe-{side}", reporter=clock)
                found[side] += [after - before for before, after in pairwise(clock.seconds)]
        path.write_text(json.dumps({side: statistics.median(seconds) for side, seconds in found.items()}))
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def run(options: argparse.Namespace, mtp: dict[str, Any] | None, num_steps: int, seed: int) -> dict[str, float]:
    """One training; a finished one is read, a broken-off one begun anew."""
    spec = build_spec(mtp, num_steps, seed)
    path = folder(options, spec, "result.json")
    if not path.is_file():
        began = time.perf_counter()
        summary = train(spec, dataset=options.dataset, out=path.parent, reporter=MemoryReporter())
        result = {"heldout_loss": summary["heldout_loss"], "seconds": time.perf_counter() - began}
        path.write_text(json.dumps(result))
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def folder(options: argparse.Namespace, spec: TrainingSpec, name: str) -> Path:
    """Where a run of this spec on this dataset is kept."""
    key = f"{spec.content_hash()[:12]}-{(options.dataset / 'dataset.json').stat().st_size}"
    path = options.home / "benchmarks" / f"mtp-{key}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def build_spec(mtp: dict[str, Any] | None, num_steps: int, seed: int) -> TrainingSpec:
    """The same for both sides but for the heads and the number of steps."""
    return TrainingSpec.model_validate(
        {
            "model": SHAPE | {"mtp": mtp},
            "optimizer": {"kind": "adamw", "lr": 2e-3},
            "schedule": {"kind": "wsd", "warmup_steps": min(20, num_steps // 4), "decay_share": 0.3},
            "batch": {"sequence_tokens": 128, "micro_batch_sequences": 8},
            "num_steps": num_steps,
            "seed": seed,
            "checkpointing": {"every_steps": num_steps},
            "heldout": {"every_steps": num_steps, "num_batches": 24},
            "monitoring": {"mode": "off"},
        }
    )


if __name__ == "__main__":
    sys.exit(main())
