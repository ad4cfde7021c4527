"""What a run finds out, summed up chunk by chunk: counts, histograms, rejects, and which pages are to be shown."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from workers.curation.clusters import Clusters
from workers.curation.folder import CurationError
from workers.curation.histograms import Binning, Histograms
from workers.curation.lines import write_json, write_lines
from workers.curation.links import stage_names
from workers.curation.samples import Picks
from workers.curation.shows import Shown
from workers.curation.statistics import Statistics
from workers.specs.curation import CurationSpec

_MIN_RECORDS_TO_JUDGE = 50


class Results:
    """Sums over the chunks, and the files made of them. A context manager: rejects are written as they come."""

    def __init__(self, spec: CurationSpec, folder: Path, sources: Iterable[str]) -> None:
        self.spec, self.folder = spec, folder
        names = stage_names(spec)
        middle = names.index("dedup")
        self.first_stages, self.second_stages = names[:middle], names[middle:]
        self.statistics = Statistics(names, sources)
        self.histograms = Histograms(Binning(spec))
        self.picks = Picks(spec.samples_per_rule)
        self.clusters = Clusters()
        self.num_signed = 0
        self._first_reject: list[str] | None = None
        self._rejects = (folder / "rejects.jsonl").open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._rejects:
            self._rejects.flush()
            os.fsync(self._rejects.fileno())

    def add_first(self, summary: Mapping[str, Any], chunk: int) -> None:
        """A chunk after the first pass. Raises CurationError when too much cannot be read."""
        self._add(summary, chunk, self.first_stages)
        self.num_signed += summary["alive"]
        self.check_rejects()

    def add_second(self, summary: Mapping[str, Any], chunk: int) -> None:
        """A chunk after the second pass."""
        self._add(summary, chunk, self.second_stages)

    def _add(self, summary: Mapping[str, Any], chunk: int, stages: list[str]) -> None:
        self.statistics.add(summary, stages)
        for rule, language, documents, num_bytes in summary["histograms"]:
            self.histograms.add(rule, language, documents, num_bytes)
        for rule, language, ranks in summary["samples"]:
            self.picks.offer(rule, language, ranks, chunk)
        for reject in summary["rejects"]:
            self._first_reject = self._first_reject or reject
            line = dict(zip(("source", "reason", "detail"), reject, strict=True))
            self._rejects.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def check_rejects(self, at_end: bool = False) -> None:
        """Raises CurationError when the share of rejects is over the limit and there was enough to judge by."""
        num_read, num_rejects = self.statistics.num_read, self.statistics.num_rejects
        limit = self.spec.limits.max_reject_share
        if not self._first_reject or num_rejects <= limit * num_read:
            return
        if at_end or num_read >= _MIN_RECORDS_TO_JUDGE:
            reasons = ", ".join(f"{reason}: {n}" for reason, n in self.statistics.rejects.most_common(3))
            source, reason, detail = self._first_reject
            raise CurationError(
                f"{num_rejects} of {num_read} records could not be read ({reasons}), more than "
                f"limits.max_reject_share = {limit:g} allows; the first is {source}: {detail or reason}. "
                "Mend or remove these files, or raise the share"
            )

    def check_kept(self, num_left: int, where: str) -> None:
        """Raises CurationError when nothing is left, with the rule that dropped most. `where`: the input, in words."""
        if num_left:
            return
        if not self.statistics.num_read:
            raise CurationError(f"there is no document in {where}")
        rule, count = self.statistics.worst_rule()
        raise CurationError(
            f"none of {self.statistics.num_read} documents was kept; {rule} dropped most of them ({count}): "
            "loosen or remove that rule, or look whether the input is what you meant"
        )

    def write_shown(self, shown: Iterable[tuple[int, Shown]]) -> None:
        """Write samples.jsonl and clusters.jsonl from what the third pass gives, chunk by chunk."""
        members: dict[tuple[int, int], dict[str, Any]] = {}
        beside = self.folder / "samples"
        with beside.open("w+b") as file:
            places: dict[tuple[int, int], tuple[int, int]] = {}
            for chunk, (samples, found) in shown:
                members |= {(chunk, ordinal): member for ordinal, member in found.items()}
                for page, line in samples.items():
                    places[chunk, page] = file.tell(), len(line)
                    file.write(line)
            write_lines(self.folder / "samples.jsonl", _read(places, self.picks.in_order(), file.seek, file.read))
        beside.unlink()
        write_lines(self.folder / "clusters.jsonl", self.clusters.lines(members))
        write_json(self.folder / "histograms.json", self.histograms.as_list())


def _read(
    places: dict[tuple[int, int], tuple[int, int]],
    order: Iterable[tuple[int, int]],
    seek: Callable[[int], int],
    read: Callable[[int], bytes],
) -> Iterator[Any]:
    for place in order:
        if place in places:  # else making it ended its process
            start, length = places[place]
            seek(start)
            yield orjson.Fragment(read(length))
