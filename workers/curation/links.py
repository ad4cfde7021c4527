"""Links: stages as the journal keeps them. Stages: as people count them.

Filters of different languages do not touch the same documents, so they share a link, in which order is of no account.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from workers.specs.curation import CurationSpec
from workers.specs.curation.blocklists import Url
from workers.specs.curation.filters import Filter


@dataclass(slots=True, frozen=True)
class Link:
    """One stage's results for a chunk, as the journal keeps them."""

    name: str
    """`url`, `base`, `filters`, `sign`, `summary`; `dedup`, `lines`, `clean`, `final`."""
    key: str
    filters: tuple[int, ...] = ()
    """Positions in the spec's filters."""

    @property
    def folder(self) -> str:
        """The journal's folder for it."""
        return f"{self.name}-{self.key[:24]}"


def judges_early(spec: CurationSpec) -> bool:
    """Does a URL filter stand first, for all languages? Then it saves the extraction of what it drops."""
    return bool(spec.filters) and isinstance(spec.filters[0], Url) and not spec.filters[0].languages


def layers(filters: Sequence[Filter], skip_first: bool = False) -> list[list[int]]:
    """Positions of filters, those that may stand side by side together: no document meets two of a layer.

    Each document meets its filters in the order of the spec.
    """
    depths: list[int] = []
    for position, filter_ in enumerate(filters):
        if position == 0 and skip_first:
            depths.append(-1)
            continue
        before = [d for d, other in zip(depths, filters, strict=False) if _share_languages(filter_, other)]
        depths.append(1 + max(before, default=-1))
    return [[i for i, depth in enumerate(depths) if depth == d] for d in range(max(depths, default=-1) + 1)]


def _share_languages(left: Filter, right: Filter) -> bool:
    return not left.languages or not right.languages or not set(left.languages).isdisjoint(right.languages)


def stage_names(spec: CurationSpec) -> list[str]:
    """The stages of a spec, in their order. Filters of one kind (for different languages) are one stage."""
    first = ["url"] if judges_early(spec) else []
    kinds = list(dict.fromkeys(filter_.kind for filter_ in spec.filters if filter_.kind not in first))
    lines = ["lines"] if spec.dedup.lines else []
    middle = ["dedup", *lines, *kinds] if spec.dedup.before_filters else [*kinds, "dedup", *lines]
    return ["read", *first, "extract", "language", *middle, "pii"]
