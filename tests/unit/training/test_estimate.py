"""The estimate against a model that is built, a step that is counted, and the tensors that are kept."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from workers.model.cache import Cache
from workers.model.transformer import Transformer
from workers.reporter import MemoryReporter
from workers.specs.estimate import (
    TABLE,
    Calibration,
    estimate,
    flops_until,
    forward_flops_per_token,
    training_flops_per_token,
)
from workers.specs.training import TrainingSpec
from workers.specs.training.model import Model
from workers.training import trainer
from workers.training.losses import build_losses
from workers.training.objective import Objective

MODELS = [
    {"d_model": 64, "num_layers": 3, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 160},
    {"d_model": 48, "num_layers": 2, "num_heads": 3, "num_kv_heads": 3, "d_ffn": 128, "tied_embeddings": False},
    {"d_model": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 1, "d_ffn": 96, "mtp": {"kind": "parallel"}},
    {"d_model": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 1, "d_ffn": 96, "mtp": {"kind": "sequential"}},
    {"d_model": 60, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 96, "d_head": 32, "ffn": "relu2"},
]


@pytest.mark.parametrize("values", MODELS, ids=["tied", "untied", "parallel", "sequential", "wide_heads"])
def test_parameters_are_exact_and_flops_are_those_that_torch_counts(values: dict) -> None:
    vocab, tokens = 500, 256
    spec = TrainingSpec(model=Model(**values), batch={"sequence_tokens": tokens, "micro_batch_sequences": 2})
    model = Transformer(spec.model, vocab)
    found = estimate(spec, vocab)
    assert found.num_parameters == sum(p.numel() for p in model.parameters())
    batch = torch.randint(vocab, (2, tokens))
    objective = Objective(model, build_losses(spec))
    shares = torch.ones(sum(len(loss.names) for loss in objective.losses))
    with FlopCounterMode(display=False) as counted:
        total, _, _ = objective(batch, batch, torch.zeros_like(batch), shares)
        total.backward()
    assert counted.get_total_flops() == pytest.approx(found.flops_per_token * 2 * tokens, rel=0.02)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        model(batch, torch.zeros_like(batch))
    trunk = spec.model.model_copy(update={"mtp": None})
    assert counted.get_total_flops() == pytest.approx(
        forward_flops_per_token(trunk, vocab, tokens) * 2 * tokens, rel=0.02
    )


def test_cache_and_checkpoint_are_as_large_as_said(
    dataset: Path, make_spec: Callable[..., TrainingSpec], tmp_path: Path
) -> None:
    for kind in ("adamw", "muon"):
        spec = make_spec(optimizer={"kind": kind}, num_steps=4, checkpointing={"every_steps": 100})
        trainer.train(spec, dataset=dataset, out=tmp_path / kind, reporter=MemoryReporter())
        newest = max((tmp_path / kind / "checkpoints").iterdir())
        found = estimate(spec, 64)
        size = sum((newest / f"{part}.safetensors").stat().st_size for part in ("model", "optimizer"))
        assert size == pytest.approx(found.checkpoint_bytes, rel=0.1)
    model = Transformer(spec.model, 64).eval()
    cache = Cache(10)
    with torch.no_grad():
        model(torch.randint(64, (1, 10)), cache=cache)
    held = sum(pair.numel() * pair.element_size() for pair in cache._pairs.values())
    assert held == found.cache_bytes_per_token * 10


def test_stages_processes_and_calibration_count(make_spec: Callable[..., TrainingSpec]) -> None:
    spec = make_spec(num_steps=100)
    one, two = (estimate(make_spec(num_steps=100, resources={"num_processes": number}), 64) for number in (1, 2))
    assert two.num_tokens == 2 * one.num_tokens
    assert two.training_seconds == pytest.approx(one.training_seconds)
    faster = Calibration(flops_per_second=2 * TABLE["cpu"].flops_per_second, bytes_per_second=1e9, base_bytes=0)
    assert estimate(spec, 64, "cpu", faster).training_seconds == pytest.approx(one.training_seconds / 2)
    free = spec.model_copy(update={"dtype": "auto"})
    halved = estimate(free, 64, "cpu", TABLE["cpu"].model_copy(update={"dtype": "bfloat16"}))
    assert halved.memory_bytes <= one.memory_bytes and halved.cache_bytes == one.cache_bytes
    assert estimate(free, 64, "gpu").cache_bytes == one.cache_bytes / 2
    staged = make_spec(
        num_steps=30,
        stages=[
            {"name": "short", "num_steps": 10},
            {"name": "long", "num_steps": 20, "batch": {"sequence_tokens": 64, "micro_batch_sequences": 4}},
        ],
    )
    found = estimate(staged, 64)
    per_token = [training_flops_per_token(staged.model, 64, length) for length in (32, 64)]
    tokens = [stage.num_steps * stage.tokens_per_step for stage in staged.plan]
    expected = sum(a * b for a, b in zip(per_token, tokens, strict=True)) / sum(tokens)
    assert found.flops_per_token == pytest.approx(expected)
    assert found.cache_bytes == found.cache_bytes_per_token * 64
    halves = [
        sum(a * b for a, b in zip(per_token, part, strict=True))
        for part in ((tokens[0] / 2, 0), (tokens[0], tokens[1] / 2))
    ]
    assert [flops_until(staged.plan, staged.model, 64, steps) for steps in (0, 5, 20)] == [
        0,
        *map(pytest.approx, halves),
    ]


def test_a_run_reports_its_speed(dataset: Path, make_spec: Callable[..., TrainingSpec], tmp_path: Path) -> None:
    reporter = MemoryReporter()
    spec = make_spec()
    summary = trainer.train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    tokens = dict(reporter.series("tokens_per_second"))
    per_token = training_flops_per_token(spec.model, 64, 32)
    for step, flops in reporter.series("flops_per_second"):
        assert flops == pytest.approx(tokens[step] * per_token)
    seen = dict(reporter.series("tokens"))
    assert len(seen) == spec.num_steps
    assert {step: flops / per_token for step, flops in reporter.series("flops")} == pytest.approx(seen)
    assert min(tokens.values()) * per_token <= summary["flops_per_second"] <= max(tokens.values()) * per_token
    assert all(0 < value < 1 for _, value in reporter.series("mfu"))
    assert summary["memory_bytes"] > 1e8
