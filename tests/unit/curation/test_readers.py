"""Readers: every format, and every way in which a file can be broken."""

import gzip
import io
import json
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from workers.curation.document import RawRecord, Reject
from workers.curation.readers import InputError, list_files, read_file, resolve_input
from workers.specs.curation import Limits
from workers.specs.curation.inputs import CorpusInput, FolderInput

LIMITS = Limits(max_document_bytes=200_000)
HTML = b"<html><body><p>Bonjour le monde.</p></body></html>"


def read(path: Path, limits: Limits = LIMITS) -> list[RawRecord | Reject]:
    return list(read_file(path, path.parent, limits))


def shown(records: list[RawRecord | Reject]) -> list[str]:
    """Contents and reasons in order."""
    return [item.reason if isinstance(item, Reject) else item.content.decode(errors="replace") for item in records]


def warc_record(
    url: str, content: bytes, *, kind: str = "response", status: str = "200 OK", compress: bool = True, **headers: str
) -> bytes:
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=compress)
    names = {"content_type": "text/html; charset=utf-8", **headers}
    http = [(name.replace("_", "-").title(), value) for name, value in names.items()]
    record = writer.create_warc_record(
        url,
        kind,
        payload=io.BytesIO(content),
        length=len(content),
        http_headers=StatusAndHeaders(status, http, protocol="HTTP/1.1") if kind == "response" else None,
        warc_headers_dict={} if kind == "response" else {"Content-Type": names["content_type"]},
    )
    writer.write_record(record)
    return buffer.getvalue()


def pages(number: int, compress: bool = True) -> list[bytes]:
    return [warc_record(f"https://x.example/{i}", b"<p>page %d</p>" % i * 20, compress=compress) for i in range(number)]


def page(i: int) -> str:
    return f"<p>page {i}</p>" * 20


def test_warc_keeps_pages_and_their_origin(tmp_path: Path) -> None:
    content = b"".join(
        [
            warc_record("https://x.example/a", HTML),
            warc_record("https://x.example/missing", b"gone", status="404 Not Found"),
            warc_record("https://x.example/i.png", b"\x89PNG", content_type="image/png"),
            warc_record("https://x.example/t", b"plain words", kind="conversion", content_type="text/plain"),
            warc_record("https://x.example/p", b"%PDF-1.4 ...", content_type="application/octet-stream"),
        ]
    )
    (tmp_path / "a.warc.gz").write_bytes(content)
    first, second, third = read(tmp_path / "a.warc.gz")
    assert isinstance(first, RawRecord) and isinstance(second, RawRecord) and isinstance(third, RawRecord)
    assert (first.url, first.charset, first.media_type) == ("https://x.example/a", "utf-8", "text/html")
    assert (first.source, second.source, third.source) == ("a.warc.gz#1", "a.warc.gz#4", "a.warc.gz#5")
    assert (second.content, second.media_type, third.media_type) == (b"plain words", "text/plain", "application/pdf")
    assert [r.id for r in (first, second, third)] == [r.id for r in read(tmp_path / "a.warc.gz")]  # type: ignore[union-attr]  # all are records
    assert len({first.id, second.id, third.id}) == 3


@pytest.mark.parametrize("pack", ["members", "plain", "one_member", "zstd", "bgzip"])
def test_warc_in_every_packing_is_the_same(tmp_path: Path, pack: str) -> None:
    plain = b"".join(pages(30, compress=False))
    content = {
        "members": lambda: b"".join(pages(30)),
        "plain": lambda: plain,
        "one_member": lambda: gzip.compress(plain),
        "zstd": lambda: zstandard.compress(plain),
        "bgzip": lambda: b"".join(gzip.compress(plain[i : i + 777]) for i in range(0, len(plain), 777)),
    }[pack]()
    (tmp_path / "a.warc.gz").write_bytes(content)
    assert shown(read(tmp_path / "a.warc.gz")) == [page(i) for i in range(30)]


def test_damaged_member_costs_one_record(tmp_path: Path) -> None:
    members = pages(10)
    broken = bytearray(members[4])
    broken[len(broken) // 2 : len(broken) // 2 + 8] = b"\xff" * 8
    members[4] = bytes(broken)
    (tmp_path / "a.warc.gz").write_bytes(b"".join(members))
    found = read(tmp_path / "a.warc.gz")
    assert [i for i in shown(found) if i.startswith("<p>")] == [page(i) for i in range(10) if i != 4]
    assert [item.reason for item in found if isinstance(item, Reject)] == ["corrupt_gzip"]


def test_truncated_file_gives_what_came_before(tmp_path: Path) -> None:
    content = b"".join(pages(5))
    (tmp_path / "a.warc.gz").write_bytes(content[:-20])
    assert shown(read(tmp_path / "a.warc.gz")) == [*(page(i) for i in range(4)), "truncated_gzip"]


@pytest.mark.parametrize(
    ("compress", "length"),
    [(True, b"9"), (True, b"999999"), (True, b"-5"), (True, b"many"), (False, b"9"), (False, b"-5"), (False, b"many")],
)
def test_wrong_content_length_costs_one_record(tmp_path: Path, compress: bool, length: bytes) -> None:
    records = pages(4, compress=False)
    head, _, rest = records[1].partition(b"Content-Length: ")
    records[1] = head + b"Content-Length: " + length + rest[rest.index(b"\r\n") :]
    (tmp_path / "a.warc").write_bytes(b"".join(gzip.compress(r) if compress else r for r in records))
    assert shown(read(tmp_path / "a.warc")) == [page(0), "corrupt_warc_record", page(2), page(3)]


def test_changed_block_is_told_by_its_digest(tmp_path: Path) -> None:
    records = pages(3, compress=False)
    records[1] = records[1].replace(b"page 1", b"page 7")
    (tmp_path / "a.warc").write_bytes(b"".join(records))
    assert shown(read(tmp_path / "a.warc")) == [page(0), "corrupt_warc_record", page(2)]


def test_bomb_in_a_member_is_stopped_early_and_the_rest_read(tmp_path: Path) -> None:
    bomb = gzip.compress(b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 900000000\r\n\r\n" + b"\0" * 50_000_000)
    records = pages(2)
    (tmp_path / "a.warc.gz").write_bytes(records[0] + bomb + records[1])
    assert shown(read(tmp_path / "a.warc.gz")) == [page(0), "compression_bomb", page(1)]


def test_http_bodies_are_decoded_within_bounds(tmp_path: Path) -> None:
    chunked = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    deflate = zlib.compressobj(wbits=-15)
    content = [
        warc_record("https://x.example/gz", gzip.compress(HTML), content_encoding="gzip"),
        warc_record("https://x.example/not", HTML, content_encoding="gzip"),
        warc_record("https://x.example/df", deflate.compress(HTML) + deflate.flush(), content_encoding="deflate"),
        warc_record("https://x.example/ch", chunked, transfer_encoding="chunked"),
        warc_record("https://x.example/bomb", gzip.compress(b" " * 30_000_000), content_encoding="gzip"),
        warc_record("https://x.example/cut", gzip.compress(HTML)[:-12], content_encoding="gzip"),
        warc_record("https://x.example/big", b"x" * 300_000),
    ]
    (tmp_path / "a.warc.gz").write_bytes(b"".join(content))
    assert shown(read(tmp_path / "a.warc.gz")) == [
        *([HTML.decode()] * 3),
        "hello world",
        "too_large",
        "corrupt_http_body",
        "too_large",
    ]


def test_jsonl_goes_on_after_bad_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": "first ü", "url": "https://x.example", "id": 7, "tags": ["a"]}),
        "{broken",
        json.dumps({"title": "no text"}),
        "",
        json.dumps([1, 2]),
        '{"text": "\\ud800"}',
        json.dumps({"text": "x" * 300_000}),
        json.dumps({"text": "  "}),
        json.dumps({"content": "last"}),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = read(tmp_path / "a.jsonl")
    expected = ["first ü", "bad_json", "no_text", "bad_json", "bad_json", "too_large", "empty", "last"]
    assert shown(found) == expected
    first = found[0]
    assert isinstance(first, RawRecord)
    assert (first.url, first.metadata, first.source) == (
        "https://x.example",
        {"id": "7", "tags": '["a"]'},
        "a.jsonl#1",
    )
    (tmp_path / "b.jsonl.zst").write_bytes(zstandard.compress((tmp_path / "a.jsonl").read_bytes()))
    assert shown(read(tmp_path / "b.jsonl.zst")) == expected


def test_jsonl_line_without_end_is_not_kept_in_memory(tmp_path: Path) -> None:
    limits = Limits(max_document_bytes=1000)
    (tmp_path / "a.jsonl").write_bytes(b"x" * 5_000_000 + b'\n{"text": "after"}\n')
    assert shown(read(tmp_path / "a.jsonl", limits)) == ["too_large", "after"]


def test_parquet_rows(tmp_path: Path) -> None:
    table = pa.table(
        {"text": ["one", None, "drei"], "url": ["https://a.example", None, None], "score": [1.5, 2.0, None]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet")
    assert shown(found) == ["one", "no_text", "drei"]
    assert isinstance(found[0], RawRecord)
    assert (found[0].url, found[0].metadata) == ("https://a.example", {"score": "1.5"})


def test_parquet_that_cannot_be_decoded(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["some words " * 50] * 200}), tmp_path / "a.parquet", compression="gzip")
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[40:200] = b"\xff" * 160
    (tmp_path / "page.parquet").write_bytes(content)
    (tmp_path / "cut.parquet").write_bytes(content[:100])
    pq.write_table(pa.table({"title": ["x"]}), tmp_path / "other.parquet")
    assert shown(read(tmp_path / "page.parquet"))[-1] == "bad_parquet"
    assert shown(read(tmp_path / "cut.parquet")) == ["bad_parquet"]
    (other,) = read(tmp_path / "other.parquet")
    assert isinstance(other, Reject)
    assert (other.reason, other.source) == ("bad_schema", "other.parquet")
    assert "`text` or `content`" in other.detail and "title (string)" in other.detail


def test_parquet_bomb_in_a_dictionary_is_read_row_by_row(tmp_path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["a" * 150_000]))
    pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet")  # 3 GB when laid out
    del text
    before = pa.total_allocated_bytes()
    rows = read_file(tmp_path / "a.parquet", tmp_path, LIMITS)
    for _, row in zip(range(500), rows, strict=False):
        assert isinstance(row, RawRecord)
        assert len(row.content) == 150_000
        assert pa.total_allocated_bytes() - before < 20_000_000
    rows.close()


def test_single_files(tmp_path: Path) -> None:
    cases = {
        "a.html": (HTML, "text/html"),
        "b.html.gz": (gzip.compress(HTML), "text/html"),
        "c.md": (b"# Title", "text/markdown"),
        "d.txt": ("Grüße".encode("utf-16"), "text/plain"),
        "e.html": (b"%PDF-1.4 in truth", "application/pdf"),
        "f.txt": (b"", "empty"),
        "g.txt": (b"\0\1binary", "nul_bytes"),
        "h.pdf": (b"no pdf", "broken_pdf"),
        "i.txt.gz": (gzip.compress(b"words " * 100)[:-9], "truncated_gzip"),
        "j.txt.gz": (gzip.compress(b" " * 10_000_000), "too_large"),
        "k.warc": (b"", "empty"),
        "l.warc": (b"this is no archive\n" * 10, "corrupt_warc_record"),
        "m.jsonl": (b"", "empty"),
        "n.parquet": (b"", "bad_parquet"),
        "o.warc.gz": (b"", "empty"),
    }
    for name, (content, expected) in cases.items():
        (tmp_path / name).write_bytes(content)
        (found,) = read(tmp_path / name)
        assert expected == (found.reason if isinstance(found, Reject) else found.media_type), name
    big = Limits(max_document_bytes=20_000_000)
    assert shown(read(tmp_path / "j.txt.gz", big)) == ["compression_bomb"]


def test_list_is_sorted_recursive_and_stays_inside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("x")
    root = tmp_path / "root"
    for name in ("b/z.WARC.gz", "a.jsonl.zst", "b/a.txt", ".hidden/x.txt", "b/.x.txt", "image.png", "c.txt.bz2"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    (root / "out.txt").symlink_to(outside / "secret.txt")
    (root / "out").symlink_to(outside, target_is_directory=True)
    (root / "in.txt").symlink_to(root / "b/a.txt")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "gone.txt").symlink_to(root / "nothing")
    assert [p.relative_to(root).as_posix() for p in list_files(root)] == [
        "a.jsonl.zst",
        "b/a.txt",
        "b/z.WARC.gz",
        "in.txt",
    ]


def test_input_errors_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for path, message in {
        str(tmp_path / "none"): "does not exist",
        str(tmp_path / "file.txt"): "is a file",
        str(tmp_path / "empty"): "Put files there",
        "relative/path": "absolute path",
    }.items():
        with pytest.raises(InputError, match=message):
            resolve_input(FolderInput(path=path), tmp_path)
    with pytest.raises(InputError, match="fetch debian-docs --home"):
        resolve_input(CorpusInput(), tmp_path)
    with pytest.raises(InputError, match="known: debian-docs"):
        resolve_input(CorpusInput(name="nothing"), tmp_path)
    assert resolve_input(FolderInput(path=str(tmp_path)), tmp_path) == tmp_path


@given(
    suffix=st.sampled_from([".warc", ".warc.gz", ".html", ".txt", ".md", ".jsonl", ".parquet", ".pdf"]),
    start=st.sampled_from(
        [b"", b"WARC/1.0\r\n", b"PAR1", b"%PDF-", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b'{"text": ']
    ),
    content=st.binary(max_size=400),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_never_raise(tmp_path: Path, suffix: str, start: bytes, content: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(start + content)
    assert all(isinstance(item, RawRecord | Reject) for item in read(path))


@given(
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), min_size=1, max_size=4), plain=st.booleans()
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_leave_the_other_records(tmp_path: Path, flips: list[tuple[int, int]], plain: bool) -> None:
    records = [bytearray(r) for r in pages(5, compress=not plain)]
    target = records[2]
    for position, mask in flips:
        target[position % len(target)] ^= mask
    (tmp_path / "x.warc").write_bytes(b"".join(records))
    found = shown(read(tmp_path / "x.warc"))
    assert [page(0), page(1)] == found[:2]
    if not plain:
        assert found[-2:] == [page(3), page(4)]
