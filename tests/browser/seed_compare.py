"""A family of finished trainings to be compared: three seeds of one spec, and three that change something."""

import math
import random
from typing import Any

from seeder import Seeder, event, progress

NUM_STEPS = 400
FAMILY: dict[str, dict[str, Any]] = {
    "family-base-seed1": {"seed": 1},
    "family-base-seed2": {"seed": 2},
    "family-base-seed3": {"seed": 3},
    "family-lr-high": {"seed": 1, "optimizer": {"kind": "adamw", "lr": 6e-3}},
    "family-no-clip": {"seed": 1, "optimizer": {"kind": "adamw", "lr": 3e-3, "weight_decay": 0.0}},
    "family-wider": {"seed": 1, "optimizer": {"kind": "adamw", "lr": 3e-3, "beta2": 0.99}},
}
SHIFTS = {"family-lr-high": 0.09, "family-no-clip": -0.06, "family-wider": 0.001}


def _loss(name: str, step: int, noise: random.Random) -> float:
    base = 3.2 + 5.6 * math.exp(-step / 30) + 3.0 * (step + 10) ** -0.5
    spike = 0.6 * math.exp(-((step - 180) ** 2) / 18) if name == "family-lr-high" else 0.0
    return base + SHIFTS.get(name, 0.0) + spike + noise.gauss(0, 0.02)


def family(seeder: Seeder) -> list[str]:
    """Their ids, the base first."""
    ids = []
    for number, (name, settings) in enumerate(FAMILY.items()):
        plain = {"optimizer": {"kind": "adamw", "lr": 3e-3}} | settings
        spec = {"kind": "training", "name": name, "num_steps": NUM_STEPS, "dataset": "sha256:" + "a" * 64} | plain
        run_id = seeder.launch(spec, tags=["family"])
        noise, steps = random.Random(number), list(range(NUM_STEPS))
        # one of them takes half the tokens a step, so that steps and tokens tell different stories
        tokens = 2048 if name == "family-wider" else 4096
        began = 1.7e9 + number * 1e4
        columns = {
            "loss": [_loss(name, step, noise) for step in steps],
            "tokens": [float((step + 1) * tokens) for step in steps],
            "flops": [(step + 1) * tokens * 6 * 8.4e6 for step in steps],
            "grad_norm": [0.4 + math.exp(-step / 25) + abs(noise.gauss(0, 0.03)) for step in steps],
        }
        times = [began + step * (0.5 if tokens == 4096 else 0.3) for step in steps]
        metrics = [{"key": k, "branch": 0, "steps": steps, "values": v, "times": times} for k, v in columns.items()]
        seeder.report(run_id, state="running", metrics=metrics)
        done = event("summary", "done", last_loss=columns["loss"][-1])
        seeder.report(run_id, state="completed", events=[progress("train", NUM_STEPS, NUM_STEPS, "steps"), done])
        ids.append(run_id)
    return ids
