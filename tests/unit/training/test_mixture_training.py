"""Training on a mixture: shares by weight, exact resume, counts in the summary, and clear errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from counting_language import VOCAB_SIZE

from workers.data.shards import Origin, ShardWriter, TokenDataset, token_dtype
from workers.monitoring.telemetry import Settings
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training import engine as engine_module
from workers.training.__main__ import read_folders
from workers.training.batches import IGNORED
from workers.training.errors import InputError
from workers.training.mixture import folders_of_sources, open_sources
from workers.training.silence import NoWatch
from workers.training.sources import Joined, open_data
from workers.training.stage_order import StageOrder
from workers.training.state import Place, TrainerState
from workers.training.steps import leave_out
from workers.training.trainer import train

A, B = ("sha256:" + letter * 64 for letter in "ab")
MakeSpec = Callable[..., TrainingSpec]


def write_version(folder: Path, first_token: int, seed: int, tokenizer: str = "{}") -> Path:
    """Documents whose tokens all lie in [first_token, first_token + 15); every third is German, the rest English."""
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(tokenizer)
    rng, num_tokens = np.random.default_rng(seed), {}
    for split, count in (("train", 90), ("heldout", 24)):
        writer = ShardWriter(folder, split, VOCAB_SIZE, 800)
        for number in range(count):
            tokens = first_token + (rng.integers(15) + np.arange(int(rng.integers(20, 60)))) % 15
            language, bucket = ("de", 0) if number % 3 == 0 else ("en", 1 + number % 2)
            writer.add([*tokens.tolist(), 0], Origin(number, language, bucket))
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {"vocab_size": VOCAB_SIZE, "dtype": token_dtype(VOCAB_SIZE).str, "eos_token_id": 0, "num_tokens": num_tokens}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("mixture")
    return {A: write_version(root / "a", 1, 1), B: write_version(root / "b", 31, 2)}


MIXTURE = [
    {"dataset": A, "weight": 3, "languages": ["en"]},
    {"dataset": A, "weight": 1, "languages": ["de"]},
    {"dataset": B, "weight": 4, "buckets": [1, 2]},
]


def order_of(spec: TrainingSpec, folders: dict[str, Path]) -> StageOrder:
    order = open_data(spec, folders).order
    assert isinstance(order, StageOrder)
    return order


def window_at(order: StageOrder, source: int, position: int) -> int:
    """Number in the source of the one window at a position of its stream."""
    ((start, length),) = order.streams[source].pieces(position, order.unit_tokens)
    assert length == order.unit_tokens
    return start // order.unit_tokens


def test_sequences_come_from_their_sources_in_their_shares(make_spec: MakeSpec, folders: dict[str, Path]) -> None:
    order = order_of(make_spec(mixture=MIXTURE), folders)
    from_b = 0
    for index in range(16):
        part = order.part(Place(index), 0, 1)
        halves = [order.part(Place(index), rank, 2) for rank in (0, 1)]
        assert torch.equal(part.tokens, torch.cat([half.tokens for half in halves]))
        assert torch.equal(part.tokens[:, 1:], part.targets[:, :-1])
        high = (part.tokens >= 31).any(1)
        low = ((part.tokens > 0) & (part.tokens < 31)).any(1)
        assert not (high & low).any()  # a sequence is of one source
        assert int(high.sum()) == 4  # half of 8, in every batch
        from_b += int(high.sum())
    shares = order.shares(TrainerState(stage_batches=[16]))["mixture"]
    assert [share["tokens"] for share in shares] == [48 * 32, 16 * 32, 64 * 32]
    assert from_b == 64
    skipped = order.shares(TrainerState(stage_batches=[16], skipped=[(0, 2, 6), (0, 15, 40)]))["mixture"]
    assert sum(share["tokens"] for share in skipped) == 11 * 8 * 32
    assert shares[2]["epochs"] == pytest.approx(64 / order.streams[2].num_units, abs=1e-4)


def test_each_source_reads_each_of_its_windows_once_an_epoch(make_spec: MakeSpec, folders: dict[str, Path]) -> None:
    order = order_of(make_spec(mixture=MIXTURE), folders)
    drawn: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for index in range(60):
        for source, position in zip(*order.windows(Place(index)), strict=True):
            drawn[int(source)].append(window_at(order, int(source), int(position)))
    for source, windows in drawn.items():
        size = order.streams[source].num_units
        assert sorted(windows[:size]) == list(range(size))
        assert sorted(windows[size : 2 * size]) == list(range(size)) or len(windows) < 2 * size
    seen = dict(enumerate(windows for _, windows in order.seen(TrainerState(stage_batches=[2], skipped=[(0, 1, 2)]))))
    first = zip(*order.windows(Place(0)), strict=True)
    expected = {(int(source), window_at(order, int(source), int(position))) for source, position in first}
    assert {(s, int(w)) for s, windows in seen.items() for w in windows} == expected


def test_a_resumed_run_equals_an_uninterrupted_one(
    make_spec: MakeSpec, folders: dict[str, Path], tmp_path: Path
) -> None:
    spec = make_spec(mixture=MIXTURE)
    whole, again = MemoryReporter(), MemoryReporter()
    summary = train(spec, dataset=folders, out=tmp_path / "whole", reporter=whole)
    checkpoint = next((tmp_path / "whole" / "checkpoints").glob("*00000006*"))
    resumed = train(spec, dataset=folders, out=tmp_path / "again", reporter=again, resume=checkpoint)
    assert resumed["last_loss"] == summary["last_loss"]
    assert resumed["heldout_loss"] == summary["heldout_loss"]
    assert resumed["mixture"] == summary["mixture"]
    assert sum(share["tokens"] for share in summary["mixture"]) == summary["tokens"] == 12 * 8 * 32
    assert summary["heldout_loss"] < summary["first_loss"]
    other = make_spec(mixture=[*MIXTURE[:2], MIXTURE[2] | {"weight": 5}])
    with pytest.raises(InputError, match="mixture is"):
        train(other, dataset=folders, out=tmp_path / "other", reporter=MemoryReporter(), resume=checkpoint)


def test_two_processes_read_what_one_reads(make_spec: MakeSpec, folders: dict[str, Path], tmp_path: Path) -> None:
    spec = make_spec(
        mixture=MIXTURE,
        num_steps=3,
        resources={"num_processes": 2},
        batch={"sequence_tokens": 32, "micro_batch_sequences": 4, "accumulation": 1},
    )
    two = train(spec, dataset=folders, out=tmp_path / "two", reporter=MemoryReporter())
    one = train(
        spec.model_copy(
            update={
                "resources": make_spec().resources,
                "batch": spec.batch.model_copy(update={"micro_batch_sequences": 8}),
            }
        ),
        dataset=folders,
        out=tmp_path / "one",
        reporter=MemoryReporter(),
    )
    assert two["last_loss"] == pytest.approx(one["last_loss"], rel=1e-4)
    assert two["mixture"] == one["mixture"]


def test_held_out_text_is_joined_by_weight(make_spec: MakeSpec, folders: dict[str, Path]) -> None:
    sources = list(open_sources(make_spec(mixture=MIXTURE), folders).values())
    joined = Joined([(source.heldout, source.spec.weight) for source in sources if source.heldout])
    tokens, documents = joined.window(0, joined.num_tokens)
    of_b = tokens >= 31
    assert of_b.sum() == pytest.approx(0.5 * joined.num_tokens, rel=0.08)  # end tokens are 0 in both
    assert not set(documents[of_b].tolist()) & set(documents[(tokens > 0) & ~of_b].tolist())
    round_the_end, _ = joined.window(joined.num_tokens - 3, 7)
    assert round_the_end.tolist() == [*tokens[-3:].tolist(), *tokens[:4].tolist()]


def test_what_does_not_go_together_is_said(make_spec: MakeSpec, folders: dict[str, Path], tmp_path: Path) -> None:
    def run(mixture: list[dict[str, Any]], dataset: Any = folders) -> None:
        train(make_spec(mixture=mixture), dataset=dataset, out=tmp_path, reporter=MemoryReporter())

    with pytest.raises(InputError, match="has no document of language it"):
        run([{"dataset": A, "weight": 1, "languages": ["it"]}])
    with pytest.raises(InputError, match="its folder is not given"):
        run([{"dataset": "sha256:" + "c" * 64, "weight": 1}])
    with pytest.raises(InputError, match="DIGEST=FOLDER"):
        run(MIXTURE, folders[A])
    with pytest.raises(InputError, match="has no mixture"):
        train(make_spec(), dataset=folders, out=tmp_path, reporter=MemoryReporter())
    other = folders | {B: write_version(tmp_path / "other", 31, 2, tokenizer="{ }")}
    with pytest.raises(InputError, match="need one tokenizer"):
        run(MIXTURE, other)
    with pytest.raises(ValueError, match="not both"):
        make_spec(dataset=A, mixture=MIXTURE)


def test_of_a_source_that_is_lowered_only_a_share_counts(
    make_spec: MakeSpec, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(mixture=MIXTURE, num_steps=40)
    order = order_of(spec, folders)
    counted: list[list[bool]] = [[], [], []]
    for number in range(40):
        part = order.part(Place(number), 0, 1)
        thinned, again = (leave_out(part, order.labels, {order.labels[0]: 0.25}, [1, number]) for _ in range(2))
        assert torch.equal(thinned.targets, again.targets), "it hangs on the batch alone"
        for source, targets, before in zip(part.sources.tolist(), thinned.targets, part.targets, strict=True):
            counted[source].append(bool(torch.equal(targets, before)))
            assert counted[source][-1] or (targets == IGNORED).all()
    assert all(counted[1]) and all(counted[2])
    assert np.mean(counted[0]) == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / len(counted[0])) ** 0.5)

    watch = NoWatch()
    watch.settings = Settings(source_shares={order.labels[0]: 0.0})
    monkeypatch.setattr(engine_module, "build_controller", lambda _: watch)
    reporter = MemoryReporter()
    train(spec, dataset=folders, out=tmp_path, reporter=reporter)
    reporter.flush()
    assert reporter.series(f"loss/{order.labels[1]}") and not reporter.series(f"loss/{order.labels[0]}")


def test_folders_on_the_command_line() -> None:
    assert read_folders(["some/folder"]) == Path("some/folder")
    assert read_folders([f"{A}=x", f"{B}=y=z"]) == {A: Path("x"), B: Path("y=z")}
    with pytest.raises(InputError, match="sha256:DIGEST=FOLDER"):
        read_folders(["x", "y"])


def test_positions_lead_back_to_the_tokens_of_each_source(make_spec: MakeSpec, folders: dict[str, Path]) -> None:
    """Logits of a teacher are found by them."""
    spec = make_spec(mixture=MIXTURE, num_steps=40)
    order = order_of(spec, folders)
    splits = [TokenDataset(folder, "train") for folder in folders_of_sources(spec, folders)]
    for number in (0, 7, 33):
        part = order.part(Place(number), 0, 1)
        for source, positions, tokens in zip(part.sources.tolist(), part.positions, part.tokens, strict=True):
            assert splits[source].read(positions.numpy()).tolist() == tokens.tolist()
    plain = open_data(make_spec(), folders[A]).order.part(Place(2), 0, 1)
    assert splits[0].read(plain.positions.flatten().numpy()).tolist() == plain.tokens.flatten().tolist()
