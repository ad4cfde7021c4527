"""Readers at their limits: starting anywhere, counting, permissions, schemas, sizes."""

import gzip
import os
import tempfile
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_readers import LIMITS, pages, read, shown

from workers.curation.document import RawRecord, Reject
from workers.curation.readers import count_records, identify_file, read_file


def write_rows(folder: Path, name: str) -> Path:
    """A file of 40 records, some of them broken."""
    rows = [b'{"text": "row %d"}' % i if i % 7 else b"{broken" for i in range(40)]
    records = [b"".join(pages(1)) if i % 7 else b"\x1f\x8b\x08broken" for i in range(40)]
    path = folder / name
    match name.partition(".")[2]:
        case "jsonl":
            path.write_bytes(b"\n\n".join(rows))
        case "jsonl.gz":
            path.write_bytes(gzip.compress(b"\n".join(rows))[:-6])
        case "warc.gz":
            path.write_bytes(b"".join(records))
        case "parquet":
            texts = [f"row {i}" if i % 7 else None for i in range(40)]
            pq.write_table(pa.table({"text": texts}), path, row_group_size=9)
        case _:
            path.write_bytes(b"<p>one</p>")
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "b.jsonl.gz", "c.warc.gz", "d.parquet", "e.html", "f.warc", "g.pdf"])
def test_any_record_can_be_started_at_and_all_are_counted(tmp_path: Path, name: str) -> None:
    path = write_rows(tmp_path, name)
    everything = read(path)
    assert count_records(path, tmp_path, LIMITS) == len(everything)
    for start in range(len(everything) + 2):
        assert list(read_file(path, tmp_path, LIMITS, start)) == everything[start:]


def test_row_groups_before_the_start_are_not_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path, "d.parquet")
    whole = read(path)
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56  # the first row group
    path.write_bytes(content)
    assert shown(read(path)) == ["bad_parquet"]
    assert list(read_file(path, tmp_path, LIMITS, 9)) == whole[9:]


def test_file_without_permission_is_a_reject() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's folders let nobody in
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a.jsonl").write_text('{"text": "secret"}')
        (folder / "a.jsonl").chmod(0)
        is_root = os.geteuid() == 0
        if is_root:  # whom no permission stops
            os.seteuid(65534)
        try:
            (reject,) = read_file(folder / "a.jsonl", folder, LIMITS)
            counted = count_records(folder / "a.jsonl", folder, LIMITS)
            identity = identify_file(folder / "a.jsonl", folder)
        finally:
            if is_root:
                os.seteuid(0)
        assert isinstance(reject, Reject)
        assert (reject.source, reject.reason, counted) == ("a.jsonl", "unreadable", 1)
        assert len(identity[1]) == 64


def test_equal_ids_in_rows_stay_different_records(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "text": "one"}\n{"id": 1, "text": "one"}\n')
    first, second = read(tmp_path / "a.jsonl")
    assert isinstance(first, RawRecord) and isinstance(second, RawRecord)
    assert first.id != second.id
    assert first.metadata == second.metadata == {"id": "1"}


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"text": [1, 2]}),
        pa.table({"text": [["a list"]]}),
        pa.table({"text": [b"bytes"]}),
        pa.table({"body": ["x"], "url": ["y"]}),
        pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]),
    ],
)
def test_bad_schema_names_what_was_found_and_wanted(tmp_path: Path, table: pa.Table) -> None:
    pq.write_table(table, tmp_path / "a.parquet")
    (reject,) = read(tmp_path / "a.parquet")
    assert isinstance(reject, Reject)
    assert reject.reason == "bad_schema"
    assert "`text` or `content` of strings" in reject.detail
    assert all(f"{field.name} ({field.type})" in reject.detail for field in pq.read_schema(tmp_path / "a.parquet"))


def test_huge_document_is_a_reject_in_bounded_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    for name, content in (
        ("a.txt", b"word " * 20_000_000),
        ("b.jsonl", b'{"text": "' + b"word " * 20_000_000 + b'"}\n{"text": "after"}'),
    ):
        (tmp_path / name).write_bytes(content)
        del content
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert shown(read(tmp_path / name)) == (["too_large"] if name == "a.txt" else ["too_large", "after"])
        assert tracemalloc.get_traced_memory()[1] - before < 20_000_000
    tracemalloc.stop()
