"""FSDP2: each process holds a share of every weight, gradient and moment, and gathers a block when it needs it.

https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html, in the processes that accelerate has set up:
its own FSDP2 wants GPUs and drops the setting on a CPU without a word, and this one runs on both.

A tensor that is shared out is a DTensor. Checkpoints hold whole tensors, so any number of processes reads them.

Shapes: P tensors.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from workers.kernels.gradient_stats import measure_norms

ENTRIES = ("hidden", "logits")
"""Methods of the objective that run the model, beside its forward pass."""


def share_out(objective: nn.Module, blocks: Sequence[nn.Module], device: torch.device) -> None:
    """Share out the weights of each block, and all others of the objective, over the processes."""
    mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
    for block in blocks:
        fully_shard(block, mesh=mesh, reshard_after_forward=True)
    fully_shard(objective, mesh=mesh, reshard_after_forward=True)
    for name in ENTRIES:
        register_fsdp_forward_method(objective, name)


@contextmanager
def without_reduction(module: nn.Module) -> Iterator[None]:
    """Gradients stay where they are while inside: more passes of the step follow."""
    if not isinstance(module, FSDPModule):
        raise TypeError("the module is not shared out")
    module.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        module.set_requires_gradient_sync(True)


def local(tensor: Tensor) -> Tensor:
    """This process's share, in the same memory; what is not shared out as it is."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def gather(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors, on the CPU where they were shared out. All processes must call it."""
    return {name: t.full_tensor().cpu() if isinstance(t, DTensor) else t for name, t in tensors.items()}


def share_like(whole: Tensor, like: Tensor) -> Tensor:
    """A whole tensor shared out as `like` is, or a copy on its device. No process talks to another."""
    if isinstance(like, DTensor) and whole.shape == like.shape:
        return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
    return whole.to(like.device, copy=True)


@torch.no_grad()
def load_whole(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """`load_state_dict` from whole tensors, whether or not the module's are shared out.

    Raises RuntimeError when names or shapes do not fit.
    """
    own = module.state_dict()
    if not any(isinstance(tensor, DTensor) for tensor in own.values()):
        module.load_state_dict(tensors)
        return
    if wrong := own.keys() ^ tensors.keys():
        raise RuntimeError(f"{', '.join(sorted(wrong)[:4])} are on one side alone")
    for name, tensor in own.items():
        if tensor.shape != tensors[name].shape:
            raise RuntimeError(f"{name} is {tuple(tensors[name].shape)}, not {tuple(tensor.shape)}")
        local(tensor).copy_(local(share_like(tensors[name], tensor)))


def measure_whole_norms(tensors: Sequence[Tensor], shared: bool = False) -> Tensor:
    """Norm of each tensor over all its shares; NaN when an entry is not finite.  -> (P,) fp64

    shared: they are shares, though not DTensors.
    """
    norms_P = measure_norms([local(tensor) for tensor in tensors])
    if shared or any(isinstance(tensor, DTensor) for tensor in tensors):
        squares_P = norms_P.square()
        distributed.all_reduce(squares_P)
        norms_P = squares_P.sqrt()
    return norms_P
