"""Batch order: the same on any number of processes, each window once an epoch, and nothing but a count to resume."""

from pathlib import Path

import numpy as np
import pytest
import torch
from counting_language import write_dataset
from hypothesis import given
from hypothesis import strategies as st

from workers.data.shards import TokenDataset
from workers.training.batches import BatchOrder
from workers.training.errors import InputError
from workers.training.state import Place, TrainerState


@pytest.fixture(scope="module")
def train_split(dataset: Path) -> TokenDataset:
    return TokenDataset(dataset, "train")


def test_two_processes_read_what_one_reads(train_split: TokenDataset) -> None:
    order = BatchOrder(train_split, 32, 8, seed=3)
    for index in (0, 1, order.batches_per_epoch + 2):
        whole = order.part(Place(index), 0, 1)
        halves = [order.part(Place(index), rank, 2) for rank in (0, 1)]
        for name in ("tokens", "targets", "documents"):
            assert torch.equal(getattr(whole, name), torch.cat([getattr(half, name) for half in halves]))


def test_targets_follow_their_tokens_in_the_text(train_split: TokenDataset) -> None:
    batch = BatchOrder(train_split, 32, 8, seed=3).part(Place(5), 0, 1)
    assert torch.equal(batch.tokens[:, 1:], batch.targets[:, :-1])
    ends = batch.tokens[:, :-1] == 0
    assert torch.equal(batch.documents[:, 1:] != batch.documents[:, :-1], ends)
    assert ends.any()


def test_an_epoch_has_each_window_once_and_epochs_differ(train_split: TokenDataset) -> None:
    order = BatchOrder(train_split, 32, 8, seed=3)
    epochs = [
        np.concatenate(
            [order.windows(epoch * order.batches_per_epoch + slot) for slot in range(order.batches_per_epoch)]
        )
        for epoch in (0, 1)
    ]
    for windows in epochs:
        assert len(np.unique(windows)) == order.batches_per_epoch * 8
    assert not np.array_equal(*epochs)
    assert not np.array_equal(order.windows(0), BatchOrder(train_split, 32, 8, seed=4).windows(0))


def test_seen_windows_leave_out_skipped_batches(train_split: TokenDataset) -> None:
    order = BatchOrder(train_split, 32, 8, seed=3)
    expected = np.unique(np.concatenate([order.windows(i) for i in (0, 1, 4, 5)]))
    assert np.array_equal(order.seen_windows(TrainerState(stage_batches=[6], skipped=[(0, 2, 4)])), expected)
    assert len(order.seen_windows(TrainerState(stage_batches=[order.batches_per_epoch * 2]))) == order.num_windows


def test_too_little_text_for_one_batch_is_said(tmp_path: Path) -> None:
    small = TokenDataset(write_dataset(tmp_path / "small", num_train=300), "train")
    with pytest.raises(InputError, match=r"training tokens, one step needs 16 sequences of 32 = 512"):
        BatchOrder(small, 32, 16, seed=0)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), max_size=5))
def test_skipped_batches_are_never_taken_and_all_others_are_in_order(spans: list[tuple[int, int]]) -> None:
    state = TrainerState()
    for start, length in spans:
        if length:
            state.skip(Place(start), Place(start), length)
    left_out = {i for start, length in spans for i in range(start, start + length)}
    taken = [state.take_batch().number for _ in range(20)]
    assert taken == [i for i in range(100) if i not in left_out][:20]
