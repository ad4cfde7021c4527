"""Comparing two versions: set operations over indexes, and specs field by field."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.services.comparison import INDEX, compare_indexes, compare_specs
from workers.data import documents

SIDE = st.dictionaries(st.integers(0, 40), st.integers(0, 2), max_size=30)


def index_of(side: dict[int, int]) -> np.ndarray:
    return np.array(sorted(side.items()), dtype=INDEX)


@given(SIDE, SIDE)
def test_indexes_are_compared_like_sets(left: dict[int, int], right: dict[int, int]) -> None:
    found = compare_indexes(index_of(left), index_of(right))
    assert index_of(left)["key"][found.only_left].tolist() == sorted(left.keys() - right.keys())
    assert index_of(right)["key"][found.only_right].tolist() == sorted(right.keys() - left.keys())
    assert found.num_both == len(left.keys() & right.keys())
    assert found.num_changed == sum(left[key] != right[key] for key in left.keys() & right.keys())


def test_the_service_and_the_worker_mean_the_same_record() -> None:
    assert INDEX == documents.INDEX


def test_specs_are_compared_leaf_by_leaf() -> None:
    left = {"a": {"b": 1, "c": [1, 2]}, "x/y": 1, "filters": [{"kind": "url"}, {"kind": "c4"}]}
    right = {"a": {"b": 2, "c": [1]}, "x/y": 1, "filters": [{"kind": "url"}], "new": True}
    found = {change.pointer: (change.left, change.right) for change in compare_specs(left, right)}
    assert found == {
        "/a/b": (1, 2), "/a/c/1": (2, None), "/filters/1": ({"kind": "c4"}, None), "/new": (None, True),
    }  # fmt: skip
    assert compare_specs(left, left) == []
