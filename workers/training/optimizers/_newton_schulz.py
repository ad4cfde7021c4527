"""torch.optim.Muon's step in float32, equal shapes batched: for devices that only emulate bfloat16.

torch.optim.Muon orthogonalises in bfloat16 whatever the device. Where a CPU only emulates that, one step of a model of
4 M parameters took 7.2 CPU seconds. Same formula, https://kellerjordan.github.io/posts/muon/

Shapes: B matrices of one shape, M rows, N columns.
"""

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.775, 2.0315)


def orthogonalize(g_BMN: Tensor, num_steps: int, eps: float = 1e-7) -> Tensor:
    """Nearest semi-orthogonal matrices by a quintic Newton-Schulz iteration, in the type of `g_BMN`.  -> (B, M, N)

    Raises ValueError when `g_BMN` is not 3-D.
    """
    if g_BMN.ndim != 3:
        raise ValueError(f"a batch of matrices is needed, not a tensor of shape {tuple(g_BMN.shape)}")
    a, b, c = COEFFICIENTS
    tall = g_BMN.shape[1] > g_BMN.shape[2]
    x = g_BMN.mT if tall else g_BMN
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(num_steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Float32Muon(torch.optim.Muon):
    """Same arguments, state and update as torch.optim.Muon with `match_rms_adamw`; the iteration runs in float32."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Apply the gradients. `closure` is not supported."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                updates = orthogonalize(torch.stack([self._update(p, group) for p in parameters]), group["ns_steps"])
                scale = 0.2 * max(shape) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * scale)

    def _update(self, parameter: Tensor, group: dict[str, float]) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer = state["momentum_buffer"]
        buffer.lerp_(parameter.grad, 1 - group["momentum"])
        return parameter.grad.lerp(buffer, group["momentum"])
