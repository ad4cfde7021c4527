"""Labels from files: every format, rows that cannot be used, and texts looked up by id."""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from workers.curation.quality.labels import LabelsError, read_labels
from workers.curation.quality.texts import iterate_documents
from workers.data.documents import DocumentWriter
from workers.specs.curation.quality import FileLabels

ROWS = [{"text": "Erster Text, mit Komma\nund Zeile", "score": 4}, {"text": "second", "score": 0.5}]


def write_rows(path, rows=ROWS):
    if path.name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        if ".csv" in path.name.lower():
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.ndjson", "a.csv", "A.CSV.gz", "a.parquet"])
def test_every_format_gives_the_same_labels(tmp_path, name):
    write_rows(tmp_path / name)
    labels, bad = read_labels(FileLabels(path=str(tmp_path / name)))
    assert [(label.text, label.score) for label in labels] == [(row["text"], row["score"]) for row in ROWS]
    assert bad == []


def test_columns_can_have_other_names(tmp_path):
    write_rows(tmp_path / "a.csv", [{"content": "x", "grade": "3"}])
    spec = FileLabels(path=str(tmp_path / "a.csv"), text_column="content", score_column="grade")
    assert [(label.text, label.score) for label in read_labels(spec)[0]] == [("x", 3.0)]


def test_bad_rows_are_listed_with_their_line(tmp_path):
    lines = [
        '{"text": "good", "score": 3}', "", "{torn", "[1]", '{"text": "x"}', '{"text": "x", "score": "high"}',
        '{"text": "x", "score": 5.5}', '{"text": "x", "score": NaN}', '{"text": " ", "score": 1}',
        '{"document_id": "d", "score": 1}', '{"text": "x", "score": true}', '{"text": "also good", "score": "2"}',
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    labels, bad = read_labels(FileLabels(path=str(tmp_path / "a.jsonl"), max_bad_share=0.9))
    assert [label.text for label in labels] == ["good", "also good"]
    assert [(row.line, row.reason) for row in bad] == [
        (3, "not_json"), (4, "not_an_object"), (5, "no_score"), (6, "no_score"), (7, "score_out_of_range"),
        (8, "score_out_of_range"), (9, "no_text"), (10, "no_text"), (11, "no_score"),
    ]  # fmt: skip
    assert "labels.dataset is not set" in bad[7].detail
    with pytest.raises(LabelsError, match=r"9 of 11 labels .*max_bad_share = 0\.05 .* line 3: not_json\."):
        read_labels(FileLabels(path=str(tmp_path / "a.jsonl")))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"x", "labels end in .jsonl"),
        ("a.jsonl", b"", "holds no label"),
        ("a.jsonl", b'{"text": "x"}\n', "cannot be used"),
        ("a.jsonl", b"\xff\xfe\x00", "cannot be read"),
        ("a.jsonl.gz", b"no gzip", "cannot be read"),
        ("a.csv", b"body,score\nx,1\n", "has the columns body, score"),
        ("a.csv", b"", "has the columns"),
        ("a.parquet", b"no parquet", "cannot be read"),
        ("a.parquet.gz", b"x", "labels end in .jsonl"),
    ],
)
def test_files_that_are_no_labels_say_why(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LabelsError, match=message):
        read_labels(FileLabels(path=str(tmp_path / name)))


def test_a_torn_gzip_is_an_error_not_fewer_labels(tmp_path):
    write_rows(tmp_path / "a.jsonl.gz", ROWS * 500)
    whole = (tmp_path / "a.jsonl.gz").read_bytes()
    (tmp_path / "a.jsonl.gz").write_bytes(whole[:-10])
    with pytest.raises(LabelsError, match="cannot be read"):
        read_labels(FileLabels(path=str(tmp_path / "a.jsonl.gz")))


@pytest.fixture(params=["parquet", "zstd"])
def dataset(request, tmp_path):
    """A dataset version, or the documents before packing, each with samples of dropped documents."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    documents = [{"id": f"d{i}", "text": f"kept text {i}"} for i in range(5)]
    if request.param == "parquet":
        writer = DocumentWriter(folder)
        for key, document in enumerate(documents):
            writer.add(document, key)
        writer.close()
    else:
        content = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
        (folder / "documents.jsonl.zst").write_bytes(zstandard.compress(content))
    samples = [{"document_id": "d1", "text": "kept te"}, {"document_id": "x1", "text": "dropped"}]
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in samples))
    return folder


def test_texts_are_found_by_id_whole_where_the_document_was_kept(dataset, tmp_path):
    rows = [{"document_id": name, "score": 2} for name in ("x1", "d1", "gone", "d4")]
    write_rows(tmp_path / "labels.jsonl", rows)
    spec = FileLabels(path=str(tmp_path / "labels.jsonl"), dataset=str(dataset), max_bad_share=0.5)
    labels, bad = read_labels(spec)
    assert [label.text for label in labels] == ["dropped", "kept text 1", "kept text 4"]
    assert [(row.line, row.reason, row.detail) for row in bad] == [(3, "unknown_document", "gone")]
    assert [document_id for document_id, _ in iterate_documents(dataset)] == [f"d{i}" for i in range(5)]


def test_a_dataset_that_is_none_says_so(tmp_path):
    write_rows(tmp_path / "labels.jsonl", [{"document_id": "d", "score": 2}])
    (tmp_path / "empty").mkdir()
    for name, message in [("missing", "there is no dataset folder"), ("empty", "no documents-")]:
        spec = FileLabels(path=str(tmp_path / "labels.jsonl"), dataset=str(tmp_path / name))
        with pytest.raises(LabelsError, match=message):
            read_labels(spec)
