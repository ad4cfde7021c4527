"""Spill files: what was written comes back in order, and a damaged file is found and named."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.dedup import DamagedSpillError, Deduplicator, build_signer
from workers.curation.dedup.spill import NUM_RANGES, Spill
from workers.curation.document import Document
from workers.curation.text import Text
from workers.specs.curation import Dedup

BLOCKS = st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 2**64 - 1), max_size=30)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(BLOCKS, st.sampled_from([1, 500, 1 << 20]))
def test_records_come_back_by_range_in_the_order_of_adding(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[int, list[int]]], memory: int
) -> None:
    spill = Spill(tmp_path_factory.mktemp("spill"), "keys", 3, memory)
    added: dict[tuple[int, int], list[tuple[int, int]]] = {}
    number = 0
    for band, keys in blocks:
        spill.add(band, np.array([(key, number + i) for i, key in enumerate(keys)], dtype=np.uint64).reshape(-1, 2))
        for i, key in enumerate(keys):
            added.setdefault((band, key >> 58), []).append((key, number + i))
        number += len(keys)
    spill.finish()
    for band in range(3):
        for part in range(NUM_RANGES):
            found = [tuple(record) for block in spill.read(band, part, part + 1) for record in block.tolist()]
            assert found == added.get((band, part), [])
            assert spill.counts[band, part] == len(found)


def spilled(folder: Path) -> tuple[Deduplicator, list[Path]]:
    deduplicator, signer = Deduplicator(Dedup(), folder), build_signer(Dedup())
    for number in range(4096):
        text = Text(f"page {'abcdefghij'[number % 10]} of words that are the same in all of them")
        deduplicator.add(signer.sign(Document("id", "s", text.text, "text/plain"), text))
    deduplicator._keys.finish()
    return deduplicator, sorted(folder.glob("*.run"))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_in_the_keys_is_found(tmp_path: Path) -> None:
    deduplicator, runs = spilled(tmp_path / "work")
    flip(runs[0], -5)
    with pytest.raises(DamagedSpillError, match=r"keys-00000\.run is damaged.*another checksum.*delete the folder"):
        list(deduplicator.verdicts())


def test_a_torn_file_is_found(tmp_path: Path) -> None:
    deduplicator, runs = spilled(tmp_path / "work")
    with runs[0].open("rb+") as file:
        file.truncate(runs[0].stat().st_size - 16)
    with pytest.raises(DamagedSpillError, match="ends too early"):
        list(deduplicator.verdicts())


def test_damaged_signatures_are_found(tmp_path: Path) -> None:
    deduplicator, _ = spilled(tmp_path / "work")
    deduplicator._signatures._file.flush()
    flip(tmp_path / "work" / "signatures.bin", 1000)
    with pytest.raises(DamagedSpillError, match=r"signatures\.bin is damaged"):
        list(deduplicator.verdicts())


def test_a_new_start_clears_what_an_older_one_left(tmp_path: Path) -> None:
    spilled(tmp_path / "work")
    fresh = Deduplicator(Dedup(), tmp_path / "work")
    assert list((tmp_path / "work").glob("*.run")) == []
    assert list(fresh.verdicts()) == []
