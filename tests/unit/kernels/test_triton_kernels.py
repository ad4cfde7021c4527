"""Triton kernels against float64 in the interpreter, in fp32 and on fresh random inputs; and they compile for GPUs
without one, in the memory that these have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import numpy as np, torch
seed = int.from_bytes(__import__("os").urandom(4), "little")
torch.manual_seed(seed)
rng = np.random.default_rng(seed)
def close(found, expected, what, rtol=3e-5, floor=1e-3):
    scale = max(expected.abs().max().item(), floor)
    say = lambda text: f"{what}, seed {seed}: {text}"
    torch.testing.assert_close(found.double(), expected, rtol=rtol, atol=rtol * scale, msg=say)
"""

SYMMETRIC = """
from workers.kernels.symmetric_product import multiply_tiles, symmetric_product_reference
for B, M, K in ((1, 1, 1), (2, 64, 32), (2, 65, 33), (1, 130, 200)):
    x = torch.randn(B, M, K) * 10.0 ** rng.uniform(-2, 2)
    close(multiply_tiles(x), x.double() @ x.double().mT, f"X X^T {B, M, K}")
    a = torch.randn(B, M, M); a = a + a.mT
    alpha, beta = rng.normal(size=2)
    expected = symmetric_product_reference(x.double(), a.double(), alpha, beta)
    close(multiply_tiles(x, a, alpha, beta), expected, f"with a matrix {B, M, K}")
print("checked")
"""

CHUNK_LOSS = """
from workers.kernels import chunk_loss
from workers.kernels.chunk_loss import reduce_rows, reduce_rows_reference
chunk_loss.BLOCK = 64  # so that a row takes several blocks
for n, V in ((1, 1), (5, 64), (7, 200)):
    for has_targets, has_teacher in ((True, False), (False, True), (True, True)):
        logits = torch.randn(n, V) * 10.0 ** rng.uniform(-1, 1.5)
        given = {"z_weight": rng.uniform(0, 0.1), "temperature": rng.uniform(0.5, 4)}
        if has_targets:
            given["targets_n"] = torch.where(torch.rand(n) < 0.3, -100, torch.randint(V, (n,)))
        if has_teacher:
            given |= {"teacher_nV": torch.randn(n, V) * 3, "kl_weights_n": torch.rand(n)}
        wide = {k: v.double() if torch.is_tensor(v) and v.is_floating_point() else v for k, v in given.items()}
        expected, expected_grad = reduce_rows_reference(logits.double(), **wide)
        found = reduce_rows(logits, **given)
        for name, mine, theirs in zip(found._fields, found, expected):
            close(mine, theirs, f"{name} {n, V, has_targets, has_teacher}", floor=0.1)
        close(logits, expected_grad, f"gradient {n, V, has_targets, has_teacher}", floor=0.1)
try:
    reduce_rows(torch.randn(4, 6).T)
    raise SystemExit("a view was taken")
except ValueError:
    print("checked")
"""

ATTENTION = """
from workers.kernels.document_attention import document_attention_reference
from workers.kernels import flash_attention as kernel
from workers.model.attention import document_mask, max_logits
kernel.TILE_Q, kernel.TILE_K = 32, 16  # so that a row takes several tiles
for B, H, G, T, D in ((1, 1, 1, 1, 16), (2, 4, 2, 50, 16), (1, 6, 2, 97, 24), (2, 2, 1, 64, 32)):
    lengths = rng.integers(1, 40, size=(B, T))
    documents = torch.from_numpy(np.stack([np.repeat(np.arange(T), row)[:T] for row in lengths]))
    shapes = ((B, H, T, D), (B, G, T, D), (B, G, T, D))
    q, k, v = ((torch.randn(shape) * 2).requires_grad_() for shape in shapes)
    mixed, largest = kernel.flash_attention(q, k, v, documents)
    weight = torch.randn_like(mixed)
    (mixed * weight).sum().backward()
    wide = [x.detach().double().requires_grad_() for x in (q, k, v)]
    expected = document_attention_reference(*wide, documents)
    (expected * weight).sum().backward()
    what = f"{B, H, G, T, D}"
    close(mixed, expected.detach(), f"mixed {what}")
    close(largest, max_logits(q, k, document_mask(documents)).double(), f"largest logit {what}")
    for name, mine, theirs in zip("qkv", (q, k, v), wide):
        close(mine.grad, theirs.grad, f"gradient of {name} {what}", 1e-4, floor=1.0)
print("checked")
"""

COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from workers.kernels import chunk_loss, flash_attention, symmetric_product
f, i = "*bf16", "i32"
tiles = {"WIDTH": 128, "TILE_Q": flash_attention.TILE_Q, "TILE_K": flash_attention.TILE_K}
sizes = dict.fromkeys(("num_heads", "num_groups", "num_tokens", "width"), i) | {"scale": "fp32"}
kinds = sizes | dict.fromkeys(("sums_BHT", "dots_BHT", "largest_BHn"), "*fp32")
kinds |= dict.fromkeys(("starts_BT", "ends_BT"), "*i32")
given = [
    (symmetric_product.multiply_tile, {"num_rows": i, "num_columns": i, "alpha": "fp32", "beta": "fp32"},
     {"HAS_ADD": True, "TILE": symmetric_product.TILE, "DEPTH": symmetric_product.DEPTH}),
    (chunk_loss.reduce_row, {"targets_n": "*i64", "kl_weights_n": "*fp32", "losses_3n": "*fp32", "num_places": i,
     "num_tokens": i, "ignored": i, "z_weight": "fp32", "temperature": "fp32"},
     {"HAS_TARGETS": True, "HAS_TEACHER": True, "BLOCK": chunk_loss.BLOCK}),
    (flash_attention.attend_forward, kinds, tiles),
    (flash_attention.attend_backward_queries, kinds, tiles),
    (flash_attention.attend_backward_keys, kinds, tiles),
]
memory = {80: 163 * 1024, 90: 227 * 1024, 100: 227 * 1024}
for function, types, constants in given:
    signature = {a: types.get(a, "constexpr" if a in constants else f) for a in function.arg_names}
    source = ASTSource(fn=function, signature=signature, constexprs=constants)
    for capability, available in memory.items():
        kernel = triton.compile(source, target=GPUTarget("cuda", capability, 32))
        assert len(kernel.asm["cubin"]) > 1000, (function.__name__, capability)
        assert kernel.metadata.shared <= available, (function.__name__, capability, kernel.metadata.shared)
        target = next(line for line in kernel.asm["ptx"].splitlines() if line.startswith(".target")).split()[1]
        print(function.__name__, target)
"""


def run_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    "code", [SYMMETRIC, CHUNK_LOSS, ATTENTION], ids=["symmetric product", "chunk loss", "attention"]
)
def test_a_kernel_equals_float64_in_the_interpreter(code: str) -> None:
    assert run_python(HEAD + code, TRITON_INTERPRET="1") == "checked\n"


def test_the_kernels_compile_for_ampere_hopper_and_blackwell_and_fit_their_memory(tmp_path: Path) -> None:
    compiled = run_python(COMPILED, TRITON_CACHE_DIR=str(tmp_path)).splitlines()
    assert len(compiled) == 15
    assert {line.split()[1] for line in compiled} == {"sm_80", "sm_90a", "sm_100a"}
