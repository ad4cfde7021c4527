"""Where shards end, so that two versions of a dataset share most of them.

Content-defined chunking (as in LBFS, SOSP 2001) over documents in the order of their keys: whether a shard ends after a
document hangs on that document alone, so a document more or less changes the shard that it is in, and its neighbours
until the next cut that both versions have.
"""

_BITS = 32


class Cutter:
    """Cuts shards of about `target` (bytes or tokens): no smaller than a quarter of it, no larger than twice and one.

    Its memory is the size of the shard that is open.
    """

    def __init__(self, target: int) -> None:
        self.least, self.most = target // 4, 2 * target
        self._mean = max(1, target - self.least)
        self._pending = 0

    def ends(self, key: int, size: int) -> bool:
        """Does the shard end after this document? Its key is 64 bits of a hash; the low half of it decides."""
        self._pending += size
        lucky = (key & ((1 << _BITS) - 1)) * self._mean < size << _BITS
        if self._pending >= self.most or (self._pending >= self.least and lucky):
            self._pending = 0
            return True
        return False
