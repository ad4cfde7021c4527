"""Gradient statistics against float64, in Triton's interpreter; and the kernel compiles for GPUs without one."""

import os
import subprocess
import sys

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.kernels.gradient_stats import measure_tensors_reference

INTERPRETED = """
import numpy as np, torch
from workers.kernels import gradient_stats
from workers.kernels.gradient_stats import measure_tensors
gradient_stats.BLOCK, gradient_stats.MAX_BLOCKS = 64, 2  # so that a tensor takes several jobs
seed = int.from_bytes(__import__("os").urandom(4), "little")
rng = np.random.default_rng(seed)
tensors, expected = [], []
for size in (1, 7, 64, 65, 300, 0, 129):
    x = (rng.standard_normal(size) * 10.0 ** rng.uniform(-3, 3)).astype(np.float32)
    num_strange = int(rng.integers(0, min(size, 5))) if size else 0
    x[rng.choice(size, num_strange, replace=False)] = rng.choice([np.nan, np.inf, -np.inf], num_strange)
    wide = x.astype(np.float64)[np.isfinite(x)]
    tensors.append(torch.from_numpy(x))
    expected.append([np.square(wide).sum(), np.abs(wide).max(initial=0), num_strange])
tensors.append(torch.arange(12.0).reshape(3, 4).T)  # a view that does not lie in one piece
expected.append([506.0, 11.0, 0])
found = measure_tensors(tensors).numpy()
np.testing.assert_allclose(found, expected, rtol=2e-6, err_msg=f"seed {seed}")
np.testing.assert_array_equal(found, measure_tensors(tensors).numpy())
mixed = [tensors[0], tensors[4].half(), tensors[6]]
wide = [x.double()[x.isfinite()].square().sum() for x in mixed]
np.testing.assert_allclose(measure_tensors(mixed)[:, 0].numpy(), wide, rtol=2e-6, err_msg=f"types, seed {seed}")
try:
    measure_tensors([torch.zeros(3, dtype=torch.int64)])
except ValueError:
    print("checked")
"""

COMPILED = """
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from workers.kernels.gradient_stats import BLOCK, MAX_BLOCKS, add_pieces, reduce_pieces
tables = {"partial_3J": "*fp32", "result_P3": "*fp64", "num_jobs": "i32"}
sizes = {"BLOCK": BLOCK, "MAX_BLOCKS": MAX_BLOCKS}
given = [(reduce_pieces, sizes | {"TYPE": kind}) for kind in (tl.float32, tl.bfloat16)]
for function, constants in [*given, (add_pieces, {"BLOCK": 256})]:
    names = function.arg_names
    signature = {name: tables.get(name, "constexpr" if name in constants else "*i64") for name in names}
    source = ASTSource(fn=function, signature=signature, constexprs=constants)
    for capability in (80, 90, 100):
        kernel = triton.compile(source, target=GPUTarget("cuda", capability, 32))
        assert len(kernel.asm["cubin"]) > 1000, capability
        print(next(line for line in kernel.asm["ptx"].splitlines() if line.startswith(".target")))
"""


def run_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_kernels_equal_float64_in_the_interpreter() -> None:
    assert run_python(INTERPRETED, TRITON_INTERPRET="1") == "checked\n"


def test_the_kernels_compile_for_ampere_hopper_and_blackwell(tmp_path: str) -> None:
    targets = run_python(COMPILED, TRITON_CACHE_DIR=str(tmp_path)).split("\n")
    assert [t.split()[1] for t in targets if t] == ["sm_80", "sm_90a", "sm_100a"] * 3


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 300), min_size=1, max_size=5), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_the_reference_over_several_tensors_equals_float64(seed: int, sizes: list[int], num_strange: int) -> None:
    rng = np.random.default_rng(seed)
    grads = [(rng.standard_normal(size) * 10.0 ** rng.uniform(-8, 8)).astype(np.float32) for size in sizes]
    num_strange = min(num_strange, sizes[0])
    grads[0][rng.choice(sizes[0], num_strange, replace=False)] = np.nan
    found = measure_tensors_reference([torch.from_numpy(g) for g in grads]).numpy()
    for row, grad in zip(found, grads, strict=True):
        wide = grad.astype(np.float64)
        finite = wide[np.isfinite(wide)]
        expected = [np.square(finite).sum(), np.abs(finite).max(initial=0), len(wide) - len(finite)]
        np.testing.assert_allclose(row, expected, rtol=1e-12)
