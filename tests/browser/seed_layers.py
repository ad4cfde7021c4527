"""Series by layer of a training run, as its telemetry sends them."""

import math
import random
from typing import Any

NUM_LAYERS = 8
EVERY_STEPS = 10
HOT_LAYER, HOT_STEPS = 5, range(320, 341)
"""Where a layer's updates explode."""
DYING_LAYER, DYING_FROM = 7, 400
"""Where a layer's updates shrink."""


def _ratio(layer: int, step: int, noise: random.Random) -> float:
    value = 2e-3 * (1 + 0.05 * layer) * (1 + math.exp(-step / 40)) * math.exp(noise.gauss(0, 0.08))
    if layer == HOT_LAYER and step in HOT_STEPS:
        value *= 6
    if layer == DYING_LAYER and step >= DYING_FROM:
        value *= 0.55
    return value


def layer_columns(first: int, last: int, branch: int) -> list[dict[str, Any]]:
    """`layers/NN/...` of the steps [first, last], each tenth step."""
    noise = random.Random(first)
    steps = [step for step in range(first, last + 1) if step % EVERY_STEPS == 0]
    columns = []
    for layer in range(NUM_LAYERS):
        ratio = [_ratio(layer, step, noise) for step in steps]
        series = {
            "update_ratio": ratio,
            "grad_norm": [180 * value for value in ratio],
            "weight_norm": [20 + layer + step / 100 for step in steps],
        }
        columns += [
            {"key": f"layers/{layer:02d}/{name}", "branch": branch, "steps": steps, "values": values}
            for name, values in series.items()
        ]
    return columns
