"""Targets that do not count: the gradient is that of one mean over the rest, however a step is cut; loss by source."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from counting_language import VOCAB_SIZE
from torch.nn import functional

from workers.data.shards import Origin, ShardWriter, TokenDataset, token_dtype
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.batches import IGNORED, Sequences
from workers.training.engine import Engine, build_engine
from workers.training.errors import InputError
from workers.training.publisher import Publisher
from workers.training.state import Place
from workers.training.steps import compute_gradient, gradients
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]


def write_masked(folder: Path, share: float) -> Path:
    """Documents of which the first part counts not; how long it is varies much."""
    folder.mkdir(parents=True)
    rng, num_tokens = np.random.default_rng(7), {}
    for split, count in (("train", 200), ("heldout", 40)):
        writer = ShardWriter(folder, split, VOCAB_SIZE, 2_000)
        for number in range(count):
            length = int(rng.integers(20, 120))
            tokens = [*rng.integers(1, VOCAB_SIZE, length).tolist(), 0]
            asked = int(rng.uniform(0, share) * length)
            origin = Origin(number, "en" if number % 2 else "de")
            writer.add(tokens, origin, counted=[n > asked for n in range(length + 1)])
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {"vocab_size": VOCAB_SIZE, "dtype": token_dtype(VOCAB_SIZE).str, "eos_token_id": 0, "num_tokens": num_tokens}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_masked(tmp_path_factory.mktemp("masked") / "dataset", 1.5)


def engine_of(spec: TrainingSpec, dataset: Path, out: Path) -> Engine:
    reporter = MemoryReporter()
    return build_engine(spec, dataset, out, reporter, Publisher(None, reporter))


def direct_loss(engine: Engine, part: Sequences) -> torch.Tensor:
    """One mean over all counted targets, in one pass."""
    logits_NV = engine.model(part.tokens, part.documents).flatten(0, 1)
    return functional.cross_entropy(logits_NV, part.targets.flatten(), ignore_index=IGNORED)


def test_one_pass_or_four_give_the_gradient_of_one_mean(masked: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    found = []
    for micro, passes in ((8, 1), (2, 4)):
        batch = {"sequence_tokens": 32, "micro_batch_sequences": micro, "accumulation": passes}
        engine = engine_of(make_spec(batch=batch), masked, tmp_path / str(passes))
        part = engine.order.part(Place(0), 0, 1)
        counts = [int((rows != IGNORED).sum()) for rows in part.targets.split(2)]
        assert max(counts) > 2 * min(counts)  # else this test would tell nothing
        loss = compute_gradient(engine, Place(0))["loss"]
        found.append((loss, [grad.clone() for grad in gradients(engine)]))
        engine.optimizers.zero_grad()
        expected = direct_loss(engine, part)
        expected.backward()
        assert loss == pytest.approx(expected.item(), rel=1e-6)
        for grad, wanted in zip(found[-1][1], gradients(engine), strict=True):
            torch.testing.assert_close(grad, wanted, rtol=1e-4, atol=1e-7)
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)


def test_two_processes_with_unequal_counts_train_as_one(
    masked: Path, tmp_path: Path, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    series = []
    for num_processes, micro in ((1, 4), (2, 2)):
        reporter = MemoryReporter()
        spec = make_spec(
            num_steps=3,
            mixture=[{"weight": 1, "languages": ["en"]}, {"weight": 1, "languages": ["de"], "name": "German"}],
            batch={"sequence_tokens": 32, "micro_batch_sequences": micro, "accumulation": 2},
            resources={"num_processes": num_processes},
        )
        train(spec, dataset=masked, out=tmp_path / str(num_processes), reporter=reporter)
        series.append(
            {key: [v for _, v in reporter.series(key)] for key in ("loss", "grad_norm", "loss/en", "loss/German")}
        )
    for key, values in series[0].items():
        assert len(values) == 3
        assert series[1][key] == pytest.approx(values, rel=1e-4), key


def test_the_loss_of_each_source_is_that_of_its_own_sequences(
    masked: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    mixture = [{"weight": 3, "languages": ["en"]}, {"weight": 1, "languages": ["de"], "name": "German"}]
    engine = engine_of(make_spec(mixture=mixture), masked, tmp_path)
    part = engine.order.part(Place(2), 0, 1)
    losses = compute_gradient(engine, Place(2))
    assert part.sources is not None and part.sources.tolist().count(1) == 2
    for number, name in enumerate(("en", "German")):
        rows = part.sources == number
        own = Sequences(part.tokens[rows], part.targets[rows], part.documents[rows])
        assert losses[f"loss/{name}"] == pytest.approx(direct_loss(engine, own).item(), rel=1e-5)


def test_a_pass_without_a_counted_target_teaches_nothing(tmp_path: Path, make_spec: MakeSpec) -> None:
    engine = engine_of(make_spec(), write_masked(tmp_path / "data", 1.0), tmp_path)
    tokens = torch.randint(1, VOCAB_SIZE, (2, 32))
    total, _, sums = engine.objective(
        tokens, torch.full_like(tokens, IGNORED), torch.zeros_like(tokens), torch.zeros(1)
    )
    total.backward()
    assert total.item() == 0 and sums.tolist() == [0, 0]
    assert all(grad.abs().max() == 0 for grad in gradients(engine))


def test_held_out_loss_and_baselines_are_of_counted_targets(masked: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    summary = train(make_spec(), dataset=masked, out=tmp_path, reporter=MemoryReporter())
    assert summary["heldout_loss"] == pytest.approx(np.log(VOCAB_SIZE), abs=0.2)
    assert summary["unigram_loss"] == pytest.approx(np.log(VOCAB_SIZE), abs=0.2)


def test_flags_survive_the_shards_and_torn_ones_are_refused(tmp_path: Path, make_spec: MakeSpec) -> None:
    folder = write_masked(tmp_path / "data", 1.0)
    split = TokenDataset(folder, "train")
    rng, flags = np.random.default_rng(7), []
    for _ in range(200):
        length = int(rng.integers(20, 120))
        rng.integers(1, VOCAB_SIZE, length)
        asked = int(rng.uniform(0, 1.0) * length)
        flags += [n > asked for n in range(length + 1)]
    assert split.counted_window(0, split.num_tokens).tolist() == flags
    assert split.counted_window(split.num_tokens - 5, 10).tolist() == flags[-5:] + flags[:5]
    path = folder / "train-00000.counted"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"the \.counted files do not fit"):
        train(make_spec(), dataset=folder, out=tmp_path / "out", reporter=MemoryReporter())
