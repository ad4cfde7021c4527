"""What the optimizer plugins share: how parameters are grouped, and several torch optimizers driven as one."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from workers.model.parametrization import ROLES, Multipliers, Role, role_of
from workers.model.transformer import Transformer
from workers.training.sharding import share_like

Named = dict[str, nn.Parameter]
Group = dict[str, Any]
"""One of torch's parameter groups. Ours also carry `role`, and `lr_factor`: what the rate is multiplied by."""
OUTER: tuple[Role, ...] = tuple(role for role in ROLES if role != "hidden")


def group_parameters(
    model: nn.Module, *, lr: float, weight_decay: float, roles: tuple[Role, ...] = ROLES, eps: float | None = None
) -> list[Group]:
    """Groups of the parameters of some roles, one a role that is there. Hidden matrices alone decay.

    eps: AdamW's; None: the update is Muon's. A muP model (`workers.model.parametrization`) sets the factors.
    """
    multipliers = Multipliers.of(model.spec) if isinstance(model, Transformer) else Multipliers()
    orthogonal = eps is None
    members: dict[Role, list[nn.Parameter]] = {role: [] for role in roles}
    for name, parameter in model.named_parameters():
        role = role_of(name, parameter.ndim)
        if role in members:
            members[role].append(parameter)
    groups: list[Group] = []
    for role, parameters in members.items():
        factor = multipliers.lr(role, orthogonal)
        group = {"params": parameters, "role": role, "lr_factor": factor, "lr": lr * factor, "weight_decay": 0.0}
        if role == "hidden":
            group["weight_decay"] = weight_decay * multipliers.weight_decay(role, orthogonal)
        if eps is not None:
            group["eps"] = eps * multipliers.eps(role)
        groups.append(group)
    return [group for group in groups if group["params"]]


class OptimizerSet:
    """One or more torch optimizers stepped together; their state travels as named tensors, without pickle."""

    def __init__(self, model: nn.Module, parts: Mapping[str, torch.optim.Optimizer]) -> None:
        self.parts = dict(parts)
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}

    def add_part(self, label: str, part: torch.optim.Optimizer, parameters: Named) -> None:
        """Step another optimizer too, over parameters that are not the model's."""
        self.parts[label] = part
        self._names |= {id(parameter): name for name, parameter in parameters.items()}

    def set_lr(self, lr: float) -> None:
        """Learning rate of every group, each times its factor."""
        for part in self.parts.values():
            for group in part.param_groups:
                group["lr"] = lr * group.get("lr_factor", 1.0)

    def step(self) -> None:
        """Apply the gradients."""
        for part in self.parts.values():
            part.step()

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for part in self.parts.values():
            part.zero_grad(set_to_none=True)

    def forget(self) -> None:
        """Drop the whole state: moments and step counts begin anew."""
        for part in self.parts.values():
            part.state.clear()

    def telemetry(self) -> dict[str, float]:
        """What the last step saw that is worth a series."""
        return {}

    def state_tensors(self) -> dict[str, Tensor]:
        """The whole state as `part/parameter/key` -> the tensor itself, not a copy."""
        return {
            f"{label}/{self._names[id(parameter)]}/{key}": torch.as_tensor(value).detach()
            for label, part in self.parts.items()
            for parameter, state in part.state.items()
            for key, value in state.items()
        }

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up a state from `state_tensors`.

        Raises ValueError when it names a part or parameter that is not here.
        """
        parameters = {
            f"{label}/{self._names[id(p)]}": (part, p)
            for label, part in self.parts.items()
            for group in part.param_groups
            for p in group["params"]
        }
        for part in self.parts.values():
            part.state.clear()
        for name, tensor in tensors.items():
            place, _, key = name.rpartition("/")
            if place not in parameters:
                raise ValueError(f"the checkpoint's optimizer state {name!r} fits no parameter of this model")
            part, parameter = parameters[place]
            # Step counters stay where torch keeps them: fused AdamW wants them on the device, as fp32.
            part.state[parameter][key] = share_like(tensor, parameter)
