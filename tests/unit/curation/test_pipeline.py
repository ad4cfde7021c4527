"""The pipeline over a folder of mixed formats: what is kept and dropped and why, and that processes change nothing."""

import errno
import hashlib
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from inline import build_inline
from prose import ENGLISH, prose, write_folder

from workers.curation import pipeline
from workers.curation.folder import whole_folder
from workers.curation.lines import read_lines
from workers.curation.pipeline import CurationError, StoppedError, curate, fingerprint
from workers.curation.readers import InputError
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, Dedup, LanguageIdentification, Limits
from workers.specs.curation.extractors import Resiliparse
from workers.specs.curation.filters import GopherQuality, GopherRepetition
from workers.specs.curation.inputs import FolderInput
from workers.specs.events import Command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("input"))


def spec_for(root: Path, **changes: Any) -> CurationSpec:
    settings: dict[str, Any] = {
        "input": FolderInput(path=str(root)),
        "html_extractor": Resiliparse(),
        "language": LanguageIdentification(languages=["en", "de"], min_score=0.5),
        "filters": [
            GopherRepetition(max_duplicate_ngram_char_fraction={}, max_top_ngram_char_fraction={}),
            GopherQuality(languages=["en"]),
        ],
        "num_processes": 1,
    }
    return CurationSpec(**(settings | changes))


def run(root: Path, out: Path, **changes: Any) -> dict[str, Any]:
    """In this process: starting others is what takes the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "build_engine", build_inline)
        return curate(spec_for(root, **changes), home=out.parent, out=out, reporter=MemoryReporter())


def kept(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_lines(out / "documents.jsonl.zst")]


REPORTER = MemoryReporter()


@pytest.fixture(scope="module")
def curated(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("two") / "out"
    out.mkdir()
    (out / "old").write_text("of an earlier run")
    curate(spec_for(folder, num_processes=2), home=out.parent, out=out, reporter=REPORTER)
    return out


def test_each_document_is_kept_or_goes_for_its_reason(curated: Path) -> None:
    statistics = json.loads((curated / "statistics.json").read_text())
    assert statistics["documents"] == {"read": 12, "kept": {"de": 2, "en": 4}}
    assert statistics["dropped"] == {
        "language.not_wanted": {"cs": 1},
        "gopher_repetition.max_duplicate_line_fraction": {"en": 1},
        "gopher_quality.min_words": {"en": 1},
        "dedup.exact": {"en": 1},
        "dedup.minhash": {"de": 1},
    }
    assert list(statistics["rejects"].values()) == [1]
    reject = json.loads((curated / "rejects.jsonl").read_text())
    assert reject["source"].startswith("g.pdf")


def test_the_funnel_narrows_and_ends_with_what_is_there(curated: Path) -> None:
    statistics = json.loads((curated / "statistics.json").read_text())
    funnel = statistics["funnel"]
    stages = ["read", "extract", "language", "gopher_repetition", "gopher_quality", "dedup", "pii"]
    assert [stage["stage"] for stage in funnel] == stages
    for before, after in itertools.pairwise(funnel):
        gone = sum(sum(n.values()) for n in after["dropped"].values())
        gone += sum(statistics["rejects"].values()) if after["stage"] == "extract" else 0
        assert sum(before["documents"].values()) - gone == sum(after["documents"].values())
    sizes: dict[str, int] = {}
    for document in kept(curated):
        sizes[document["language"]] = sizes.get(document["language"], 0) + len(document["text"].encode())
    assert funnel[-1]["bytes"] == sizes


def test_documents_carry_origin_language_cluster_and_no_addresses(curated: Path) -> None:
    documents = {document["source"]: document for document in kept(curated)}
    german = next(d for source, d in documents.items() if source.startswith("b.txt"))
    assert german["language"] == "de"
    assert german["language_score"] > 0.5
    assert german["metadata"]["cluster_size"] == 2
    assert german["text"].endswith("Schreibt an email@example.com oder 22.214.171.124.")
    assert {d["url"] for d in documents.values()} >= {"https://example.org/4", "https://example.org/6"}
    assert len({d["id"] for d in documents.values()}) == len(documents)


def test_the_funnel_knows_the_sources(curated: Path) -> None:
    statistics = json.loads((curated / "statistics.json").read_text())
    read, *_, last = statistics["funnel"]
    assert {name: entry["documents"] for name, entry in read["sources"].items()} == {
        "a.html": 1, "b.txt": 1, "c.md": 1, "e.parquet": 2, "f.warc.gz": 2, "g.pdf": 1, "sub": 4,
    }  # fmt: skip
    for stage in statistics["funnel"]:
        for name in ("documents", "bytes"):
            assert sum(entry[name] for entry in stage["sources"].values()) == sum(stage[name].values())
    assert last["sources"].keys() == statistics["sources"].keys()
    words = sum(sum(entry["words"].values()) for entry in statistics["sources"].values())
    assert words == sum(len(re.findall(r"\w+", document["text"])) for document in kept(curated))
    counts = statistics["lengths"]["documents"]
    assert {language: sum(bins) for language, bins in counts.items()} == statistics["documents"]["kept"]


def test_histograms_count_each_document_that_reached_a_rule_and_split_at_the_threshold(curated: Path) -> None:
    histograms = {(h["rule"], h["language"]): h for h in json.loads((curated / "histograms.json").read_text())}
    words = histograms["gopher_quality.min_words", "en"]
    assert (words["bound"], words["threshold"]) == ("min", 50.0)
    cut = words["edges"].index(50.0)
    assert sum(words["documents"]) == 6  # the seventh English document ended in the filter before
    assert sum(words["documents"][:cut]) == 1
    assert words["bytes"][words["documents"].index(1)] < 100
    repeated = histograms["gopher_repetition.max_duplicate_line_fraction", "en"]
    cut = repeated["edges"].index(0.3)
    assert (repeated["bound"], sum(repeated["documents"][cut:]), sum(repeated["documents"])) == ("max", 1, 7)
    assert ("gopher_quality.min_words", "de") not in histograms
    assert sum(histograms["language.min_score", "en"]["documents"]) == 7


def test_clusters_stand_side_by_side_the_kept_one_first(curated: Path) -> None:
    clusters = [json.loads(line) for line in (curated / "clusters.jsonl").read_text().splitlines()]
    assert [(c["language"], c["size"], [m["kept"] for m in c["members"]]) for c in clusters] == [
        ("en", 2, [True, False]),
        ("de", 2, [True, False]),
    ]
    english, german = ([m["source"] for m in cluster["members"]] for cluster in clusters)
    assert english == ["a.html", "sub/d.jsonl#2"]
    assert [source.split("#")[0] for source in german] == ["b.txt", "e.parquet"]
    kept_one, dropped_one = clusters[1]["members"]
    assert "email@example.com" in kept_one["text"]
    assert kept_one["similarity"] is None
    assert 0.7 < dropped_one["similarity"] < 1


def test_personal_data_is_not_shown_in_samples_of_dropped_documents(tmp_path: Path) -> None:
    root = tmp_path / "input"
    root.mkdir()
    (root / "good.txt").write_text(prose(1, ENGLISH))
    line = "Write to miller@mill.org today."
    (root / "bad.txt").write_text("\n".join([prose(2, ENGLISH, 1), *[line] * 20, "or to baker@bread.org"]))
    lines_alone = GopherRepetition(max_duplicate_ngram_char_fraction={}, max_top_ngram_char_fraction={})
    run(root, tmp_path / "out", filters=[lines_alone])
    samples = [json.loads(text) for text in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    dropped = next(sample for sample in samples if sample["rule"])
    assert dropped["source"] == "bad.txt"
    assert "miller@mill.org" not in dropped["text"]
    assert "baker@bread.org" not in dropped["text"]
    start, end = dropped["span"]
    assert dropped["text"][start:end].startswith("Write to ")


def test_samples_show_text_rule_and_figure(curated: Path) -> None:
    samples = [json.loads(line) for line in (curated / "samples.jsonl").read_text().splitlines()]
    assert [s["rule"] for s in samples].count(None) == 6
    repeated = next(s for s in samples if s["rule"] == "gopher_repetition.max_duplicate_line_fraction")
    assert repeated["figure"] > repeated["threshold"] == 0.3
    assert repeated["text"][slice(*repeated["span"])] == "The same line comes back again and again here."
    from app.schemas import Sample  # the contract with the browser

    for sample in samples:
        assert Sample.model_validate(sample).model_dump(mode="json") == sample


def test_any_number_of_processes_gives_the_same_bytes(folder: Path, curated: Path, tmp_path: Path) -> None:
    run(folder, tmp_path / "out", num_processes=1)
    files = sorted(path.name for path in curated.iterdir())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == files
    assert files == [
        "clusters.jsonl", "documents.jsonl.zst", "histograms.json", "inputs.jsonl", "rejects.jsonl", "samples.jsonl",
        "statistics.json",
    ]  # fmt: skip
    for name in files:
        assert (tmp_path / "out" / name).read_bytes() == (curated / name).read_bytes(), name


def test_dedup_first_keeps_the_same_documents_here_but_counts_in_its_order(
    folder: Path, curated: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    statistics = run(folder, out, dedup=Dedup(before_filters=True))
    assert [d["id"] for d in kept(out)] == [d["id"] for d in kept(curated)]
    assert [s["stage"] for s in statistics["funnel"]][3:5] == ["dedup", "gopher_repetition"]


def test_max_documents_are_spread_over_the_input(folder: Path, tmp_path: Path) -> None:
    statistics = run(folder, tmp_path / "out", max_documents=6)
    assert statistics["documents"]["read"] == 6
    assert len({d["source"].split("#")[0] for d in kept(tmp_path / "out")}) >= 3


def test_everything_dropped_names_the_rule(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CurationError, match=r"none of 12 documents was kept; gopher_quality\.min_words dropped most"):
        run(folder, tmp_path / "out", filters=[GopherQuality(min_words=90_000)])
    assert not (tmp_path / "out").exists()


def test_too_many_unreadable_records_stop_the_run(tmp_path: Path) -> None:
    root = tmp_path / "input"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.pdf").write_bytes(b"%PDF-1.4 nothing")
    (root / "good.txt").write_text(prose(1, ENGLISH))
    with pytest.raises(CurationError, match=r"3 of 4 records could not be read .*max_reject_share = 0.5"):
        run(root, tmp_path / "out")
    statistics = run(root, tmp_path / "out", limits=Limits(max_reject_share=0.75))
    assert statistics["documents"]["kept"] == {"en": 1}


def test_no_input_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run(tmp_path / "missing", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        run(tmp_path / "empty", tmp_path / "out")


def test_a_stop_command_ends_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.curation.pipeline._COMMAND_SECONDS", 0.0)
    reporter = MemoryReporter()
    reporter.pending.append(Command(id="1", kind="stop"))
    with pytest.raises(StoppedError):
        curate(spec_for(folder), home=tmp_path, out=tmp_path / "out", reporter=reporter)
    reporter.flush()
    assert reporter.batch.acks == ["1"]
    assert not (tmp_path / "out").exists()


def test_fingerprint_follows_content_and_spec_not_place_or_processes(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "a.html").write_bytes((folder / "a.html").read_bytes())
    first = fingerprint(spec_for(moved), tmp_path)
    other = tmp_path / "other"
    moved.rename(other)
    assert fingerprint(spec_for(other, num_processes=2, name="x"), tmp_path) == first
    assert fingerprint(spec_for(other, repair_text=False), tmp_path) != first
    (other / "a.html").write_bytes((folder / "a.html").read_bytes() + b" ")
    assert fingerprint(spec_for(other), tmp_path) != first


@pytest.mark.usefixtures("curated")
def test_counts_of_each_rule_are_series_and_progress_is_told() -> None:
    assert REPORTER.series("documents/kept/en") == [(12, 4.0)]
    assert REPORTER.series("documents/dropped/dedup.exact") == [(12, 1.0)]
    ends = {e.data["stage"]: (e.data["done"], e.data["total"]) for e in REPORTER.batch.events if e.kind == "progress"}
    chunks = ends.pop("samples")
    assert chunks[0] == chunks[1] > 0
    assert ends == {"extract": (12, 12), "clean": (8, 8)}


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CurationError, match="no space left"), whole_folder(tmp_path / "out") as partial:
        (partial / "some").write_text("bytes")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_an_earlier_run_is_replaced_and_nothing_half_written_stays(curated: Path) -> None:
    assert not (curated / "old").exists()
    assert sorted(path.name for path in curated.parent.iterdir()) == ["curation-journal", "out"]
    ids = [hashlib.sha256(d["source"].encode()).hexdigest() for d in kept(curated)]
    assert ids == [d["id"] for d in kept(curated)]
