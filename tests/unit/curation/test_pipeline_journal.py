"""What a run takes from the journal, what it works on anew, and that neither shows in what comes out."""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import zstandard
from inline import Inline, build_inline
from prose import ENGLISH, GERMAN, prose

from workers.curation import chunks, pipeline
from workers.curation.extractors.plain import PlainExtractor
from workers.curation.filters.c4_quality import C4QualityFilter
from workers.curation.filters.gopher_quality import GopherQualityFilter
from workers.curation.filters.url import UrlFilter
from workers.curation.journal import Journal
from workers.curation.pipeline import curate
from workers.curation.stages import Stored
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, Dedup, LanguageIdentification, Pii
from workers.specs.curation.filters import C4Quality, Filter, GopherQuality, Url
from workers.specs.curation.inputs import FolderInput

T = TypeVar("T")
R = TypeVar("R")
NUM_RECORDS, NUM_CHUNKS = 24, 6


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Work that was really done, by kind."""
    counts: Counter[str] = Counter()

    def count(plugin: type, method: str) -> None:
        real = getattr(plugin, method)

        def counted(self: Any, *arguments: Any) -> Any:
            counts[plugin.__name__] += 1
            return real(self, *arguments)

        monkeypatch.setattr(plugin, method, counted)

    count(PlainExtractor, "extract")
    for plugin in (UrlFilter, GopherQualityFilter, C4QualityFilter):
        count(plugin, "judge")
    monkeypatch.setattr(pipeline, "build_engine", build_inline)
    monkeypatch.setattr(chunks, "MAX_RECORDS", 4)
    return counts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "input"
    folder.mkdir()
    rows = [
        {"text": prose(seed, ENGLISH if seed % 3 else GERMAN), "url": f"https://example.org/{seed}"}
        for seed in range(NUM_RECORDS - 2)
    ]
    rows.insert(5, {"text": rows[4]["text"], "url": "https://example.org/again"})
    rows.insert(9, {"text": "Too short, but the best of them.", "url": "https://blocked.example/9"})
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def run(
    root: Path, out: Path, filters: list[Filter], journal: Path | None = None, **changes: Any
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The journal's event, and all files that came out."""
    spec = CurationSpec(
        input=FolderInput(path=str(root)),
        language=LanguageIdentification(languages=["en", "de"], min_score=0.3),
        filters=filters,
        **changes,
    )
    reporter = MemoryReporter()
    curate(spec, home=out.parent, out=out, reporter=reporter, journal=journal)
    reporter.flush()
    event = next(e for e in reporter.batch.events if e.data.get("stage") == "journal")
    return event.data, {path.name: path.read_bytes() for path in sorted(out.iterdir())}


URL = Url(blocked_domains=["blocked.example"])
RULES: list[Filter] = [URL, GopherQuality(languages=["en"]), C4Quality(languages=["en"])]


def test_a_second_run_works_on_nothing_and_gives_the_same_bytes(
    root: Path, tmp_path: Path, calls: Counter[str]
) -> None:
    event, first = run(root, tmp_path / "one", RULES)
    assert event == {"stage": "journal", "chunks": NUM_CHUNKS, "whole": 0, "part": 0}
    assert calls["PlainExtractor"] == NUM_RECORDS - 1  # the blocked page was never opened
    calls.clear()
    event, second = run(root, tmp_path / "two", RULES)
    assert not calls
    assert (event["whole"], event["part"]) == (NUM_CHUNKS, 0)
    assert second == first


def test_a_changed_filter_costs_what_follows_it(root: Path, tmp_path: Path, calls: Counter[str]) -> None:
    run(root, tmp_path / "one", RULES)
    num_quality, num_c4 = calls["GopherQualityFilter"], calls["C4QualityFilter"]
    calls.clear()
    changed: list[Filter] = [URL, GopherQuality(languages=["en"]), C4Quality(languages=["en"], min_sentences=2)]
    event, found = run(root, tmp_path / "two", changed)
    assert calls == {"C4QualityFilter": num_c4}
    assert (event["whole"], event["part"]) == (0, NUM_CHUNKS)
    assert found == run(root, tmp_path / "fresh", changed, journal=tmp_path / "empty")[1]
    calls.clear()
    run(root, tmp_path / "three", [URL, GopherQuality(languages=["en"], min_words=40), C4Quality(languages=["en"])])
    assert calls == {"GopherQualityFilter": num_quality, "C4QualityFilter": num_c4}


@pytest.mark.parametrize(
    "change",
    [{"samples_per_rule": 3}, {"dedup": Dedup(rehydrate=True, copies={1: 1, 2: 2})}, {"pii": Pii(ips=False)}],
    ids=["samples", "copies", "pii"],
)
def test_what_comes_after_the_filters_costs_no_judgement(
    root: Path, tmp_path: Path, calls: Counter[str], change: dict[str, Any]
) -> None:
    run(root, tmp_path / "one", RULES)
    calls.clear()
    found = run(root, tmp_path / "two", RULES, **change)[1]
    assert not calls
    assert found == run(root, tmp_path / "fresh", RULES, journal=tmp_path / "empty", **change)[1]


def test_dedup_first_keeps_verdicts_for_chunks_that_lost_the_same_pages(
    root: Path, tmp_path: Path, calls: Counter[str]
) -> None:
    dedup = Dedup(before_filters=True)
    first = run(root, tmp_path / "one", RULES, dedup=dedup)[1]
    judged = calls["C4QualityFilter"]
    calls.clear()
    assert run(root, tmp_path / "two", RULES, dedup=dedup)[1] == first
    assert not calls
    changed: list[Filter] = [*RULES[:2], C4Quality(languages=["en"], min_sentences=2)]
    run(root, tmp_path / "three", changed, dedup=dedup)
    assert calls == {"C4QualityFilter": judged}


def test_a_grown_input_costs_the_new_file(root: Path, tmp_path: Path, calls: Counter[str]) -> None:
    run(root, tmp_path / "one", RULES)
    calls.clear()
    (root / "b.txt").write_text(prose(99, ENGLISH))
    event, _ = run(root, tmp_path / "two", RULES)
    assert (event["chunks"], event["whole"]) == (NUM_CHUNKS + 1, NUM_CHUNKS)
    assert calls["PlainExtractor"] == 1


def test_a_changed_list_file_is_a_changed_filter(root: Path, tmp_path: Path, calls: Counter[str]) -> None:
    listed = tmp_path / "hosts.txt"
    listed.write_text("blocked.example\n")
    rules: list[Filter] = [Url(list_files=[str(listed)])]
    assert b"url.blocked_domains" in run(root, tmp_path / "one", rules)[1]["samples.jsonl"]
    listed.write_text("another.example\n")
    assert b"url.blocked_domains" not in run(root, tmp_path / "two", rules)[1]["samples.jsonl"]
    assert calls["UrlFilter"] == 2 * NUM_RECORDS


def test_damaged_entries_are_worked_out_again(root: Path, tmp_path: Path, calls: Counter[str]) -> None:
    first = run(root, tmp_path / "one", RULES, journal=tmp_path / "journal")[1]
    entries = [path for path in (tmp_path / "journal").rglob("*") if path.is_file()]
    for number, entry in enumerate(sorted(entries)):
        if number % 3 == 0:
            content = entry.read_bytes()
            entry.write_bytes(content[:-3] if number % 2 else content[:-1] + bytes([content[-1] ^ 1]))
    calls.clear()
    assert run(root, tmp_path / "two", RULES, journal=tmp_path / "journal")[1] == first
    assert 0 < calls["PlainExtractor"] < NUM_RECORDS


def test_a_journal_in_use_stays_within_its_size(root: Path, tmp_path: Path, calls: Counter[str]) -> None:
    folder = tmp_path / "journal"
    first = run(root, tmp_path / "one", RULES, journal=folder)[1]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    Journal(folder).sweep(max_bytes=size // 2)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= size // 2
    assert run(root, tmp_path / "two", RULES, journal=folder)[1] == first


class Crashing(Inline):
    """As if the fifth page of the input ended its process whenever it comes by with what is done up to `since`."""

    def __init__(self, since: str) -> None:
        self.since = since

    def map(
        self, function: Callable[[list[T]], R], batches: Iterable[list[T]], on_crash: Callable[[T], T]
    ) -> Iterator[R]:
        for number, batch in enumerate(batches):
            items = list(batch)
            if number == 1 and self._is_there(items[0]):
                items[0] = on_crash(items[0])
            yield function(items)

    def _is_there(self, item: object) -> bool:
        if not isinstance(item, Stored):
            return self.since == "start"
        return any(link.name == self.since for link, _ in item.story.done)


@pytest.mark.parametrize(
    ("since", "stage", "before_filters"),
    [
        ("start", "extract", False),
        ("base", "gopher_quality", False),
        ("dedup", "pii", False),
        ("dedup", "gopher_quality", True),
    ],
)
def test_a_page_that_ends_its_process_is_one_reject_wherever_it_does(
    root: Path,
    tmp_path: Path,
    calls: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    since: str,
    stage: str,
    before_filters: bool,
) -> None:
    dedup = Dedup(before_filters=before_filters)
    whole = run(root, tmp_path / "whole", RULES, dedup=dedup)[1]
    if since != "base":
        shutil.rmtree(tmp_path / "curation-journal")
    monkeypatch.setattr(pipeline, "build_engine", lambda *a: contextlib.nullcontext(start(*a)))

    def start(spec: CurationSpec, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> Crashing:
        initializer(*arguments)
        return Crashing(since)

    rules: list[Filter] = [URL, GopherQuality(languages=["en"], max_words=99_999), C4Quality(languages=["en"])]
    found = run(root, tmp_path / "out", rules, dedup=dedup)[1]
    assert [json.loads(line) for line in found["rejects.jsonl"].splitlines()] == [
        {
            "source": "a.jsonl#5",
            "reason": "process_crash",
            "detail": "the process that worked on it ended or took too long",
        }
    ]
    statistics, expected = (json.loads(files["statistics.json"]) for files in (found, whole))
    stages = [entry["stage"] for entry in statistics["funnel"]]
    gone = [
        sum(old["documents"].values()) - sum(new["documents"].values())
        for old, new in zip(expected["funnel"], statistics["funnel"], strict=True)
    ]
    # Its copy was dropped in its favour when it was alive until dedup; else the copy takes its place.
    is_replaced = since != "dedup"
    assert gone[: stages.index(stage)] == [0] * stages.index(stage)
    assert gone[-1] == (0 if is_replaced else 1)
    sources = [json.loads(text)["source"] for text in found["samples.jsonl"].splitlines()]
    assert "a.jsonl#5" not in sources
    assert (b"a.jsonl#6" in zstandard_text(found)) == is_replaced


def zstandard_text(files: dict[str, bytes]) -> bytes:
    """All documents."""
    stream = zstandard.ZstdDecompressor().stream_reader(files["documents.jsonl.zst"], read_across_frames=True)
    return stream.read()
