"""Bad input through the whole pipeline: the record is counted and kept with its reason, and the rest goes on."""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inline import build_inline
from prose import ENGLISH, page, prose, warc

from workers.curation import pipeline
from workers.curation.lines import read_lines
from workers.curation.pipeline import CurationError, curate
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, LanguageIdentification, Limits
from workers.specs.curation.extractors import Resiliparse
from workers.specs.curation.inputs import FolderInput
from workers.specs.curation.quality import QualityScore

Written = Callable[[Path], None]


def truncated_gzip(folder: Path) -> None:
    (folder / "bad.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": prose(7, ENGLISH)}).encode() * 3)[:-20])


def truncated_warc(folder: Path) -> None:
    pages = {f"https://example.org/{n}": page(prose(20 + n, ENGLISH)) for n in range(3)}
    (folder / "bad.warc.gz").write_bytes(warc(pages)[:-200])


def wrong_length(folder: Path) -> None:
    content = gzip.decompress(warc({"https://example.org/": page(prose(20, ENGLISH))}))
    start = content.index(b"Content-Length: ") + len(b"Content-Length: ")
    end = content.index(b"\r", start)
    (folder / "bad.warc").write_bytes(content[:start] + b"17" + content[end:])


def bomb(folder: Path) -> None:
    (folder / "bad.txt.gz").write_bytes(gzip.compress(b"a" * 30_000_000, 9))


def binary_as_text(folder: Path) -> None:
    (folder / "bad.txt").write_bytes(bytes(range(256)) * 20)


def not_text_in_any_charset(folder: Path) -> None:
    (folder / "bad.html").write_bytes(
        b"<html><body><p>" + bytes([0x81, 0x8D, 0x01, 0x02] * 300) + b"</p></body></html>"
    )


def empty(folder: Path) -> None:
    (folder / "bad.html").write_bytes(b"")


def too_large(folder: Path) -> None:
    (folder / "bad.txt").write_bytes(b"words and words " * 7_000_000)  # 112 MB


def surrogates(folder: Path) -> None:
    (folder / "bad.jsonl").write_bytes(b'{"text": "half of a pair \\ud800 in a line of text"}\n')


def schema(folder: Path) -> None:
    pq.write_table(pa.table({"body": ["text in a column of another name"]}), folder / "bad.parquet")


def broken_parquet(folder: Path) -> None:
    (folder / "bad.parquet").write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1")


CASES: list[tuple[Written, str]] = [
    (truncated_gzip, "truncated_gzip"),
    (truncated_warc, "truncated_gzip"),
    (wrong_length, "corrupt_warc_record"),
    (bomb, "compression_bomb"),
    (binary_as_text, "nul_bytes"),
    (not_text_in_any_charset, "undecodable_text"),
    (empty, "empty"),
    (too_large, "too_large"),
    (surrogates, "bad_json"),
    (schema, "bad_schema"),
    (broken_parquet, "bad_parquet"),
]


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "build_engine", build_inline)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Two good documents, before and after the bad one."""
    root = tmp_path / "input"
    root.mkdir()
    (root / "a.txt").write_text(prose(1, ENGLISH))
    (root / "z.txt").write_text(prose(2, ENGLISH))
    yield root


def run(root: Path, out: Path, **changes: object) -> dict[str, dict[str, int]]:
    settings: dict[str, object] = {
        "input": FolderInput(path=str(root)),
        "html_extractor": Resiliparse(),
        "language": LanguageIdentification(languages=["en"], min_score=0.3),
        "filters": [],
    }
    spec = CurationSpec.model_validate(settings | changes)
    return curate(spec, home=out.parent, out=out, reporter=MemoryReporter())


@pytest.mark.parametrize(("write", "reason"), CASES, ids=[write.__name__ for write, _ in CASES])
def test_the_bad_record_is_kept_with_its_reason_and_the_rest_goes_on(
    folder: Path, tmp_path: Path, write: Written, reason: str
) -> None:
    write(folder)
    statistics = run(folder, tmp_path / "out", limits=Limits(max_reject_share=0.9))
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert [reject["reason"] for reject in rejects if reject["source"].startswith("bad.")] == [reason]
    assert statistics["rejects"] == {reason: 1}
    sources = [json.loads(line)["source"] for line in read_lines(tmp_path / "out" / "documents.jsonl.zst")]
    assert sources[0] == "a.txt"
    assert sources[-1] == "z.txt"
    assert statistics["documents"]["read"] == 1 + len(sources)


def test_wrong_charset_nul_bytes_and_doubled_ids_cost_no_document(folder: Path, tmp_path: Path) -> None:
    text = "Où est passée l'année dernière ? Les élèves ont oublié le déjeuner. " * 8
    html = f"<html><head><meta charset='ascii'></head><body><main><p>{text}</p></main></body></html>"
    (folder / "b.html").write_bytes(html.encode("utf-8"))
    rows = [{"id": "same", "text": prose(n, ENGLISH) + "\u0000"} for n in (3, 4)]
    (folder / "c.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run(folder, tmp_path / "out", language=LanguageIdentification(languages=["en", "fr"], min_score=0.3))
    documents = [json.loads(line) for line in read_lines(tmp_path / "out" / "documents.jsonl.zst")]
    assert len({document["id"] for document in documents}) == len(documents) == 5
    assert next(d["text"] for d in documents if d["source"] == "b.html").startswith("Où est passée l'année")
    assert not any("\0" in document["text"] for document in documents)


def test_names_that_are_no_utf8_pass(folder: Path, tmp_path: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text(prose(5, ENGLISH))
    (folder / os.fsdecode(b"na\xefve.pdf")).write_bytes(b"%PDF-1.4 nothing")
    statistics = run(folder, tmp_path / "out")
    assert statistics["documents"]["kept"] == {"en": 3}
    sources = [json.loads(line)["source"] for line in read_lines(tmp_path / "out" / "documents.jsonl.zst")]
    assert sources == ["a.txt", "caf?.txt", "z.txt"]


def test_over_the_share_of_rejects_the_run_stops_and_names_the_first(folder: Path, tmp_path: Path) -> None:
    lines = ["{"] * 70 + [json.dumps({"text": prose(n, ENGLISH)}) for n in range(60)]
    (folder / "b.jsonl").write_text("\n".join(lines))
    with pytest.raises(CurationError, match=r"70 of \d+ records could not be read \(bad_json: 70\).*0\.5.*b\.jsonl#1"):
        run(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert run(folder, tmp_path / "out", limits=Limits(max_reject_share=0.6))["documents"]["kept"] == {"en": 60}


def test_a_plugin_that_cannot_be_built_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.mkdir()
    for scorer, message in ((missing, "is no folder on this worker"), (empty, "is no folder of a trained scorer")):
        with pytest.raises(ValueError, match=f"{scorer}.*{message}"):
            run(folder, tmp_path / "out", filters=[QualityScore(scorer=str(scorer))])
