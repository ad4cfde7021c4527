"""Mixtures: shares that never drift, positions that need no history, and parts of a dataset by its documents."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.data.mixture import SelectedDocuments, Turns, check_tokenizers
from workers.data.shards import Origin, ShardWriter, TokenDataset, token_dtype

WEIGHTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=9)


def counts_of(sources: np.ndarray, num_sources: int) -> np.ndarray:
    """Turns of each source after 1, 2, ... turns.  (N, K)"""
    return np.cumsum(sources[:, None] == np.arange(num_sources), axis=0)


@given(WEIGHTS)
@settings(max_examples=150)
def test_each_source_has_had_its_share_at_every_moment(weights: list[float]) -> None:
    sources, before = Turns(weights).take(0, 3000)
    counts = counts_of(sources, len(weights))
    due = np.arange(1, 3001)[:, None] * np.array(weights) / sum(weights)
    bound = 1 - 1 / max(2 * len(weights) - 2, 1) if len(weights) > 1 else 0
    assert np.abs(counts - due).max() <= bound + 1e-4
    assert (before == counts[np.arange(3000), sources] - 1).all()


@given(st.floats(0.02, 50), st.floats(0.02, 50), st.integers(1, 400))
@settings(max_examples=60)
def test_any_window_of_two_sources_is_within_one_of_the_weights(left: float, right: float, length: int) -> None:
    sources, _ = Turns([left, right]).take(0, 2000)
    counts = np.vstack([[[0, 0]], counts_of(sources, 2)])
    inside = counts[length:] - counts[:-length]
    due = length * np.array([left, right]) / (left + right)
    assert np.abs(inside - due).max() <= 1 + 1e-4


def test_a_position_needs_no_history() -> None:
    weights = [5.0, 1.0, 2.5]
    whole, before = Turns(weights).take(0, 150_000)
    turns = Turns(weights)
    for start in (140_000, 70_000, 3, 65_530, 131_072, 0):
        sources, earlier = turns.take(start, start + 40)
        assert sources.tolist() == whole[start : start + 40].tolist()
        assert earlier.tolist() == before[start : start + 40].tolist()
        assert turns.counts(start).tolist() == np.bincount(whole[:start], minlength=3).tolist()


@pytest.mark.parametrize("weights", [[], [0.0], [1.0, -1.0], [float("nan")], [float("inf"), 1.0]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be above 0"):
        Turns(weights)


DOCUMENTS = [([1, 2, 3], "en", 0), ([4], "de", 2), ([5, 6], "en", 2), ([7, 8, 9, 10], "fra", 1), ([11], "de", -1)]


def write(folder: Path, origins: bool = True) -> TokenDataset:
    folder.mkdir()
    writer = ShardWriter(folder, "train", 300, 5)
    for key, (tokens, language, bucket) in enumerate(DOCUMENTS):
        writer.add(tokens, Origin(key, language, bucket) if origins else None)
    writer.close()
    info = {"vocab_size": 300, "dtype": token_dtype(300).str, "num_tokens": {"train": writer.num_tokens}}
    (folder / "dataset.json").write_text(json.dumps(info))
    return TokenDataset(folder, "train")


@given(
    st.sets(st.sampled_from(["en", "de", "fra"])), st.sets(st.integers(-1, 2)), st.integers(0, 30), st.integers(1, 30)
)
@settings(max_examples=80)
def test_a_part_reads_as_if_its_documents_were_all(
    tmp_path_factory: pytest.TempPathFactory, languages: set[str], buckets: set[int], start: int, length: int
) -> None:
    dataset = write(tmp_path_factory.mktemp("part") / "d")
    wanted = [
        number
        for number, (_, language, bucket) in enumerate(DOCUMENTS)
        if (not languages or language in languages) and (not buckets or bucket in buckets)
    ]
    if not wanted:
        with pytest.raises(ValueError, match="has no document of"):
            SelectedDocuments(dataset, languages, buckets)
        return
    part = SelectedDocuments(dataset, languages, buckets)
    stream = [(token, number) for number in wanted for token in DOCUMENTS[number][0]]
    tokens, documents = part.window(start, length)
    expected = [stream[(start + i) % len(stream)] for i in range(length)]
    assert list(zip(tokens.tolist(), documents.tolist(), strict=True)) == expected
    assert part.num_tokens == len(stream)
    assert dataset.read(part.places(start, length)).tolist() == tokens.tolist()


def test_versions_without_origins_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="curate again"):
        SelectedDocuments(write(tmp_path / "old", origins=False), ["en"], [])
    everything = SelectedDocuments(write(tmp_path / "older", origins=False), [], [])
    assert everything.num_tokens == 11


def test_different_tokenizers_are_refused(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder, text in zip(folders, ("a", "a", "b"), strict=True):
        folder.mkdir()
        (folder / "tokenizer.json").write_text(text)
    check_tokenizers(folders[:2])
    with pytest.raises(ValueError, match=r"tokenizer\.dataset"):
        check_tokenizers(folders)
