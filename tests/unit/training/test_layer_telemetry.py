"""Figures by layer: right, in the files and in the series, told to the controller, and without effect on training."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from workers.kernels.gradient_stats import measure_norms
from workers.model.attention import document_mask, max_logits, rotate
from workers.monitoring.telemetry import Decision, Telemetry
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training import trainer
from workers.training.engine import build_engine
from workers.training.loop import Loop
from workers.training.publisher import Publisher
from workers.training.silence import NoWatch
from workers.training.state import Place
from workers.training.steps import compute_gradient, measure_gradients
from workers.training.telemetry import total_norm


class Listener(NoWatch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Telemetry] = []

    def before_update(self, telemetry: Telemetry) -> Decision:
        self.told.append(telemetry)
        return Decision()

    def after_update(self, telemetry: Telemetry) -> Decision:
        self.told.append(telemetry)
        return Decision()


def test_figures_by_layer_equal_those_computed_plainly(
    dataset: Path, make_spec: Callable[..., TrainingSpec], tmp_path: Path
) -> None:
    spec = make_spec(telemetry={"every_steps": 2}, num_steps=6)
    engine = build_engine(spec, dataset, tmp_path, MemoryReporter(), Publisher(None, MemoryReporter()))
    engine.watch = listener = Listener()
    model = engine.model
    compute_gradient(engine, Place(0))
    grads = [[p.grad.double() for p in block.parameters()] for block in model.blocks]
    expected_norms = [float(torch.stack([g.square().sum() for g in layer]).sum().sqrt()) for layer in grads]
    part = engine.order.part(Place(0), 0, 1)
    rms, logits = _look_inside(engine.model, part.tokens[:1], part.documents[:1])
    before = [torch.cat([p.detach().flatten().clone() for p in block.parameters()]) for block in model.blocks]
    engine.optimizers.zero_grad()

    loop = Loop(engine)
    assert loop._step()
    ahead, behind = listener.told
    probed = {"dead_units", "attention_entropy", "effective_rank"}
    assert ahead.layers.keys() == probed | {"grad_norm", "activation_rms", "max_attention_logit"}
    assert behind.layers.keys() == ahead.layers.keys() | {"weight_norm", "update_norm", "update_ratio"}
    assert ahead.layers["grad_norm"] == pytest.approx(expected_norms, rel=1e-5)
    assert ahead.layers["activation_rms"] == pytest.approx(rms, rel=1e-5)
    assert ahead.layers["max_attention_logit"] == pytest.approx(logits, rel=1e-4)
    after = [torch.cat([p.detach().flatten() for p in block.parameters()]) for block in model.blocks]
    matrices = [torch.cat([torch.full((p.numel(),), p.ndim > 1) for p in b.parameters()]) for b in model.blocks]
    ratios = [float((a - b)[m].norm() / a[m].norm()) for a, b, m in zip(after, before, matrices, strict=True)]
    assert behind.layers["update_ratio"] == pytest.approx(ratios, rel=1e-4)
    assert behind.update_norm is not None
    outer = [p for name, p in model.named_parameters() if not name.startswith("blocks.")]
    assert total_norm(measure_norms([*outer, *after])) == pytest.approx(
        float(engine.reporter.series("weight_norm")[0][1]), rel=1e-6
    )

    assert loop._step()
    assert not listener.told[2].layers and not listener.told[3].layers, "step 1 is not measured"


def _look_inside(model: torch.nn.Module, tokens: torch.Tensor, documents: torch.Tensor) -> tuple[list, list]:
    """RMS after each block and its largest logit, by hand."""
    seen: list[tuple[float, float]] = []
    blocks = list(model.blocks)

    def look(number: int, x: torch.Tensor, arguments: tuple) -> None:
        attention = blocks[number].attention
        heads = attention.qkv(blocks[number].attention_norm(arguments[0])).unflatten(-1, (-1, attention.head_width))
        q, k, _ = heads.transpose(1, 2).split((attention.num_heads, *[attention.num_kv_heads] * 2), dim=1)
        if attention.has_rotary:
            q, k = rotate(q, *arguments[1]), rotate(k, *arguments[1])
        seen.append((float(x.square().mean().sqrt()), float(max_logits(q, k, document_mask(documents)).max())))

    hooks = [
        block.register_forward_hook(lambda module, arguments, x, number=number: look(number, x, arguments))
        for number, block in enumerate(blocks)
    ]
    with torch.no_grad():
        model.hidden(tokens, documents)
    for hook in hooks:
        hook.remove()
    return [rms for rms, _ in seen], [largest for _, largest in seen]


def test_files_hold_every_measured_step_and_the_run_is_the_same_without(
    dataset: Path, make_spec: Callable[..., TrainingSpec], tmp_path: Path
) -> None:
    losses = {}
    for every in (0, 3):
        reporter = MemoryReporter()
        spec = make_spec(telemetry={"every_steps": every, "probe_every_steps": every})
        trainer.train(spec, dataset=dataset, out=tmp_path / str(every), reporter=reporter)
        losses[every] = reporter.series("loss")
    assert losses[0] == losses[3]
    assert not (tmp_path / "0" / "telemetry").exists()
    (path,) = (tmp_path / "3" / "telemetry").iterdir()
    rows = pq.read_table(path).to_pylist()
    assert sorted({row["step"] for row in rows}) == [0, 3, 6, 9]
    assert {row["part"] for row in rows} == {"embedding", "norm", "blocks.0", "blocks.1"}
    (row,) = (row for row in rows if row["step"] == 6 and row["layer"] == 1)
    assert len(row["max_attention_logit_of_heads"]) == 4
    assert max(row["max_attention_logit_of_heads"]) == pytest.approx(row["max_attention_logit"])
    assert dict(reporter.series("layers/01/grad_norm"))[6] == row["grad_norm"]


def test_a_gradient_that_is_not_finite_shows_as_nan(
    dataset: Path, make_spec: Callable[..., TrainingSpec], tmp_path: Path
) -> None:
    engine = build_engine(make_spec(), dataset, tmp_path, MemoryReporter(), Publisher(None, MemoryReporter()))
    compute_gradient(engine, Place(0))
    assert bool(measure_gradients(engine).isfinite().all())
    engine.model.norm.weight.grad[3] = float("inf")
    norms_P = measure_gradients(engine)
    assert int(norms_P.isnan().sum()) == 1 and total_norm(norms_P) != total_norm(norms_P)


def test_norms_beyond_single_precision_are_no_infinities() -> None:
    huge = torch.full((4,), 1e30)
    torch.testing.assert_close(measure_norms([huge, torch.ones(9)]), torch.tensor([2e30, 3.0]).double())
