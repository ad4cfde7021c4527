"""Tokens a second from shards, beside what training eats in the same run.

Batches are read as the training loop reads them: shuffled windows of one version (`loader`), and a mixture of two
sources by weight (`loader_mixture`), each with its documents and targets. `share` is what reading takes of a step.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from peers.small_run import build_spec, write_dataset

from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.sources import open_data
from workers.training.state import Place
from workers.training.trainer import train

MIXTURE = [{"weight": 2, "languages": ["en"]}, {"weight": 1, "languages": ["de"]}]


def main() -> int:
    """Print a table and, last, the JSON rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=4_000_000, help="size of the dataset")
    parser.add_argument("--batches", type=int, default=400, help="batches that are read in each round")
    parser.add_argument("--steps", type=int, default=12, help="training steps in each round")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="headrace-loader-") as folder:
        root = Path(folder)
        dataset = write_dataset(root / "dataset", options.tokens)
        plain = build_spec(options.steps, checkpointing={"every_steps": options.steps})
        read: dict[str, list[float]] = {"loader": [], "loader_mixture": []}
        eaten: list[float] = []
        for number in range(options.rounds):
            read["loader"].append(read_rate(plain, dataset, options.batches))
            mixed = build_spec(options.steps, mixture=MIXTURE, dataset="sha256:" + "0" * 64)
            read["loader_mixture"].append(read_rate(mixed, dataset, options.batches))
            eaten.append(training_rate(plain, dataset, root / f"run-{number}"))
        peer = statistics.median(eaten)
        for name, rates in read.items():
            ours = statistics.median(rates)
            print(f"{name:15} {ours:12,.0f} tokens/s, training {peer:8,.0f} tokens/s, {ours / peer:8,.0f} times")
            rows.append(
                {
                    "name": name,
                    "ours": round(ours),
                    "peer": round(peer),
                    "ratio": round(ours / peer, 1),
                    "spread": [round(min(rates)), round(max(rates))],
                    "share": round(peer / ours, 5),
                    "rounds": options.rounds,
                }
            )
    for row in rows:
        print(json.dumps(row))
    return 0


def read_rate(spec: TrainingSpec, dataset: Path, num_batches: int) -> float:
    """Tokens a second of reading batch after batch, the opening of the dataset left out."""
    order = open_data(spec, dataset).order
    order.part(Place(0), 0, 1)
    began = time.perf_counter()
    num_tokens = sum(order.part(Place(number), 0, 1).tokens.numel() for number in range(num_batches))
    return num_tokens / (time.perf_counter() - began)


def training_rate(spec: TrainingSpec, dataset: Path, out: Path) -> float:
    """Tokens a second of the median step."""
    reporter = MemoryReporter()
    train(spec, dataset=dataset, out=out, reporter=reporter)
    return statistics.median(rate for _, rate in reporter.series("tokens_per_second"))


if __name__ == "__main__":
    sys.exit(main())
