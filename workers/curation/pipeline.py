"""Curation from raw documents to kept ones: read, extract, identify, filter, deduplicate, clean.

The folder that comes out:
    documents.jsonl.zst   kept documents in input order, one JSON object a line: fields of `Document`
    samples.jsonl         kept and dropped documents with the verdict: fields of `app.schemas.Sample`
    rejects.jsonl         records that could not be read: source, reason, detail
    inputs.jsonl          files of the input: path, num_bytes, sha256
    statistics.json       documents, dropped, rejects, funnel, lineage
It is the same, byte by byte, for any number of processes.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from workers.curation.dedup import Deduplicator, Verdicts
from workers.curation.document import Document, RawRecord, Reject
from workers.curation.fingerprint import describe_files, documents_fingerprint, package_versions, spec_digest
from workers.curation.folder import CurationError, StoppedError, whole_folder
from workers.curation.lines import LineWriter, read_lines, write_json, write_lines
from workers.curation.processes import Processes
from workers.curation.readers import list_files, resolve_input
from workers.curation.records import Selection, batches, select
from workers.curation.samples import Sample, Samples, make_sample
from workers.curation.stages import Outcome, crashed, run_first_pass, run_second_pass, set_up, stage_names
from workers.curation.statistics import Statistics
from workers.reporter import Reporter
from workers.specs.curation import CurationSpec

_MIN_RECORDS_TO_JUDGE = 50
_COMMAND_SECONDS = 1.0

__all__ = ["CurationError", "StoppedError", "curate", "fingerprint"]


def fingerprint(spec: CurationSpec, home: Path) -> str:
    """SHA-256 (hex) of the spec's relevant part, the input's content and the code. Raises InputError without input."""
    root = resolve_input(spec.input, home)
    return documents_fingerprint(spec, describe_files(root, list_files(root)))


def curate(spec: CurationSpec, *, home: Path, out: Path, reporter: Reporter) -> dict[str, Any]:
    """Curate into the folder `out`, which appears only when whole. Returns what statistics.json holds.

    Raises InputError when there is no input, CurationError when nothing was kept or too much was unreadable,
    StoppedError when a command said stop.
    """
    root = resolve_input(spec.input, home)
    files = list_files(root)
    described = describe_files(root, files)
    with whole_folder(out) as folder:
        run = _Run(spec, folder, reporter, select(root, files, spec, reporter))
        run.work()
        statistics = run.statistics.as_dict()
        statistics["lineage"] = {
            "fingerprint": documents_fingerprint(spec, described),
            "spec": spec_digest(spec),
            "input": {"num_files": len(described), "num_bytes": sum(f.num_bytes for f in described)},
            "versions": package_versions(),
        }
        write_lines(folder / "inputs.jsonl", map(asdict, described))
        write_lines(folder / "samples.jsonl", run.samples)
        write_json(folder / "statistics.json", statistics)
    reporter.metrics(run.statistics.num_read, run.statistics.as_metrics())
    reporter.event("stage", f"{run.statistics.num_kept} of {run.statistics.num_read} documents kept", stage="documents")
    return statistics


class _Run:
    """One curation under way: two passes over processes, with dedup between them."""

    def __init__(self, spec: CurationSpec, folder: Path, reporter: Reporter, selection: Selection) -> None:
        self.spec, self.folder, self.reporter, self.selection = spec, folder, reporter, selection
        self.statistics = Statistics(stage_names(spec))
        self.samples = Samples(spec.samples_per_rule)
        self.deduplicator = Deduplicator(spec.dedup)
        self.rejects: list[Reject] = []
        self.num_signed = 0
        self._looked = time.monotonic()

    def work(self) -> None:
        """All stages."""
        candidates = self.folder / "candidates.jsonl.zst"
        pool: Processes[Any, Outcome] = Processes(self.spec.num_processes, set_up, (self.spec.model_dump_json(),))
        with pool:
            self._first_pass(pool, candidates)
            self._check_rejects(at_end=True)
            self._check_kept(self.num_signed)
            self._second_pass(pool, candidates)
        self._check_kept(self.statistics.num_kept)
        candidates.unlink()
        write_lines(self.folder / "rejects.jsonl", map(asdict, self.rejects))

    def _first_pass(self, pool: "Processes[RawRecord | Reject, Outcome]", path: Path) -> None:
        self.reporter.event("stage", "extract and filter", stage="extract")
        with LineWriter(path) as writer:
            for outcomes in pool.map(run_first_pass, batches(self.selection.records()), crashed):
                for outcome in outcomes:
                    self._count(outcome)
                    if outcome.signature is not None:
                        self.num_signed += 1
                        self.deduplicator.add(outcome.signature)
                        writer.write(outcome.line)
                self._check_rejects()
                self._look_up()
                self.reporter.progress("extract", self.statistics.num_read, self.selection.num_wanted, "documents")

    def _second_pass(self, pool: "Processes[bytes, Outcome]", path: Path) -> None:
        self.reporter.event("stage", "deduplicate and clean", stage="dedup")
        verdicts = self.deduplicator.verdicts()
        remaining = self._without_duplicates(path, verdicts)
        done = 0
        with LineWriter(self.folder / "documents.jsonl.zst") as writer:
            for outcomes in pool.map(run_second_pass, batches(remaining), crashed):
                for outcome in outcomes:
                    self._count(outcome)
                    if outcome.line:
                        writer.write(outcome.line)
                done += len(outcomes)
                self._look_up()
                self.reporter.progress("clean", done, verdicts.num_kept, "documents")

    def _without_duplicates(self, path: Path, verdicts: Verdicts) -> Iterator[bytes]:
        """Lines of the candidates that dedup keeps; the others are counted here."""
        pairs = zip(verdicts.drops, verdicts.cluster_sizes, strict=True)
        for number, (line, (drop, size)) in enumerate(zip(read_lines(path), pairs, strict=True), start=1):
            self.reporter.progress("dedup", number, self.num_signed, "documents")
            document = Document(**orjson.loads(line))
            if drop is None:
                document.metadata["cluster_size"] = size
                yield orjson.dumps(document)
            else:
                self._sample("dedup", make_sample(document, document.text, drop))

    def _count(self, outcome: Outcome) -> None:
        for stage, num_bytes in outcome.passed:
            self.statistics.keep(stage, outcome.language, num_bytes)
        if outcome.reject:
            self.rejects.append(outcome.reject)
            self.statistics.reject(outcome.reject.reason)
        if outcome.sample:
            self._sample(outcome.stage, outcome.sample)

    def _sample(self, stage: str, sample: Sample) -> None:
        self.samples.add(sample)
        if sample["rule"]:
            self.statistics.drop(stage, sample["rule"], sample["language"])

    def _look_up(self) -> None:
        """Once a second: has a person asked to stop, or is this attempt over (FencedError)?"""
        elapsed = time.monotonic() - self._looked
        if elapsed < _COMMAND_SECONDS:
            return
        self._looked += elapsed
        for command in self.reporter.commands():
            self.reporter.ack(command.id)
            if command.kind == "stop":
                raise StoppedError("stopped by command; nothing was kept")

    def _check_rejects(self, at_end: bool = False) -> None:
        num_read, num_rejects = self.statistics.num_read, len(self.rejects)
        if num_rejects <= self.spec.limits.max_reject_share * num_read:
            return
        if at_end or num_read >= _MIN_RECORDS_TO_JUDGE:
            reasons = ", ".join(f"{reason}: {n}" for reason, n in self.statistics.rejects.most_common(3))
            example = self.rejects[0]
            raise CurationError(
                f"{num_rejects} of {num_read} records could not be read ({reasons}), more than "
                f"limits.max_reject_share = {self.spec.limits.max_reject_share:g} allows; the first is "
                f"{example.source}: {example.detail or example.reason}. Mend or remove these files, or raise the share"
            )

    def _check_kept(self, num_left: int) -> None:
        if num_left:
            return
        if not self.statistics.num_read:
            raise CurationError(
                f"there is no document in the {len(self.selection.files)} files of {self.selection.root}"
            )
        rule, count = self.statistics.worst_rule()
        raise CurationError(
            f"none of {self.statistics.num_read} documents was kept; {rule} dropped most of them ({count}): "
            "loosen or remove that rule, or look whether the input is what you meant"
        )
