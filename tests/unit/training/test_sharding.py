"""FSDP2 on two gloo processes: the losses of one process, and checkpoints that either reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]
TWO = {"num_processes": 2}


def batch(passes: int) -> dict[str, int]:
    return {"sequence_tokens": 32, "micro_batch_sequences": 4, "accumulation": passes}


def assert_close(found: MemoryReporter, expected: MemoryReporter) -> None:
    for key in (
        "loss",
        "grad_norm",
        "update_norm",
        "heldout_loss",
        "weight_norm",
        "layers/01/grad_norm",
        "layers/02/effective_rank",
    ):
        wanted = dict(expected.series(key))
        assert found.series(key), key
        for step, value in found.series(key):
            assert value == pytest.approx(wanted[step], rel=2e-4), (key, step)


def test_shared_out_over_two_processes_it_trains_as_one_and_changes_places_with_it(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    common: dict[str, Any] = {"model": {"d_model": 36, "num_layers": 3, "num_heads": 3, "num_kv_heads": 1, "d_ffn": 63}}
    common |= {"telemetry": {"every_steps": 3, "probe_every_steps": 3}, "z_loss_weight": 1e-4}
    one = make_spec(batch=batch(4), **common)
    two = make_spec(batch=batch(2), resources=TWO, parallel="fsdp2", **common)
    alone, shared, back = MemoryReporter(), MemoryReporter(), MemoryReporter()
    train(one, dataset=dataset, out=tmp_path / "one", reporter=alone)
    middle = next((tmp_path / "one" / "checkpoints").glob("step-00000006-*"))
    train(two, dataset=dataset, out=tmp_path / "two", reporter=shared, resume=middle)
    assert [step for step, _ in shared.series("loss")] == list(range(6, 12))
    assert_close(shared, alone)
    begun = next((tmp_path / "two" / "checkpoints").glob("step-00000006-*"))
    for file in ("model.safetensors", "optimizer.safetensors"):  # shared out and gathered again: not a bit differs
        assert (begun / file).read_bytes() == (middle / file).read_bytes()
    train(one, dataset=dataset, out=tmp_path / "back", reporter=back, resume=begun)
    assert back.series("loss") == alone.series("loss")[6:]


def test_what_works_on_whole_matrices_is_refused(make_spec: MakeSpec) -> None:
    with pytest.raises(ValueError, match="optimizer muon works on whole matrices"):
        make_spec(parallel="fsdp2", optimizer={"kind": "muon"})
    with pytest.raises(ValueError, match="clipping adagc measures tensor by tensor"):
        make_spec(parallel="fsdp2", clipping={"kind": "adagc"})
    with pytest.raises(ValueError, match="drill bit_flip changes whole weights"):
        make_spec(parallel="fsdp2", drills=[{"kind": "bit_flip", "step": 1}])
