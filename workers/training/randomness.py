"""The random generators' states as tensors, so that a resumed run draws what the uninterrupted one would have drawn."""

import random

import numpy as np
import torch
from torch import Tensor


def generator_states() -> dict[str, Tensor]:
    """States of torch (CPU and each GPU), Python and NumPy."""
    _, words, _ = random.getstate()
    numpy_state = np.random.get_state(legacy=False)
    states = {
        "torch": torch.get_rng_state(),
        "python": torch.tensor(words, dtype=torch.int64),
        "numpy": torch.from_numpy(numpy_state["state"]["key"].astype(np.int64)),
        "numpy_position": torch.tensor([numpy_state["state"]["pos"]]),
    }
    if torch.cuda.is_available():
        states |= {f"cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def restore_generators(states: dict[str, Tensor]) -> None:
    """Take up `generator_states`. GPUs that are not here are left out."""
    torch.set_rng_state(states["torch"])
    random.setstate((3, tuple(states["python"].tolist()), None))
    key = states["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", key, int(states["numpy_position"])))
    for name, state in states.items():
        number = name.removeprefix("cuda.")
        if number != name and torch.cuda.is_available() and int(number) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, int(number))


def seed_generators(seed: int) -> None:
    """Seed all of them."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
