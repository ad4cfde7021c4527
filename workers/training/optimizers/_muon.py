"""torch.optim.Muon's step with matrices of one shape batched into one Newton-Schulz iteration.

torch.optim.Muon goes matrix by matrix, and always in bfloat16. Where a CPU only emulates that, one step of a model of
4 M parameters took 7.2 CPU seconds: there the iteration runs in float32. Same formula,
https://kellerjordan.github.io/posts/muon/

Shapes: B matrices of one shape, M rows, N columns.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from workers.kernels.symmetric_product import symmetric_product
from workers.model.capabilities import has_fast_bfloat16
from workers.specs.training.optimizers import Muon, MuonClip
from workers.training.optimizers._shared import OUTER, Group, group_parameters

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
        gram = symmetric_product(x)
        x = torch.baddbmm(x, symmetric_product(gram, gram, alpha=c, beta=b), x, beta=a)
    return x.mT if tall else x


class BatchedMuon(torch.optim.Muon):
    """Arguments, state and update of torch.optim.Muon with `match_rms_adamw`, and the type of the iteration."""

    def __init__(self, params: Iterable[Group], *, dtype: torch.dtype, **arguments: Any) -> None:
        super().__init__(params, adjust_lr_fn="match_rms_adamw", **arguments)
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Apply the gradients. `closure` is not supported."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                g_BMN = torch.stack([self._update(p, group).to(self.dtype) for p in parameters])
                updates = orthogonalize(g_BMN, group["ns_steps"]).to(parameters[0].dtype)
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(parameters, list(updates), alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)

    def _update(self, parameter: Tensor, group: dict[str, float]) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer = state["momentum_buffer"]
        buffer.lerp_(parameter.grad, 1 - group["momentum"])
        return parameter.grad.lerp(buffer, group["momentum"])


def muon_parts(spec: Muon | MuonClip, model: nn.Module) -> dict[str, torch.optim.Optimizer]:
    """Muon over the hidden matrices of `model`, AdamW over the rest; the iteration in bfloat16 where that is fast."""
    device = next(model.parameters()).device
    muon = BatchedMuon(
        group_parameters(model, lr=spec.lr, weight_decay=spec.weight_decay, roles=("hidden",)),
        dtype=torch.bfloat16 if has_fast_bfloat16(device) else torch.float32,
        lr=spec.lr,
        weight_decay=spec.weight_decay,
        momentum=spec.momentum,
        ns_steps=spec.num_ns_steps,
    )
    outer = group_parameters(model, lr=spec.lr, weight_decay=0.0, roles=OUTER, eps=spec.eps)
    adamw = torch.optim.AdamW(outer, lr=spec.lr, betas=(spec.beta1, spec.beta2), eps=spec.eps, fused=True)
    return {"muon": muon, "adamw": adamw}
