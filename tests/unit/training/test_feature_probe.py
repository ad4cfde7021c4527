"""What a fixed batch shows of each layer, against float64 figures; and detectors on real runs, calm and struck."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workers.monitoring import controller as controller_module
from workers.reporter import MemoryReporter
from workers.specs.monitoring import DEFAULT_DETECTORS
from workers.specs.training import TrainingSpec
from workers.training.engine import build_engine
from workers.training.loop import Loop
from workers.training.probe import FeatureProbe, attention_entropy, effective_rank
from workers.training.publisher import Publisher
from workers.training.token_counts import fingerprint
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (30, 30)])
@pytest.mark.parametrize("seed", range(2))
def test_effective_rank_equals_the_one_from_singular_values(shape: tuple[int, int], seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=shape) * np.exp(np.random.default_rng(seed + 9).normal(size=shape[1]))
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False)
    shares = singular[singular > 1e-9] / singular.sum()
    expected = np.exp(-(shares * np.log(shares)).sum())
    assert float(effective_rank(torch.from_numpy(x))) == pytest.approx(expected, rel=1e-5)


def test_features_that_are_all_alike_have_rank_one_and_broken_ones_have_none() -> None:
    row = torch.randn(16, dtype=torch.float64)
    assert float(effective_rank(torch.outer(torch.arange(1.0, 9.0).double(), row))) == pytest.approx(1, abs=1e-3)
    assert bool(effective_rank(torch.full((4, 4), float("inf"))).isnan())


def test_attention_entropy_is_one_when_all_places_are_alike_and_nothing_when_one_is_looked_at() -> None:
    causal = torch.ones(5, 5).tril()
    alike = (causal / causal.sum(-1, keepdim=True)).expand(2, 3, 5, 5)
    assert float(attention_entropy(alike)) == pytest.approx(1.0)
    sharp = torch.zeros(2, 3, 5, 5)
    sharp[:, 0] = alike[:, 0]
    sharp[:, 1:, :, 0] = 1.0
    assert float(attention_entropy(sharp)) == pytest.approx(1 / 3)
    assert float(attention_entropy(torch.ones(1, 1, 1, 1))) == 1.0


def test_dead_units_are_counted_and_the_model_is_left_as_it_was(
    dataset: Path, make_spec: MakeSpec, tmp_path: Path
) -> None:
    engine = build_engine(make_spec(), dataset, tmp_path, MemoryReporter(), Publisher(None, MemoryReporter()))
    model, generator = engine.model, torch.get_rng_state()
    with torch.no_grad():
        model.blocks[1].ffn.gate_up.weight[64 + 10 : 64 + 26] = 0.0  # the second half is the up projection
    before = {name: value.clone() for name, value in model.state_dict().items()}
    figures = engine.meter.probe.measure(engine.state)
    assert figures["dead_units"] == [0.0, pytest.approx(16 / 64)]
    assert all(len(values) == 2 and all(v > 0 for v in values) for n, values in figures.items() if n != "dead_units")
    assert "feature_speed" not in figures, "there is nothing to compare with yet"
    engine.state.step = 7
    assert engine.meter.probe.measure(engine.state)["feature_speed"] == [0.0, 0.0]
    with torch.no_grad():
        model.embedding.weight.mul_(1.5)
    engine.state.step = 8
    assert all(0.05 < speed < 0.6 for speed in engine.meter.probe.measure(engine.state)["feature_speed"])
    engine.state.step = 3
    assert "feature_speed" not in engine.meter.probe.measure(engine.state), "a roll-back leaves the line"
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items() if not n.startswith("embedding"))
    assert torch.equal(generator, torch.get_rng_state()) and model.training


def test_the_probe_is_made_when_it_is_due(dataset: Path, make_spec: MakeSpec, tmp_path: Path) -> None:
    reporter = MemoryReporter()
    spec = make_spec(telemetry={"every_steps": 0, "probe_every_steps": 5})
    calm = train(spec, dataset=dataset, out=tmp_path / "a", reporter=reporter)
    assert [step for step, _ in reporter.series("layers/01/effective_rank")] == [0, 5, 10]
    assert [step for step, _ in reporter.series("layers/01/feature_speed")] == [5, 10]
    never = make_spec(telemetry={"every_steps": 0, "probe_every_steps": 0})
    unseen = train(never, dataset=dataset, out=tmp_path / "b", reporter=MemoryReporter())
    assert calm["heldout_loss"] == unseen["heldout_loss"]


def test_a_fingerprint_tells_batches_apart_by_order_too() -> None:
    tokens = torch.arange(32).view(4, 8)
    assert fingerprint(tokens, 0) == fingerprint(tokens.clone(), 0)
    others = (tokens.flip(0), tokens + 1, tokens.T.contiguous())
    assert len({float(fingerprint(t, 0)) for t in (tokens, *others)}) == 4


def long_run(make_spec: MakeSpec, **changes: Any) -> TrainingSpec:
    settings = {
        "num_steps": 125,
        "schedule": {"kind": "wsd", "warmup_steps": 10},
        "batch": {"sequence_tokens": 32, "micro_batch_sequences": 8},
        "checkpointing": {"every_steps": 60, "keep": 3},
        "heldout": {"every_steps": 125, "num_batches": 2},
        "telemetry": {"every_steps": 5, "probe_every_steps": 10},
        "monitoring": {"mode": "shadow"},
    }
    return make_spec(**settings | changes)


def findings(spec: TrainingSpec, dataset: Path, out: Path) -> list[tuple[str, int]]:
    reporter = MemoryReporter()
    train(spec, dataset=dataset, out=out, reporter=reporter)
    reporter.flush()
    return [(f.detector, f.step) for f in reporter.batch.findings]


@pytest.mark.parametrize("optimizer", [{"kind": "adamw", "lr": 5e-3}, {"kind": "muon", "lr": 0.02}])
def test_a_real_run_without_a_fault_gives_no_finding(
    dataset: Path, make_spec: MakeSpec, tmp_path: Path, optimizer: dict[str, Any]
) -> None:
    found = findings(long_run(make_spec, optimizer=optimizer), dataset, tmp_path)
    assert [f for f in found if f[0] != "throughput_fall"] == []  # other tests run beside this one


@pytest.mark.parametrize(
    ("drill", "detectors"),
    [
        ({"kind": "qk_growth", "step": 80, "num_steps": 30, "factor": 1.3}, {"attention_entropy"}),
        ({"kind": "lr_times", "step": 80, "factor": 50}, {"update_ratio", "feature_speed"}),
        ({"kind": "repeated_token", "step": 80, "num_batches": 5}, {"repeated_batch"}),
    ],
)
def test_a_planted_fault_is_seen_in_a_real_run(
    dataset: Path, make_spec: MakeSpec, tmp_path: Path, drill: dict[str, Any], detectors: set[str]
) -> None:
    found = findings(long_run(make_spec, drills=[drill]), dataset, tmp_path)
    first = {name: min(step for kind, step in found if kind == name) for name in {kind for kind, _ in found}}
    assert detectors <= first.keys(), first
    assert all(80 <= first[name] <= 115 for name in detectors), first


def test_findings_without_a_rule_do_not_keep_a_rule_from_acting(
    dataset: Path, make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    judge = controller_module.Controller._judge

    def listen(self: Any, step: int, values: Any, *, updated: bool) -> Any:
        told.extend(name for name in values if name not in told)
        return judge(self, step, values, updated=updated)

    monkeypatch.setattr(controller_module.Controller, "_judge", listen)
    spec = long_run(make_spec, drills=[{"kind": "lr_times", "step": 80, "factor": 50}], monitoring={"mode": "auto"})
    reporter = MemoryReporter()
    summary = train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    assert summary["interventions"] >= 1 and reporter.series("lr_scale")[-1][1] < 0.5
    assert {d.kind for d in DEFAULT_DETECTORS} >= {"update_ratio", "straggler"}
    wanted = {"step_seconds", "data_wait_seconds", "memory_bytes", "batch_fingerprint", "clipped_share", "kept_share"}
    assert wanted <= set(told) and "layers/01/update_ratio" in told and "layers/00/feature_speed" in told
    assert reporter.series("batch_fingerprint") == [], "no chart shows it"


def test_the_loop_can_begin_anywhere(dataset: Path, make_spec: MakeSpec, tmp_path: Path) -> None:
    engine = build_engine(make_spec(), dataset, tmp_path, MemoryReporter(), Publisher(None, MemoryReporter()))
    assert isinstance(engine.meter.probe, FeatureProbe)
    engine.state.step = 50
    assert Loop(engine)._step() and engine.meter.groups["effective_rank"].keys() == {"blocks.0", "blocks.1"}
