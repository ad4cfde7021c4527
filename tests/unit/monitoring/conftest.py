"""Synthetic telemetry with the noise of real small runs."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from workers.monitoring.telemetry import Telemetry


def quiet_run(seed: int, num_steps: int = 3000, warmup: int = 100) -> Iterator[Telemetry]:
    """Falling loss, autocorrelated and heavy-tailed gradient norms, warm-up and decay of the update norm."""
    random = np.random.default_rng(seed)
    drift = 0.0
    for step in range(num_steps):
        lr = min((step + 1) / warmup, 1.0, (num_steps - step) / (0.2 * num_steps))
        loss = 2.2 + 6 * np.exp(-step / 150) + 1.2 * np.exp(-step / 1500)
        loss *= np.exp(random.normal(0, 0.04) + (0.1 if random.random() < 0.01 else 0.0))
        drift = 0.9 * drift + random.normal(0, 0.08)
        grad_norm = 0.4 + 4 * np.exp(-step / 30) + 0.5 * np.exp(-(((step - warmup) / 20) ** 2))
        grad_norm *= np.exp(drift + random.normal(0, 0.12)) * (5 if random.random() < 0.004 else 1)
        update_norm = lr * 3 * np.exp(random.normal(0, 0.03) + 0.2 * drift)
        yield Telemetry(step, float(loss), float(grad_norm), lr, float(update_norm))


@pytest.fixture
def quiet() -> Callable[..., Iterator[Telemetry]]:
    return quiet_run
