"""What the optimizer plugins share: how parameters are grouped, and several torch optimizers driven as one."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

Named = dict[str, nn.Parameter]


def split_parameters(model: nn.Module) -> tuple[Named, Named]:
    """Hidden matrices, and all the rest (embeddings, head, norms), by name."""
    hidden: Named = {}
    rest: Named = {}
    for name, parameter in model.named_parameters():
        outer = name.startswith(("embedding.", "head."))
        (rest if outer or parameter.ndim != 2 else hidden)[name] = parameter
    return hidden, rest


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
        """Learning rate of every group."""
        for part in self.parts.values():
            for group in part.param_groups:
                group["lr"] = lr

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
        """The whole state as `part/parameter/key` -> tensor on the CPU."""
        return {
            f"{label}/{self._names[id(parameter)]}/{key}": torch.as_tensor(value).detach().cpu().contiguous()
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
            part.state[parameter][key] = tensor.to(parameter.device, copy=True)
