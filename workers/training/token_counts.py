"""What the controller is told of a batch's tokens: how they differ from the training text, and which batch it is.

Shapes: V vocabulary.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.specs.training.stages import PlannedStage
from workers.training.batches import BatchOrder
from workers.training.stage_order import StageOrder
from workers.training.state import Place

_FINGERPRINT_BYTES = 5
SAMPLE_TOKENS = 1 << 19
MIN_BATCHES, MAX_BATCHES = 4, 128
PRIOR_COUNT = 0.5


def fingerprint(tokens: Tensor, rank: int) -> Tensor:
    """A whole number made of these tokens in their order; sums over processes stay exact.  int64 -> (), fp64"""
    digest = hashlib.blake2b(tokens.numpy().tobytes(), digest_size=_FINGERPRINT_BYTES).digest()
    return torch.tensor(float(int.from_bytes(digest, "big") * (rank % 64 + 1)), dtype=torch.float64)


class TokenCounts:
    """Token frequencies of a sample of each stage: batches spread over all that it will read.

    The sample hangs on the place of a batch alone, so a resumed run and every rank have the same.
    """

    def __init__(self, order: BatchOrder | StageOrder, plan: Sequence[PlannedStage], vocab_size: int) -> None:
        self._order, self._plan, self._vocab_size = order, plan, vocab_size
        self._sampled: tuple[int, npt.NDArray[np.float64]] = (-1, np.empty(0))

    def divergence(self, place: Place, tokens: Tensor) -> Tensor:
        """KL divergence of these tokens' frequencies from the sample's, in nats per token.  int64 -> (), fp64"""
        logs_V = self._logs(place)
        found, counts = np.unique(tokens.numpy(), return_counts=True)
        shares = counts / counts.sum()
        return torch.tensor(float(np.sum(shares * (np.log(shares) - logs_V[found]))), dtype=torch.float64)

    def _logs(self, place: Place) -> npt.NDArray[np.float64]:
        """Logs of the token frequencies of the stage.  -> (V,)"""
        if self._sampled[0] != place.stage:
            self._sampled = (place.stage, self._sample(self._plan[place.stage], place))
        return self._sampled[1]

    def _sample(self, stage: PlannedStage, place: Place) -> npt.NDArray[np.float64]:
        wanted = min(max(SAMPLE_TOKENS // stage.tokens_per_step, MIN_BATCHES), MAX_BATCHES, stage.num_steps)
        counts_V = np.zeros(self._vocab_size, dtype=np.int64)
        for number in np.linspace(0, stage.num_steps - 1, wanted).round().astype(int).tolist():
            tokens = self._order.part(Place(number, place.stage, place.earlier), 0, 1).tokens.numpy()
            counts_V += np.bincount(tokens.reshape(-1), minlength=self._vocab_size)
        shares_V = (counts_V + PRIOR_COUNT) / (counts_V.sum() + PRIOR_COUNT * self._vocab_size)
        logs_V: npt.NDArray[np.float64] = np.log(shares_V)
        return logs_V
