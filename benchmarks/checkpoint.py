"""How long a checkpoint holds training up: ours beside the training, ours waiting for the disk, torch's `async_save`.

One training of the 18.9 M model runs with checkpoints written beside it, then one that waits for each, in turn. What
counts is the time that the loop stands still at a checkpoint, and what the steps during which it is written lose.
`share`: both of them, of the time between two checkpoints at `--every` steps. torch.distributed.checkpoint writes the
same tensors once the trainings are done, with nothing beside it.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from peers.small_run import build_spec, write_dataset
from torch.distributed import checkpoint as torch_checkpoint

from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.checkpoints import open_checkpoint
from workers.training.devices import determinism
from workers.training.engine import build_engine
from workers.training.publisher import Publisher
from workers.training.trainer import train

MB = 1e6


def main() -> int:
    """Print a table and, last, the JSON rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints that the share is for")
    parser.add_argument("--spacing", type=int, default=5, help="steps between checkpoints in the measured runs")
    parser.add_argument("--checkpoints", type=int, default=5, help="checkpoints in each run, after two to warm up")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-checkpoint-") as folder:
        root = Path(folder)
        dataset = write_dataset(root / "dataset", 1_000_000)
        found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
        for number in range(options.rounds):
            for beside in (True, False):
                found[beside] += measure(options, beside, dataset, root / f"{number}-{beside}")
        ours, waiting = (
            {key: statistics.median(row[key] for row in rows) for key in rows[0]} for rows in found.values()
        )
        restored = restore_seconds(options, dataset, root / f"0-{True}", root / "again")
        stall, whole = torch_seconds(root / f"0-{True}", root / "torch")
    share = (ours["stall"] + max(ours["slowed"], 0.0)) / (options.every * ours["step"])
    size = ours["bytes"] / MB
    for label, figures in (("beside", ours), ("waiting", waiting)):
        print(
            f"{label:8} stands still {figures['stall'] * 1e3:7.1f} ms, written in {figures['write'] * 1e3:7.1f} ms, "
            f"steps beside it lose {figures['slowed'] * 1e3:7.1f} ms, a step takes {figures['step'] * 1e3:7.1f} ms"
        )
    print(f"torch's async_save stands still {stall * 1e3:.1f} ms, done after {whole * 1e3:.1f} ms")
    print(f"{size:.0f} MB; restored and checked in {restored * 1e3:.1f} ms; {share:.3%} of {options.every} steps")
    row = {
        "name": "checkpoint",
        "ours": round(ours["stall"], 4),
        "peer": round(waiting["stall"], 4),
        "ratio": round(waiting["stall"] / ours["stall"], 2),
        "share": round(share, 5),
        "every_steps": options.every,
        "stall_of_one_step": round(ours["stall"] / ours["step"], 4),
        "slowed_seconds": round(ours["slowed"], 4),
        "write_mb_per_second": round(size / ours["write"]),
        "restore_seconds": round(restored, 3),
        "restore_mb_per_second": round(size / restored),
        "mb": round(size),
        "samples": len(found[True]),
    }
    print(json.dumps(row))
    torch_row = {"name": "checkpoint_torch", "ours": row["ours"], "peer": round(stall, 4)}
    print(json.dumps(torch_row | {"ratio": round(stall / ours["stall"], 2), "peer_whole_seconds": round(whole, 3)}))
    return 0


def spec_of(options: argparse.Namespace, beside: bool) -> TrainingSpec:
    """A run whose checkpoints lie `--spacing` steps apart."""
    policy = {"every_steps": options.spacing, "keep": 2, "asynchronous": beside}
    return build_spec((options.checkpoints + 2) * options.spacing, checkpointing=policy)


def measure(options: argparse.Namespace, beside: bool, dataset: Path, out: Path) -> list[dict[str, float]]:
    """Seconds of each checkpoint but the first two, and what the steps after it took more than the others."""
    reporter, spec = MemoryReporter(), spec_of(options, beside)
    train(spec, dataset=dataset, out=out, reporter=reporter)
    seconds = {step: spec.tokens_per_step / rate for step, rate in reporter.series("tokens_per_second")}
    saved = [event for event in reporter.batch.events if event.kind == "checkpoint" and (event.step or 0) > 0]
    rows: list[dict[str, float]] = []
    for event in saved[1:-1]:
        step = int(event.step or 0)
        after = [seconds[n] for n in range(step, step + options.spacing)]
        calm = statistics.median(after[2:])  # 200 MB are on disk before the third step
        rows.append(
            {
                "stall": float(event.data["stall_seconds"]),
                "write": float(event.data["write_seconds"]),
                "bytes": float(event.data["num_bytes"]),
                "slowed": after[0] + after[1] - 2 * calm,
                "step": calm,
            }
        )
    return rows


def restore_seconds(options: argparse.Namespace, dataset: Path, run: Path, out: Path) -> float:
    """Seconds from a folder on disk to an engine that stands where it did, checksums included."""
    spec, reporter = spec_of(options, True), MemoryReporter()
    folder = max((run / "checkpoints").glob("step-*"))
    with determinism(True):
        engine = build_engine(spec, dataset, out, reporter, Publisher(None, reporter))
        began = time.perf_counter()
        engine.load(open_checkpoint(folder))
        return time.perf_counter() - began


def torch_seconds(run: Path, out: Path) -> tuple[float, float]:
    """How long `async_save` of the same tensors holds its caller, and until it is done: its second time."""
    checkpoint = open_checkpoint(max((run / "checkpoints").glob("step-*")))
    state: dict[str, Any] = {name: dict(checkpoint.tensors(name)) for name in ("model", "optimizer")}
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        for number in range(2):
            began = time.perf_counter()
            future = torch_checkpoint.async_save(state, checkpoint_id=out / str(number))
            stall = time.perf_counter() - began
            future.result()
            whole = time.perf_counter() - began
    finally:
        torch.distributed.destroy_process_group()
    return stall, whole


if __name__ == "__main__":
    sys.exit(main())
