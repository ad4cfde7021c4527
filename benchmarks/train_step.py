"""A training step of 18.9 M parameters and 2,048 tokens: our engine against transformers' SmolLM3 under torch.compile.

Equal work is checked first: same parameters, same tokens, and a loss within 0.02 of one another after 20 steps. Then
rounds in turn, some steps each. MFU is by a matrix product's speed that is measured in each round.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from peers.smollm3 import SEQUENCE_TOKENS, VOCAB_SIZE, Ours, Peer, build_spec, write_dataset

from workers.specs.estimate import training_flops_per_token
from workers.training.devices import determinism
from workers.training.speed import measure_peak

CHECKED_STEPS, MAX_DIFFERENCE = 20, 0.02


def main() -> int:
    """Print a table and the row; 1 when the work was not equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="steps of each side in a round")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--dtype", choices=("auto", "bfloat16", "float32"), default="auto")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        spec = build_spec(dtype=options.dtype)
        num_steps = CHECKED_STEPS + options.rounds * options.steps
        dataset = write_dataset(Path(folder) / "dataset", (num_steps + 1) * spec.batch.sequences)
        ours = Ours(spec, dataset, Path(folder) / "out")
        row = compare(ours, Peer(ours.engine.model, ours.engine.dtype), options)
    print(json.dumps(row), flush=True)
    return 0 if row["equal_work"] else 1


def compare(ours: Ours, peer: Peer, options: argparse.Namespace) -> dict[str, object]:
    """The row of both."""
    deterministic = ours.engine.spec.deterministic

    def our_step(number: int) -> float:
        with determinism(deterministic):
            return ours.step(number)

    def peer_step(number: int) -> float:
        return peer.step(ours.part(number))

    losses = [(our_step(number), peer_step(number)) for number in range(CHECKED_STEPS)]
    sizes = [sum(p.numel() for p in model.parameters()) for model in (ours.engine.model, peer.model)]
    difference = abs(losses[-1][0] - losses[-1][1])
    equal = sizes[0] == sizes[1] and difference <= MAX_DIFFERENCE
    print(f"{sizes[0]:,} and {sizes[1]:,} parameters; losses {losses[0]} at first, {losses[-1]} at last", flush=True)
    tokens, ratios, speeds, mfus, peaks = ours.engine.stage.tokens_per_step, [], [], [], []
    flops = training_flops_per_token(ours.engine.model.spec, VOCAB_SIZE, SEQUENCE_TOKENS)
    for number in range(options.rounds):
        steps = range(CHECKED_STEPS + number * options.steps, CHECKED_STEPS + (number + 1) * options.steps)
        pair = [tokens * options.steps / seconds_of(side, steps) for side in (our_step, peer_step)]
        peaks.append(measure_peak(torch.device("cpu"), ours.engine.dtype))
        speeds.append(pair)
        ratios.append(pair[0] / pair[1])
        mfus.append(pair[0] * flops / peaks[-1])
        print(f"ours {pair[0]:7.0f}  peer {pair[1]:7.0f} tok/s  ratio {ratios[-1]:.3f}  MFU {mfus[-1]:.2f}", flush=True)
    return {
        "name": "train_step",
        "ours": round(statistics.median(own for own, _ in speeds)),
        "peer": round(statistics.median(other for _, other in speeds)),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "mfu": round(statistics.median(mfus), 3),
        "gemm_peak": round(statistics.median(peaks) / 1e9, 1),
        "equal_work": int(equal),
        "loss_difference": round(difference, 5),
        "parameters": sizes[0],
        "dtype": ours.engine.dtype,
        "threads": torch.get_num_threads(),
        "rounds": options.rounds,
    }


def seconds_of(step: Callable[[int], float], numbers: range) -> float:
    """Seconds of some steps."""
    began = time.perf_counter()
    for number in numbers:
        step(number)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
