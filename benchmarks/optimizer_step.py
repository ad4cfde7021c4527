"""Muon's step against AdamW's and torch.optim.Muon's, as a share of a training step of 16,384 tokens.

On the weights of `train_step` (18.9 M parameters) with random gradients, in turn; the gradient of 2,048 tokens is timed
beside them, compiled. `share` is what Muon takes more than AdamW, over a step of eight such passes with AdamW. The
update is compared with torch's first: both iterate in bfloat16, so they agree to a few percent of its norm.
"""

import argparse
import copy
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from peers.smollm3 import LR, Ours, build_spec, write_dataset
from torch import nn

from workers.specs.training.optimizers import AdamW, Muon
from workers.training.optimizers import build_optimizer
from workers.training.optimizers._shared import OUTER, group_parameters
from workers.training.state import Place
from workers.training.steps import compute_gradient

PASSES, MAX_DIFFERENCE = 8, 0.05


class TorchMuon:
    """torch.optim.Muon over the hidden matrices, fused AdamW over the rest."""

    def __init__(self, model: nn.Module) -> None:
        hidden = group_parameters(model, lr=LR, weight_decay=0.1, roles=("hidden",))
        outer = group_parameters(model, lr=LR, weight_decay=0.0, roles=OUTER, eps=1e-8)
        self.muon = torch.optim.Muon(
            [{"params": group["params"]} for group in hidden], lr=LR, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
        )
        self.adamw = torch.optim.AdamW(outer, lr=LR, betas=(0.9, 0.95), fused=True)

    def step(self) -> None:
        """Apply the gradients."""
        self.muon.step()
        self.adamw.step()


def main() -> int:
    """Print a table and the row; 1 when the updates differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        spec = build_spec()
        dataset = write_dataset(Path(folder) / "dataset", (options.rounds + 4) * spec.batch.sequences)
        ours = Ours(spec, dataset, Path(folder) / "out")
        row = compare(ours, options.rounds)
    print(json.dumps(row), flush=True)
    return 0 if row["equal_work"] else 1


def compare(ours: Ours, num_rounds: int) -> dict[str, object]:
    """The row."""
    models = {name: copy.deepcopy(ours.engine.model) for name in ("adamw", "ours", "peer")}
    steppers = {
        "adamw": build_optimizer(AdamW(lr=LR), models["adamw"]),
        "ours": build_optimizer(Muon(lr=LR), models["ours"]),
        "peer": TorchMuon(models["peer"]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ("gradient", *steppers)}
    for number in range(num_rounds + 2):
        draw_gradients(list(models.values()), number)
        for name, stepper in steppers.items():
            seconds[name].append(timed(stepper.step))
        seconds["gradient"].append(timed(lambda at=number: compute_gradient(ours.engine, Place(at))))
        ours.engine.optimizers.zero_grad()
        if number == 0:
            difference = update_difference(ours.engine.model, models)
    middle = {name: statistics.median(values[2:]) for name, values in seconds.items()}
    for name, value in middle.items():
        print(f"{name:9} {1000 * value:8.1f} ms", flush=True)
    whole = PASSES * middle["gradient"] + middle["adamw"]
    ratios = [theirs / own for own, theirs in zip(seconds["ours"][2:], seconds["peer"][2:], strict=True)]
    return {
        "name": "optimizer_step",
        "ours": round(1000 * middle["ours"], 1),
        "peer": round(1000 * middle["peer"], 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "share": round((middle["ours"] - middle["adamw"]) / whole, 4),
        "peer_share": round((middle["peer"] - middle["adamw"]) / whole, 4),
        "adamw": round(1000 * middle["adamw"], 1),
        "gradient": round(1000 * middle["gradient"], 1),
        "equal_work": int(difference <= MAX_DIFFERENCE),
        "update_difference": round(difference, 4),
        "threads": torch.get_num_threads(),
        "rounds": num_rounds,
    }


def draw_gradients(models: list[nn.Module], seed: int) -> None:
    """The same random gradients for all."""
    generator = torch.Generator().manual_seed(seed)
    for parameters in zip(*(model.parameters() for model in models), strict=True):
        gradient = torch.randn(parameters[0].shape, generator=generator)
        for parameter in parameters:
            parameter.grad = gradient.clone()


@torch.no_grad()
def update_difference(before: nn.Module, models: dict[str, nn.Module]) -> float:
    """Largest difference of the two Muons' first updates, over the update's norm, of any matrix."""
    largest = 0.0
    for old, ours, theirs in zip(
        before.parameters(), models["ours"].parameters(), models["peer"].parameters(), strict=True
    ):
        update = (theirs - old).norm()
        largest = max(largest, float((ours - theirs).norm() / update)) if update else largest
    return largest


def timed(call: object) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
