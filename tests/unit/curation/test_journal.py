"""Entries: whole or not there; used ones stay, old ones go; keys change with what a stage is made of."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.curation.chain import Chain
from workers.curation.dedup import Signature
from workers.curation.journal import Journal, is_whole, seal, unseal
from workers.curation.links import layers, stage_names
from workers.curation.signatures import dump_signatures, load_signatures
from workers.specs.curation import CurationSpec, Dedup, Limits
from workers.specs.curation.dedup import LineDedup
from workers.specs.curation.engines import RayEngine
from workers.specs.curation.filters import C4Quality, FinewebQuality, GopherQuality, GopherRepetition, Url


@given(st.binary(), st.integers(min_value=0), st.integers(0, 255))
def test_a_damaged_entry_is_told_from_a_whole_one(content: bytes, place: int, change: int) -> None:
    entry = seal(content)
    assert is_whole(entry)
    assert unseal(entry) == content
    assert not is_whole(entry[: place % len(entry)])
    damaged = bytearray(entry)
    damaged[place % len(entry)] ^= change
    assert is_whole(bytes(damaged)) == (change == 0)


def test_a_damaged_entry_is_not_given_and_goes(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.put("base-1", "ab12", seal(b"rows"))
    assert journal.get("base-1", "ab12") == seal(b"rows")
    path = tmp_path / "base-1" / "ab" / "ab12"
    path.write_bytes(path.read_bytes()[:-1])
    assert journal.has("base-1", "ab12")
    assert journal.get("base-1", "ab12") is None
    assert not journal.has("base-1", "ab12")


def test_sweeping_takes_what_was_not_used_for_long_then_the_oldest(tmp_path: Path) -> None:
    journal, now = Journal(tmp_path), time.time()
    for days, name in enumerate(["new", "older", "old", "oldest"]):
        journal.put("base-1", name, seal(name.encode()))
        path = next(tmp_path.rglob(name))
        os.utime(path, (now, now - days * 86_400))
    assert journal.get("base-1", "oldest") is not None  # and so it is used today
    assert journal.sweep(max_age_seconds=1.5 * 86_400) == 1
    assert [journal.has("base-1", name) for name in ("new", "older", "old", "oldest")] == [True, True, False, True]
    os.utime(next(tmp_path.rglob("older")), (now, now - 86_400))
    assert journal.sweep(max_bytes=2 * len(seal(b"oldest"))) == 1
    assert not journal.has("base-1", "older")


def keys(**changes: object) -> dict[str, list[str]]:
    chain = Chain(CurationSpec.model_validate(changes))
    links = [*chain.first, *chain.second("")]
    names = dict.fromkeys(link.name for link in links)
    return {name: [link.key for link in links if link.name == name] for name in names}


def test_a_key_covers_what_comes_before_it_and_nothing_else() -> None:
    base = keys()
    assert list(base) == ["url", "base", "filters", "sign", "summary", "dedup", "clean", "final"]
    changed = keys(filters=[Url(), GopherRepetition(), GopherQuality(), C4Quality(min_sentences=2), FinewebQuality()])
    assert changed["base"] == base["base"]
    assert [a == b for a, b in zip(changed["filters"], base["filters"], strict=True)] == [True, True, False, False]
    assert changed["sign"] != base["sign"]
    pii = keys(pii={"ips": False})
    assert [name for name in base if base[name] != pii[name]] == ["clean", "final"]
    samples = keys(samples_per_rule=1)
    assert [name for name in base if base[name] != samples[name]] == ["summary", "final"]
    assert keys(repair_text=False)["base"] != base["base"]
    assert keys(limits=Limits(max_document_bytes=1000))["base"] != base["base"]


@pytest.mark.parametrize(
    "changes",
    [
        {"num_processes": 7, "name": "other", "heldout_share": 0.2},
        {"engine": RayEngine()},
        {"limits": Limits(max_reject_share=1.0)},
        {"dedup": Dedup(memory_mb=16)},
    ],
)
def test_how_and_where_it_is_worked_on_changes_no_key(changes: dict[str, object]) -> None:
    assert keys(**changes) == keys()


def test_filters_of_different_languages_share_a_link_and_keep_their_order() -> None:
    filters = [
        Url(),
        GopherRepetition(languages=["fr"]),
        GopherQuality(languages=["fr"]),
        GopherRepetition(languages=["es", "de"]),
        GopherQuality(languages=["es"]),
        FinewebQuality(languages=["fr", "es"]),
        C4Quality(),
    ]
    assert layers(filters, skip_first=True) == [[1, 3], [2, 4], [5], [6]]
    assert layers(filters) == [[0], [1, 3], [2, 4], [5], [6]]
    spec = CurationSpec(filters=filters, dedup=Dedup(before_filters=True, lines=LineDedup()))
    names = ["gopher_repetition", "gopher_quality", "fineweb_quality", "c4_quality"]
    assert stage_names(spec) == ["read", "url", "extract", "language", "dedup", "lines", *names, "pii"]


optional_bytes = st.none() | st.binary(max_size=40)
numbers = st.integers(0, 2**64 - 1)
signatures = st.builds(Signature, numbers, numbers, optional_bytes, optional_bytes, optional_bytes, optional_bytes)


@given(st.lists(signatures))
def test_signatures_come_back_as_they_were(found: list[Signature]) -> None:
    assert list(load_signatures(dump_signatures(found))) == found
