"""Whether multi-token prediction helps: held-out loss after equal wall clock, with heads and without, over seeds.

Both sides train on the same data from the same trunk with the same settings. A short run of each gives its seconds a
step; each then gets as many steps as fit into the same seconds, its schedule over just these: heads pay for what they
cost. The main loss on held-out text is compared in pairs of seeds: below 0 the heads helped. What is done is kept in
the data folder and not done again. Make a dataset with `python -m workers.curation SPEC.yaml --out FOLDER`.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from scipy import stats

from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.trainer import train

SHAPE = {"d_model": 256, "num_layers": 6, "num_heads": 8, "num_kv_heads": 2, "d_ffn": 704}
PROBE_STEPS = 12


def main() -> int:
    """Print each run and, last, the JSON row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="folder of a dataset version (token shards)")
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="finished runs are kept here")
    parser.add_argument("--mtp", choices=("sequential", "parallel"), default="sequential")
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120.0, help="training time of each run")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("an interval needs at least 2 seeds")
    sides = {"without": None, "with": {"kind": options.mtp, "num_heads": options.heads}}
    num_steps = {side: steps_in(options, mtp) for side, mtp in sides.items()}
    differences = []
    for seed in range(options.seeds):
        found = {side: run(options, mtp, num_steps[side], seed) for side, mtp in sides.items()}
        differences.append(found["with"]["heldout_loss"] - found["without"]["heldout_loss"])
        for side, result in found.items():
            print(f"seed {seed} {side:8} {num_steps[side]:6} steps {result['seconds']:7.1f} s", end=" ")
            print(f"held-out loss {result['heldout_loss']:.4f}", flush=True)
    low, high = paired_interval(differences)
    row = {
        "name": "mtp",
        "difference": round(statistics.mean(differences), 4),
        "interval": [round(low, 4), round(high, 4)],
        "helped": int(high < 0),
        "hurt": int(low > 0),
        "seeds": options.seeds,
        "steps": num_steps,
        "seconds": options.seconds,
        "heads": f"{options.heads} {options.mtp}",
    }
    print(json.dumps(row))
    return 0


def paired_interval(differences: list[float]) -> tuple[float, float]:
    """95 % interval of the mean of at least two pairs, by Student's t."""
    mean, error = statistics.mean(differences), statistics.stdev(differences) / len(differences) ** 0.5
    half = float(stats.t.ppf(0.975, len(differences) - 1)) * error
    return mean - half, mean + half


def steps_in(options: argparse.Namespace, mtp: dict[str, Any] | None) -> int:
    """Steps that fit into the time, by the median of a short run."""
    reporter = MemoryReporter()
    spec = build_spec(mtp, PROBE_STEPS, seed=0)
    path = folder(options, spec, "probe.json")
    if not path.is_file():
        train(spec, dataset=options.dataset, out=path.parent, reporter=reporter)
        rates = [rate for _, rate in reporter.series("tokens_per_second")]
        path.write_text(json.dumps(statistics.median(rates)))
    rate = float(json.loads(path.read_text()))
    return max(PROBE_STEPS, int(options.seconds * rate / spec.tokens_per_step))


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
