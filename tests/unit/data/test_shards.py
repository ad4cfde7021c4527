"""Token shards: what is written is read back, over shard borders and round the end."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.data.shards import ShardWriter, TokenDataset, token_dtype

DOCUMENTS = st.lists(st.lists(st.integers(0, 65_535), min_size=1, max_size=12), min_size=1, max_size=12)


def write(folder: Path, documents: list[list[int]], shard_tokens: int = 1000, vocab_size: int = 65_536) -> TokenDataset:
    for old in folder.glob("*"):
        old.unlink()
    writer = ShardWriter(folder, "train", vocab_size, shard_tokens)
    for document in documents:
        writer.add(document)
    writer.close()
    info = {"vocab_size": vocab_size, "dtype": token_dtype(vocab_size).str, "num_tokens": {"train": writer.num_tokens}}
    (folder / "dataset.json").write_text(json.dumps(info))
    return TokenDataset(folder, "train")


@given(documents=DOCUMENTS, shard_tokens=st.integers(1, 30), start=st.integers(0, 200), length=st.integers(1, 60))
def test_windows_equal_the_flat_stream(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]], shard_tokens: int, start: int, length: int
) -> None:
    dataset = write(tmp_path_factory.mktemp("shards"), documents, shard_tokens)
    stream = [token for document in documents for token in document]
    owners = [number for number, document in enumerate(documents) for _ in document]
    tokens, numbers = dataset.window(start, length)
    wanted = [(start + i) % len(stream) for i in range(length)]
    assert tokens.tolist() == [stream[i] for i in wanted]
    assert numbers.tolist() == [owners[i] for i in wanted]
    assert dataset.num_tokens == len(stream)


def test_shards_split_at_documents_and_leave_nothing_half_written(tmp_path: Path) -> None:
    write(tmp_path, [[1, 2, 3], [4, 5, 6], [7]], shard_tokens=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dataset.json",
        "train-00000.documents",
        "train-00000.tokens",
        "train-00001.documents",
        "train-00001.tokens",
    ]


def test_large_vocabularies_take_four_bytes(tmp_path: Path) -> None:
    dataset = write(tmp_path, [[70_000, 65_536]], vocab_size=100_000)
    assert dataset.window(0, 2)[0].tolist() == [70_000, 65_536]
    assert (tmp_path / "train-00000.tokens").stat().st_size == 8


def test_a_token_beyond_the_type_is_an_error_not_another_token(tmp_path: Path) -> None:
    with pytest.raises(OverflowError):
        ShardWriter(tmp_path, "train", 65_536, 10).add([65_536])


def test_a_torn_dataset_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [[1, 2, 3]])
    (tmp_path / "train-00000.tokens").write_bytes(b"\x01\x00")
    with pytest.raises(ValueError, match="has 1 tokens, its manifest says 3"):
        TokenDataset(tmp_path, "train")


def test_an_empty_part_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"vocab_size": 300, "dtype": "<u2", "num_tokens": {"train": 0}}))
    with pytest.raises(ValueError, match="the train part is empty"):
        TokenDataset(tmp_path, "train")
