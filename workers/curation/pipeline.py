"""Curation from raw documents to kept ones: read, extract, identify, filter, deduplicate, clean.

The folder that comes out:
    documents.jsonl.zst   kept documents in input order, one JSON object a line: fields of `Document`
    samples.jsonl         kept and dropped documents with the verdict: fields of `app.schemas.Sample`
    clusters.jsonl        duplicate clusters: the largest, and some of the others, with members side by side
    histograms.json       each rule's figure over the documents that reached it, its threshold an edge
    rejects.jsonl         records that could not be read: source, reason, detail
    inputs.jsonl          files of the input: path, num_bytes, sha256
    statistics.json       documents, dropped, rejects, funnel, sources, lengths, dedup, lineage
It is the same, byte by byte, for any number of processes, on any engine, and however often the run was killed: what was
done stands in the journal, by chunk of the input and by stage, and is not done again.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from workers.curation.chain import Chain
from workers.curation.chunks import Chunk, Record, Records, count_all, dump_plan, load_plan
from workers.curation.dedup import Deduplicator, Verdict
from workers.curation.engine import Engine, build_engine, prepare_engine
from workers.curation.fingerprint import describe_files, documents_fingerprint, package_versions, spec_digest
from workers.curation.folder import CurationError, StoppedError, whole_folder
from workers.curation.journal import Journal, frame_of
from workers.curation.lines import FrameWriter, write_json, write_lines
from workers.curation.passes import JournalError, Passes
from workers.curation.readers import list_files, resolve_input
from workers.curation.results import Results
from workers.curation.signatures import load_signatures
from workers.curation.stages import Settings, set_up
from workers.curation.statistics import largest_sources
from workers.reporter import Reporter
from workers.specs.curation import CurationSpec
from workers.storage import file_sha256

JOURNAL = "curation-journal"
_COMMAND_SECONDS = 1.0
_PLANS = "plans"

__all__ = ["CurationError", "StoppedError", "curate", "fingerprint"]


def fingerprint(spec: CurationSpec, home: Path) -> str:
    """SHA-256 (hex) of the spec's relevant part, the input's content and the code. Raises InputError without input."""
    root = resolve_input(spec.input, home)
    return documents_fingerprint(spec, describe_files(root, list_files(root)))


def curate(
    spec: CurationSpec,
    *,
    home: Path,
    out: Path,
    reporter: Reporter,
    journal: Path | None = None,
    scorers: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Curate into the folder `out`, which appears only when whole. Returns what statistics.json holds.

    `journal`: where finished work is kept for later attempts and runs, `<home>/curation-journal` when none is given.
    `scorers`: folders of the quality scorers that the spec names by digest.

    Raises InputError when there is no input, CurationError when nothing was kept or too much was unreadable,
    StoppedError when a command said stop, EngineError or WorkersEndError when the engine cannot do it.
    """
    prepare_engine(spec)
    kept = Journal((journal or home / JOURNAL).absolute())
    kept.sweep()
    for is_last in (False, True):
        run = _Run(spec, home, reporter, kept, dict(scorers or {}))
        try:
            statistics = run.write(out)
            break
        except JournalError as error:
            if is_last:
                raise CurationError(f"{error}: does something else write there? Then start again") from error
            num_removed = kept.remove_damaged()
            reporter.log(f"{error}; {num_removed} damaged entries are removed and worked out again", "warning")
    kept.sweep()
    num_read, num_kept = run.num_read, sum(statistics["documents"]["kept"].values())
    reporter.event("stage", f"{num_kept} of {num_read} documents kept", stage="documents")
    return statistics


class _Run:
    """One curation under way."""

    def __init__(
        self, spec: CurationSpec, home: Path, reporter: Reporter, journal: Journal, scorers: dict[str, Path]
    ) -> None:
        self.spec, self.home, self.reporter, self.journal, self.scorers = spec, home, reporter, journal, scorers
        self.root = resolve_input(spec.input, home)
        self.files = list_files(self.root)
        self.described = describe_files(self.root, self.files)
        sizes = [(file.path, file.num_bytes) for file in self.described]
        self.chain = Chain(spec)
        self.sources = largest_sources(sizes)
        self.records = Records(self.root, self.files, [size for _, size in sizes], spec)
        self.num_read = 0
        self._looked = time.monotonic()

    def write(self, out: Path) -> dict[str, Any]:
        """Do it all into the folder `out`."""
        folders = tuple((digest, str(path)) for digest, path in sorted(self.scorers.items()))
        settings = Settings(self.spec, tuple(self.chain.first), folders, str(self.home.absolute()))
        with whole_folder(out) as folder, build_engine(self.spec, set_up, (settings,)) as engine:
            with Results(self.spec, folder, self.sources) as results:
                statistics = self._work(engine, folder, results)
            statistics["lineage"] = {
                "fingerprint": documents_fingerprint(self.spec, self.described),
                "spec": spec_digest(self.spec),
                "input": {"num_files": len(self.described), "num_bytes": sum(f.num_bytes for f in self.described)},
                "versions": package_versions(),
            }
            write_lines(folder / "inputs.jsonl", map(asdict, self.described))
            write_json(folder / "statistics.json", statistics)
        self.num_read = results.statistics.num_read
        self.reporter.metrics(self.num_read, results.statistics.as_metrics())
        return statistics

    def _work(self, engine: Engine, folder: Path, results: Results) -> dict[str, Any]:
        where = f"the {len(self.files)} files of {self.root}"
        passes = Passes(engine, self.journal, self._look_up)
        dedup = Deduplicator(self.spec.dedup, folder / "dedup")
        self._first_pass(passes, dedup, results)
        results.check_rejects(at_end=True)
        results.check_kept(results.num_signed, where)
        self._second_pass(engine, passes, dedup, results, folder / "documents.jsonl.zst")
        results.check_kept(results.statistics.num_kept, where)
        statistics = results.statistics.as_dict() | {"dedup": dedup.statistics()}
        dedup.close()
        self._third_pass(passes, results)
        return statistics

    def _first_pass(self, passes: Passes, dedup: Deduplicator, results: Results) -> None:
        self.reporter.event("stage", "extract and filter", stage="extract")
        key = self.chain.plan_key([[file.path, file.num_bytes, file.sha256] for file in self.described])
        plan = self.journal.get(_PLANS, key)
        chunks, counts = load_plan(plan) if plan else ([], [])
        self._spread(counts)
        if plan:
            self.records.num_wanted = sum(chunk.num_records for chunk in chunks)
        source = self._planned(chunks) if plan else self._cut(chunks)
        for number, (summary, signatures) in enumerate(passes.first(self.chain.first, source, self.records.read)):
            results.add_first(summary, number)
            for signature in load_signatures(signatures):
                dedup.add(signature)
            num_read = results.statistics.num_read
            self.reporter.progress("extract", num_read, max(self.records.expected(), num_read + 1), "documents")
        if not plan:
            self.journal.put(_PLANS, key, dump_plan(chunks, self.records.counts))
        num_read, num_chunks = results.statistics.num_read, len(passes.states)
        self.reporter.progress("extract", num_read, num_read, "documents")
        self.reporter.event(
            "stage",
            f"{passes.num_whole} of {num_chunks} chunks from the journal, and the beginning of {passes.num_part}",
            stage="journal",
            chunks=num_chunks,
            whole=passes.num_whole,
            part=passes.num_part,
        )

    def _spread(self, counts: list[int]) -> None:
        """Which records are read of all, when not all are."""
        if self.spec.max_documents is None:
            return
        if not counts:
            for done, count in enumerate(count_all(self.files, self.root, self.spec), start=1):
                counts.append(count)
                self._look_up()
                self.reporter.progress("read", done, len(self.files), "files")
        self.records.spread(counts, self.spec.max_documents)

    def _cut(self, chunks: list[Chunk]) -> Iterator[tuple[Chunk, list[Record]]]:
        for chunk, records in self.records.cut():
            chunks.append(chunk)
            self._look_up()
            yield chunk, records

    def _planned(self, chunks: list[Chunk]) -> Iterator[tuple[Chunk, None]]:
        for chunk in chunks:
            self._look_up()
            yield chunk, None

    def _second_pass(self, engine: Engine, passes: Passes, dedup: Deduplicator, results: Results, path: Path) -> None:
        self.reporter.event("stage", "deduplicate and clean", stage="dedup")
        lines = dedup.line_index()
        links = self.chain.second(file_sha256(lines) if lines else "")
        verdicts = enumerate(dedup.verdicts())

        def take(chunk: int, count: int) -> list[Verdict]:
            taken = []
            for ordinal, (position, verdict) in enumerate(islice(verdicts, count)):
                results.clusters.watch(verdict, position, chunk, ordinal)
                taken.append(verdict)
            return taken

        done = 0
        with FrameWriter(path) as writer:
            shared = engine.share(lines) if lines else None
            for number, (summary, documents) in passes.second(links, take, shared):
                results.add_second(summary, number)
                writer.write(frame_of(documents))
                done += summary["pages"]
                self.reporter.progress("clean", done, results.num_signed, "documents")

    def _third_pass(self, passes: Passes, results: Results) -> None:
        pages, ordinals = results.picks.by_chunk(), results.clusters.by_chunk()
        total = len(pages.keys() | ordinals.keys())

        def told() -> Iterator[Any]:
            for done, found in enumerate(passes.third(pages, ordinals, self.spec.pii), start=1):
                self.reporter.progress("samples", done, total, "chunks")
                yield found

        results.write_shown(told())

    def _look_up(self) -> None:
        """Once a second: has a person asked to stop, or is this attempt over (FencedError)?"""
        elapsed = time.monotonic() - self._looked
        if elapsed < _COMMAND_SECONDS:
            return
        self._looked += elapsed
        for command in self.reporter.commands():
            self.reporter.ack(command.id)
            if command.kind == "stop":
                raise StoppedError("stopped by command; what is done stands in the journal")
