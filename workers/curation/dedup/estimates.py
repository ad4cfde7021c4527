"""How many different ones there are, estimated in 16 KB: HyperLogLog++ of datasketch. Heule et al. (EDBT 2013)."""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

_PRECISION = 14


class DistinctCounter:
    """Counts different 64-bit hashes; its standard error is 0.8%."""

    def add(self, hashes: npt.NDArray[np.uint64]) -> None:
        """Take a block of hashes: `HyperLogLog.update` for each, in numpy."""
        if not len(hashes):
            return
        sketch = self._sketch
        registers = (hashes & np.uint64(sketch.m - 1)).astype(np.int64)
        rest = (hashes >> np.uint64(_PRECISION)).astype(np.float64)  # 50 bits: exact
        lengths = np.frexp(rest)[1]  # in bits
        np.maximum.at(sketch.reg, registers, (sketch.max_rank - lengths + 1).astype(sketch.reg.dtype))

    def estimate(self) -> int:
        """Different hashes so far, about."""
        return round(self._sketch.count())

    @cached_property
    def _sketch(self) -> Any:
        from datasketch import HyperLogLogPlusPlus  # here: it brings scipy and redis, half a second that many runs save

        return HyperLogLogPlusPlus(p=_PRECISION, hashfunc=int)
