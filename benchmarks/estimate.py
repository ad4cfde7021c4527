"""What `headrace estimate` says against what a run then takes: parameters, FLOPs, seconds, memory, cache and decoding.

A first run calibrates, as runs of a pool do in the service; then each shape is estimated and trained in a process of
its own. Memory is the most that the process held, decoding that of a packed model in the middle of its context, FLOPs
those that torch counts in a step. Ratios are estimate over measured. Needs `headrace corpus fetch debian-docs`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from stability import make_dataset
from torch.utils.flop_counter import FlopCounterMode

from workers.data.shards import TokenDataset
from workers.model.cache import Cache
from workers.model.checkpoint import load_model
from workers.model.packed import pack
from workers.model.transformer import Transformer
from workers.reporter import MemoryReporter
from workers.specs.estimate import TABLE, Estimate, estimate
from workers.specs.training import TrainingSpec
from workers.training.losses import build_losses
from workers.training.objective import Objective
from workers.training.trainer import train

BATCH = {"sequence_tokens": 128, "micro_batch_sequences": 12}
SMALL = {"d_model": 256, "num_layers": 7, "num_heads": 8, "num_kv_heads": 2, "d_ffn": 768}
SHAPES: dict[str, dict[str, Any]] = {
    "5m_muon": {"model": SMALL, "optimizer": {"kind": "muon", "lr": 0.012}, "batch": BATCH},
    "5m_long": {"model": SMALL, "batch": {"sequence_tokens": 512, "micro_batch_sequences": 4}},
    "19m": {
        "model": {"d_model": 512, "num_layers": 6, "num_heads": 8, "num_kv_heads": 2, "d_ffn": 1408},
        "batch": {"sequence_tokens": 256, "micro_batch_sequences": 8},
    },
}
CALIBRATING = {"model": SMALL, "batch": BATCH}
ALLOWED = 0.15


def main() -> int:
    """A row a shape; 1 when a figure is off by more than 15 %."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="data folder with the corpus")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    dataset = make_dataset(options.home, options.home / "benchmarks" / "stability")
    if options.child:
        print(json.dumps(measure(TrainingSpec.model_validate_json(options.child), dataset)))
        return 0
    first = run(options, CALIBRATING)
    speeds = TABLE["cpu"].model_copy(update={key: first[key] for key in ("flops_per_second", "dtype")})
    vocab_size = TokenDataset(dataset, "train").vocab_size
    worst = 0.0
    for name, values in SHAPES.items():
        found = run(options, values)
        expected = estimate(spec_of(values, options.steps), vocab_size, "cpu", speeds)
        ratios = compare(expected, found)
        worst = max(worst, *(abs(ratio - 1) for ratio in ratios.values()))
        print(json.dumps({"name": f"estimate {name}"} | ratios | {"seconds_measured": round(found["seconds"], 2)}))
    return int(worst > ALLOWED)


def spec_of(values: dict[str, Any], num_steps: int) -> TrainingSpec:
    """A short run of this shape."""
    fixed = {"schedule": {"kind": "wsd", "warmup_steps": 10}, "num_steps": num_steps, "heldout": {"num_batches": 4}}
    return TrainingSpec.model_validate({"optimizer": {"kind": "adamw", "lr": 1e-3}} | values | fixed)


def run(options: argparse.Namespace, values: dict[str, Any]) -> dict[str, Any]:
    """What a process of its own measured."""
    spec = spec_of(values, options.steps).model_dump_json()
    command = [sys.executable, __file__, "--home", str(options.home), "--child", spec]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(spec: TrainingSpec, dataset: Path) -> dict[str, Any]:
    """Train, then count and decode."""
    with tempfile.TemporaryDirectory(prefix="headrace-estimate-") as out:
        began = time.perf_counter()
        summary = train(spec, dataset=dataset, out=Path(out), reporter=MemoryReporter())
        seconds = time.perf_counter() - began
        model, _, vocab_size = load_model(Path(summary["checkpoint"]))
        parts = ("model.safetensors", "optimizer.safetensors")
        size = sum((Path(summary["checkpoint"]) / part).stat().st_size for part in parts)
    figures = {"seconds": seconds, "checkpoint_bytes": float(size), "flops_per_token": count_flops(spec, vocab_size)}
    kept = ("num_parameters", "memory_bytes", "flops_per_second", "dtype")
    return {key: summary[key] for key in kept} | figures | decode(model, spec.batch.sequence_tokens)


def count_flops(spec: TrainingSpec, vocab_size: int) -> float:
    """Of a step, by torch, a token."""
    model, length = Transformer(spec.model, vocab_size), spec.batch.sequence_tokens
    objective = Objective(model, build_losses(spec))
    batch = torch.randint(vocab_size, (1, length))
    with FlopCounterMode(display=False) as counted:
        total, _, _ = objective(batch, batch, torch.zeros_like(batch), torch.ones(1))
        total.backward()
    return counted.get_total_flops() / length


@torch.inference_mode()
def decode(bare: Transformer, length: int, num_tokens: int = 48) -> dict[str, float]:
    """Median seconds of a token around the middle of the context, and the bytes of its keys and values."""
    model, cache = pack(bare), Cache(length)
    start = length // 2 - num_tokens // 2
    model.logits(model.hidden(torch.randint(model.vocab_size, (1, start)), cache=cache)[:, -1])
    seconds = []
    for _ in range(num_tokens):
        began = time.perf_counter()
        model.logits(model.hidden(torch.randint(model.vocab_size, (1, 1)), cache=cache)[:, -1])
        seconds.append(time.perf_counter() - began)
    held = sum(pair.numel() * pair.element_size() for pair in cache._pairs.values())
    return {"decode_seconds_per_token": sorted(seconds)[num_tokens // 2], "cache_bytes_per_token": held / length}


def compare(expected: Estimate, found: dict[str, Any]) -> dict[str, float]:
    """Estimate over measured."""
    pairs = {"seconds": expected.training_seconds} | {
        name: getattr(expected, name)
        for name in (
            "num_parameters",
            "flops_per_token",
            "memory_bytes",
            "checkpoint_bytes",
            "cache_bytes_per_token",
            "decode_seconds_per_token",
        )
    }
    return {name: round(value / found[name], 3) for name, value in pairs.items()}


if __name__ == "__main__":
    sys.exit(main())
