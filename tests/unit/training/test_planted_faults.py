"""Each drill does to batch, weights or optimizer what its name says, once, and nothing before its step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from test_levers import Setting, run

from workers.specs.training import TrainingSpec
from workers.specs.training.drills import CorruptedShard, PoisonedBatches, RepeatedToken
from workers.training.batches import Sequences
from workers.training.drills import Drills, flip_bit
from workers.training.errors import InputError


def batch(num: int = 64, length: int = 16) -> Sequences:
    tokens = torch.arange(num * length).reshape(num, length) % 7
    return Sequences(tokens, tokens + 1, torch.zeros_like(tokens))


def test_garbage_comes_in_its_batches_alone() -> None:
    drills = Drills([PoisonedBatches(step=5, num_batches=2)], 1000, 3, None)
    assert [drills.poison(n, 0, batch()).tokens.max() > 7 for n in range(4, 8)] == [False, True, True, False]
    assert torch.equal(drills.poison(5, 0, batch()).tokens, drills.poison(5, 0, batch()).tokens)
    assert not torch.equal(drills.poison(5, 0, batch()).tokens, drills.poison(6, 0, batch()).tokens)


def test_one_token_is_repeated() -> None:
    found = Drills([RepeatedToken(step=5)], 1000, 3, None).poison(6, 0, batch())
    assert len(found.tokens.unique()) == 1 and torch.equal(found.tokens, found.targets)


def test_a_share_of_the_sequences_is_corrupted() -> None:
    given = batch()
    found = Drills([CorruptedShard(step=0, share=0.25)], 1000, 3, None).poison(0, 0, given)
    sound = (found.tokens == given.tokens).all(1)
    assert 0.5 < sound.float().mean() < 0.95
    assert torch.equal((found.targets == given.targets).all(1), sound)


def test_an_exponent_bit_is_flipped_in_one_weight(dataset: Path, tmp_path: Path, make_spec, monkeypatch) -> None:
    engine = run(monkeypatch, Setting(99), make_spec(num_steps=3), dataset, tmp_path)
    before = {name: p.detach().clone() for name, p in engine.model.named_parameters()}
    flip_bit(engine.model, 30, seed=4)
    changed = [(before[n] != p).sum().item() for n, p in engine.model.named_parameters()]
    assert sorted(changed)[-2:] == [0, 1]
    assert max(p.abs().max() for p in engine.model.parameters()) > 1e30


@pytest.mark.parametrize(
    ("drill", "series", "rise"),
    [
        ({"kind": "bit_flip", "step": 6, "bit": 30}, "loss", 1.2),
        ({"kind": "moments_lost", "step": 6}, "update_norm", 1.2),
        ({"kind": "qk_growth", "step": 6, "num_steps": 4, "factor": 3.0}, "max_attention_logit", 9),
    ],
)
def test_a_fault_strikes_at_its_step(
    dataset: Path, tmp_path: Path, make_spec, monkeypatch, drill: dict, series: str, rise: float
) -> None:
    spec = make_spec(drills=[drill], telemetry={"every_steps": 1})
    struck = dict(run(monkeypatch, Setting(99), spec, dataset, tmp_path / "a").reporter.series(series))
    spared = dict(
        run(monkeypatch, Setting(99), make_spec(telemetry={"every_steps": 1}), dataset, tmp_path / "b").reporter.series(
            series
        )
    )
    assert [struck[step] for step in range(6)] == [spared[step] for step in range(6)]
    worst = max(np.nan_to_num(struck[step], nan=np.inf) / spared[step] for step in range(6, 12))
    assert worst > rise


def test_a_burst_of_a_source_needs_a_mixture(dataset: Path, tmp_path: Path, make_spec, monkeypatch) -> None:
    spec: TrainingSpec = make_spec(drills=[{"kind": "source_burst", "step": 3}])
    with pytest.raises(InputError, match="wants source 1; the run has a mixture of 0"):
        run(monkeypatch, Setting(99), spec, dataset, tmp_path)
