"""The passes over all chunks: what the journal has is taken from there, the rest is worked on by the engine.

First: read, extract, filter, sign. Second: what dedup decided, and the stages after it. Third: what the browser shows.
The parent reads, writes and adds up; texts go by as bytes that it does not look into.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from workers.curation.chunks import Chunk, Record
from workers.curation.dedup import Verdict
from workers.curation.engine import Engine, SharedFile
from workers.curation.journal import Journal, seal, unseal
from workers.curation.links import Link
from workers.curation.pages import Row, drop_row, dump_rows
from workers.curation.shows import Shown, Wanted, lost, show
from workers.curation.stages import Item, Result, Stored, Story, crashed, run
from workers.specs.curation import Pii


class JournalError(RuntimeError):
    """The journal lost what was written before."""


@dataclass(slots=True)
class State:
    """What is remembered of a chunk between the passes: a few numbers, and where the journal has its pages."""

    parts: list[tuple[tuple[Link, ...], str]]
    """Links to replay, and the name under which the journal has their entries."""
    num_pages: int
    num_signed: int = 0


@dataclass(slots=True)
class _Job:
    """A chunk on its way through a pass."""

    index: int
    num_pages: int
    name: str
    before: tuple[tuple[Link, bytes], ...] = ()
    """Entries of passes before."""
    done: tuple[tuple[Link, bytes], ...] = ()
    """Entries of this pass that the journal has."""
    is_ready: bool = False
    """It has all."""
    extra: tuple[Link, ...] = ()


class Passes:
    """`tick` is called for each chunk: it looks for commands."""

    def __init__(self, engine: Engine, journal: Journal, tick: Callable[[], None]) -> None:
        self.engine, self.journal, self.tick = engine, journal, tick
        self.states: list[State] = []
        self.num_whole = 0
        """Chunks of the first pass that the journal had as a whole."""
        self.num_part = 0
        """Those of which it had the beginning."""
        self._has_crashed = False

    def first(
        self,
        links: Sequence[Link],
        chunks: Iterator[tuple[Chunk, list[Record] | None]],
        read: Callable[[Chunk], list[Record]],
    ) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Summary and signatures of each chunk. `read`: records of a chunk that comes without them."""
        waiting: deque[_Job] = deque()
        rows, (sign, summary) = tuple(links[:-2]), links[-2:]

        def batches() -> Iterator[list[Item]]:
            for index, (chunk, records) in enumerate(chunks):
                job = _Job(index, chunk.num_records, chunk.fingerprint)
                job.is_ready = self._has_all(rows, (sign, summary), job.name)
                waiting.append(job)
                if job.is_ready:
                    continue
                job.done = self._prefix(links[:-1], job.name)
                if any(link.name == "base" for link, _ in job.done):
                    yield self._stored(job, links)
                else:
                    job.done = ()
                    yield list(records if records is not None else read(chunk))

        for job, found in self._run(batches(), waiting):
            self.num_whole += job.is_ready
            self.num_part += bool(job.done)
            signatures, counted = (found.get(link.folder) or self._get(link, job.name) for link in (sign, summary))
            content = orjson.loads(unseal(counted))
            self.states.append(State([((*rows, *job.extra), job.name)], job.num_pages, content["alive"]))
            yield content, unseal(signatures)

    def second(
        self, links: Sequence[Link], verdicts: Callable[[int, int], list[Verdict]], lines: SharedFile | None
    ) -> Iterator[tuple[int, tuple[dict[str, Any], bytes]]]:
        """Number, summary and documents (an entry) of each chunk of which something was left.

        `verdicts`: the next so many, for the chunk of this number.
        """
        waiting: deque[_Job] = deque()
        rows, (clean, final) = tuple(links[:-2]), links[-2:]

        def batches() -> Iterator[list[Item]]:
            for index, state in enumerate(self.states):
                if not state.num_signed:
                    continue
                entry = seal(dump_rows(map(_verdict_row, verdicts(index, state.num_signed))))
                before = state.parts[-1][1].encode()
                job = _Job(index, state.num_pages, hashlib.sha256(before + entry).hexdigest())
                job.is_ready = self._has_all(rows, (clean, final), job.name)
                waiting.append(job)
                if job.is_ready:
                    continue
                self.journal.put(links[0].folder, job.name, entry)
                job.before = self._entries(state)
                job.done = self._prefix(rows, job.name)
                yield self._stored(job, links, lines)

        for job, found in self._run(batches(), waiting):
            documents, counted = (found.get(link.folder) or self._get(link, job.name) for link in (clean, final))
            self.states[job.index].parts.append(((*rows, *job.extra, clean), job.name))
            yield job.index, (orjson.loads(unseal(counted)), documents)

    def third(
        self, pages: Mapping[int, Sequence[int]], ordinals: Mapping[int, Sequence[int]], pii: Pii
    ) -> Iterator[tuple[int, Shown]]:
        """Samples and cluster members of the chunks that have some, by number of the chunk."""
        chosen = sorted(pages.keys() | ordinals.keys())

        def batches() -> Iterator[list[Wanted]]:
            for index in chosen:
                state = self.states[index]
                story = Story(self._entries(state), ())
                num_first = len(state.parts[0][0])
                yield [Wanted(story, tuple(pages.get(index, ())), tuple(ordinals.get(index, ())), num_first, pii)]

        for index, shown in zip(chosen, self.engine.map(show, batches(), lost), strict=True):
            self.tick()
            yield index, shown

    def _run(self, batches: Iterator[list[Item]], waiting: "deque[_Job]") -> Iterator[tuple[_Job, dict[str, bytes]]]:
        """Each chunk in its order, and the entries that were made for it."""

        def ready() -> Iterator[tuple[_Job, dict[str, bytes]]]:
            while waiting and waiting[0].is_ready:
                self.tick()
                yield waiting.popleft(), {}

        for result in self.engine.map(run, batches, self._on_crash):
            yield from ready()
            self.tick()
            job = waiting.popleft()
            if self._has_crashed:
                self._rename(job, result)
            for link, entry in result:
                self.journal.put(link.folder, job.name, entry)
            yield job, {link.folder: entry for link, entry in result}
        yield from ready()

    def _on_crash(self, item: Item) -> Item:
        self._has_crashed = True
        return crashed(item)

    def _rename(self, job: _Job, result: Result) -> None:
        """A chunk with a page that ended its process goes by another name: a later run shall try the page again."""
        self._has_crashed = False
        job.name = hashlib.sha256(f"crashed {job.name}".encode()).hexdigest()
        for link, entry in job.done:
            self.journal.put(link.folder, job.name, entry)
        job.extra = tuple(link for link, _ in result if link.name == "crash")

    def _has_all(self, rows: Sequence[Link], read_now: Sequence[Link], name: str) -> bool:
        return all(self.journal.has(link.folder, name) for link in rows) and all(
            self.journal.get(link.folder, name) is not None for link in read_now
        )

    def _prefix(self, links: Sequence[Link], name: str) -> tuple[tuple[Link, bytes], ...]:
        """The entries that the journal has without a gap."""
        found: list[tuple[Link, bytes]] = []
        for link in links:
            entry = self.journal.get(link.folder, name)
            if entry is None:
                break
            found.append((link, entry))
        return tuple(found)

    def _entries(self, state: State) -> tuple[tuple[Link, bytes], ...]:
        return tuple((link, self._get(link, name)) for links, name in state.parts for link in links)

    def _get(self, link: Link, name: str) -> bytes:
        entry = self.journal.get(link.folder, name)
        if entry is None:
            raise JournalError(f"{link.folder}/{name} is damaged or gone from {self.journal.folder}")
        return entry

    @staticmethod
    def _stored(job: _Job, links: Sequence[Link], lines: SharedFile | None = None) -> list[Item]:
        story = Story((*job.before, *job.done), tuple(links[len(job.done) :]), lines)
        return [Stored(story, number) for number in range(job.num_pages)]


def _verdict_row(verdict: Verdict) -> Row:
    if verdict.drop:
        return drop_row("dedup", verdict.drop)
    return {"metadata": {"cluster_size": verdict.cluster_size, "copies": verdict.copies}}
