"""Duplicate clusters for the browser: the largest ones, and an even choice of the others, with some members each."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import xxhash

from workers.curation.dedup import Verdict

NUM_LARGEST = 100
NUM_EVEN = 100
MAX_MEMBERS = 6


@dataclass(slots=True)
class Member:
    """A document of a cluster: its chunk, its place among those that the chunk gave to dedup, and its similarity."""

    chunk: int
    ordinal: int
    similarity: float | None


@dataclass(slots=True)
class Cluster:
    """Documents of which the first stays."""

    cluster_id: int
    size: int
    members: list[Member] = field(default_factory=list)
    num_uses: int = 0


class Clusters:
    """Watches the verdicts go by and remembers a bounded number of clusters; a cluster's first document comes first."""

    def __init__(self) -> None:
        self._found: dict[int, Cluster] = {}
        self._largest: list[tuple[int, int]] = []
        self._even: list[tuple[int, int]] = []

    def watch(self, verdict: Verdict, position: int, chunk: int, ordinal: int) -> None:
        """The verdict on the document at this position."""
        if verdict.cluster_size < 2:
            return
        number = verdict.cluster_id
        if number == position:
            cluster = Cluster(number, verdict.cluster_size)
            self._admit(self._largest, (verdict.cluster_size, -number), NUM_LARGEST, cluster)
            self._admit(self._even, (-xxhash.xxh3_64_intdigest(b"%d" % number), -number), NUM_EVEN, cluster)
        found = self._found.get(number)
        if found is not None and len(found.members) < MAX_MEMBERS:
            figure = verdict.drop.figure if verdict.drop else None
            found.members.append(Member(chunk, ordinal, figure))

    def _admit(self, heap: list[tuple[int, int]], entry: tuple[int, int], most: int, cluster: Cluster) -> None:
        if len(heap) < most:
            heapq.heappush(heap, entry)
        elif entry > heap[0]:
            _, number = heapq.heapreplace(heap, entry)
            self._release(-number)
        else:
            return
        cluster.num_uses += 1
        self._found[cluster.cluster_id] = cluster

    def _release(self, number: int) -> None:
        cluster = self._found[number]
        cluster.num_uses -= 1
        if not cluster.num_uses:
            del self._found[number]

    def by_chunk(self) -> dict[int, list[int]]:
        """Places of the members, by chunk."""
        found: dict[int, set[int]] = defaultdict(set)
        for cluster in self._found.values():
            for member in cluster.members:
                found[member.chunk].add(member.ordinal)
        return {chunk: sorted(ordinals) for chunk, ordinals in sorted(found.items())}

    def lines(self, shown: dict[tuple[int, int], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """For clusters.jsonl, the largest first. `shown`: what to show of the member at (chunk, ordinal)."""
        for cluster in sorted(self._found.values(), key=lambda c: (-c.size, c.cluster_id)):
            members = [
                {
                    **{k: v for k, v in shown[m.chunk, m.ordinal].items() if k != "language"},
                    "kept": number == 0,
                    "similarity": m.similarity,
                }
                for number, m in enumerate(cluster.members)
            ]
            first = cluster.members[0]
            yield {
                "cluster_id": cluster.cluster_id,
                "language": shown[first.chunk, first.ordinal]["language"],
                "size": cluster.size,
                "members": members,
            }
