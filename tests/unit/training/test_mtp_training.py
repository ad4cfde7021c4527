"""Training with heads for tokens after the next: what is reported, learnt, resumed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from workers.model.checkpoint import load_model
from workers.model.generate import generate
from workers.model.speculative import speculate
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.errors import InputError
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]
MODEL = {"d_model": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 64}


@pytest.mark.parametrize("mtp", [{"kind": "sequential", "num_heads": 2}, {"kind": "parallel", "num_heads": 2}])
def test_heads_learn_and_are_reported_over_any_passes(
    mtp: dict[str, object], dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    series = []
    for micro, passes in ((8, 1), (2, 4)):
        reporter = MemoryReporter()
        batch = {"sequence_tokens": 32, "micro_batch_sequences": micro, "accumulation": passes}
        spec = make_spec(model=MODEL | {"mtp": mtp}, batch=batch, num_steps=40)
        summary = train(spec, dataset=dataset, out=tmp_path / str(micro), reporter=reporter)
        series.append([[value for _, value in reporter.series(f"loss/mtp_{k}")] for k in (1, 2)])
    assert series[0][0] == pytest.approx(series[1][0], rel=1e-3)
    assert series[0][1] == pytest.approx(series[1][1], rel=1e-3)
    for losses in series[0]:
        assert len(losses) == 40
        assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    model, model_spec, vocab_size = load_model(Path(summary["checkpoint"]))
    assert summary["num_parameters"] == model_spec.num_parameters(vocab_size)
    with torch.no_grad():
        plain = list(generate(model, [4, 7], num_tokens=30))
    assert list(speculate(model, [4, 7], num_tokens=30)) == plain


def test_another_weight_is_another_run(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    changes = {"model": MODEL | {"mtp": {"kind": "parallel", "num_heads": 1}}, "num_steps": 4}
    out = train(make_spec(**changes), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    other = make_spec(**changes, mtp_weight={"points": [{"share": 0, "weight": 1}]})
    with pytest.raises(InputError, match="mtp_weight"):
        train(other, dataset=dataset, out=tmp_path, reporter=MemoryReporter(), resume=Path(out["checkpoint"]))
