"""Loss on held-out text: the same windows each time, spread evenly over the held-out part."""

import numpy as np
import torch
from accelerate import Accelerator
from torch.nn import functional

from workers.data.shards import TokenDataset
from workers.specs.training import TrainingSpec
from workers.training.batches import IGNORED, count_windows, counted_pairs, read_windows
from workers.training.devices import ComputeType, autocast
from workers.training.errors import InputError
from workers.training.objective import Objective


class HeldOutText:
    """Fixed windows of the held-out part. Each process measures its share of them."""

    def __init__(self, dataset: TokenDataset, spec: TrainingSpec) -> None:
        """Raises InputError when the held-out part is shorter than one sequence."""
        batch = spec.plan[0].batch  # the same in all stages, so that the curve goes on
        length = batch.sequence_tokens
        num_windows = count_windows(dataset, length)
        if not num_windows:
            raise InputError(
                f"the held-out part has {dataset.num_tokens} tokens, one sequence needs {length + 1}. "
                "Lower batch.sequence_tokens, or hold out more documents"
            )
        batch_sequences = batch.sequences * spec.resources.num_processes  # the same on another number of processes
        wanted = min(num_windows, spec.heldout.num_batches * batch_sequences)
        chosen = np.linspace(0, num_windows - 1, wanted).round().astype(np.int64)
        self.sequences = read_windows(dataset, chosen, length)
        if not bool((self.sequences.targets != IGNORED).any()):
            raise InputError("no token of the held-out windows counts: hold out more documents or more windows")
        self.batch_size = batch.micro_batch_sequences

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Contexts and the tokens that follow them, where they count.  2 x (n,)"""
        return counted_pairs(self.sequences)

    @torch.no_grad()
    def loss(self, objective: Objective, accelerator: Accelerator, dtype: ComputeType) -> float:
        """Mean loss over all windows, in nats per token; the same on every process."""
        device = accelerator.device
        sums = torch.zeros(2, dtype=torch.float64, device=device)
        starts = range(0, len(self.sequences.tokens), self.batch_size)
        objective.eval()  # what watches training must not see held-out text
        for start in list(starts)[accelerator.process_index :: accelerator.num_processes]:
            rows = slice(start, start + self.batch_size)
            tokens, targets, documents = (
                part[rows].to(device)
                for part in (self.sequences.tokens, self.sequences.targets, self.sequences.documents)
            )
            with autocast(dtype, device):
                logits = objective.logits(tokens, documents)
            total = functional.cross_entropy(
                logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
            )
            sums += torch.stack((total.double(), (targets != IGNORED).sum().double()))
        objective.train()
        total, count = accelerator.reduce(sums, "sum").tolist()
        return total / count
