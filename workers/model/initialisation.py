"""How matrices start: normal, smaller where they write to the residual (GPT-2) or are wide (muP)."""

from torch import nn

from workers.model.parametrization import Multipliers, role_of
from workers.specs.training.model import Model

_TO_RESIDUAL = ("attention.out.weight", "ffn.down.weight")


def initialise(module: nn.Module, model: Model) -> None:
    """Draw the matrices of a module from torch's global generator, in the order of its parameters."""
    for name, parameter in module.named_parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=start_std(name, model))


def start_std(name: str, model: Model) -> float:
    """Standard deviation that a matrix starts with."""
    std = model.init_std * Multipliers.of(model).init_std(role_of(name, 2))
    if model.init == "depth_scaled" and name.endswith(_TO_RESIDUAL):
        std /= (2 * model.num_layers) ** 0.5
    return std
