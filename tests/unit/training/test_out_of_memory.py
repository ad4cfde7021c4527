"""Too large for the memory: which setting to lower and by how much, in the error."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.specs.estimate import estimate
from workers.specs.training import TrainingSpec
from workers.training.out_of_memory import GIB, MARGIN, suggest

MakeSpec = Callable[..., TrainingSpec]
WIDE = {"d_model": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 1 << 15}


def needs(spec: TrainingSpec) -> float:
    return estimate(spec, 64, "gpu").memory_bytes


def of_batch(make_spec: MakeSpec, micro: int, passes: int, tokens: int = 4096) -> TrainingSpec:
    batch = {"sequence_tokens": tokens, "micro_batch_sequences": micro, "accumulation": passes}
    return make_spec(model=WIDE, batch=batch)


def test_the_largest_pass_that_fits_is_named(make_spec: MakeSpec) -> None:
    spec = of_batch(make_spec, 16, 2)
    capacity = needs(of_batch(make_spec, 4, 8)) / MARGIN * 1.01
    assert needs(of_batch(make_spec, 8, 4)) > MARGIN * capacity
    text = suggest(spec, 64, capacity, on_gpu=True)
    assert text.startswith(
        "lower batch.micro_batch_sequences from 16 to 4 and raise batch.accumulation from 2 to 8, which is the same"
    )
    assert f"GiB of {capacity / GIB:.1f}" in text


def test_where_no_pass_fits_the_length_is_named_and_then_the_model(make_spec: MakeSpec) -> None:
    spec = of_batch(make_spec, 2, 1)
    capacity = needs(of_batch(make_spec, 1, 1, tokens=1024)) / MARGIN * 1.01
    assert "lower batch.sequence_tokens from 4096 to 1024" in suggest(spec, 64, capacity, on_gpu=True)
    capacity = needs(of_batch(make_spec, 1, 1)) / MARGIN / 50
    assert "the model is 50.0 times too large, lower model.num_layers" in suggest(spec, 64, capacity, on_gpu=True)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (WIDE, "the memory of this machine does not hold this run: lower batch.micro_batch_sequences from 512 to "),
        (WIDE | {"d_ffn": 1 << 24}, "times too large, lower model.num_layers, model.d_model or model.d_ffn"),
    ],
    ids=["pass", "model"],
)
def test_a_run_that_the_memory_does_not_hold_ends_with_advice(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, model: dict[str, int], message: str
) -> None:
    spec_file = tmp_path / "spec.yaml"
    batch = {"sequence_tokens": 32, "micro_batch_sequences": 512}
    spec_file.write_text(make_spec(model=model, batch=batch).model_dump_json())
    limit = 6 * GIB
    done = subprocess.run(
        [sys.executable, "-m", "workers.training", str(spec_file), "--dataset", str(dataset), "--out", str(tmp_path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert message in " ".join(done.stderr.split()), done.stderr
