"""alpha X X^T + beta A of symmetric A, by the tiles on and below the diagonal alone: half the work of a plain matmul.

Each Newton-Schulz step of Muon makes two such products, of X and of its Gram matrix (which equals its own transpose).
The idea stands at https://kellerjordan.github.io/posts/muon/ and in arXiv 2505.16932 (section on runtime).

Shapes: B matrices, M rows, K columns.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 64
DEPTH = 32
MIN_ROWS = 256
"""Below it a matrix has too few tiles for the half that is left out to matter."""


@triton.jit
def multiply_tile(
    x_BMK, add_BMM, out_BMM, num_rows, num_columns, alpha, beta, HAS_ADD: tl.constexpr, TILE: tl.constexpr,
    DEPTH: tl.constexpr,
):  # fmt: skip
    """One tile on or below the diagonal, and its mirror image.  (B, M, K), (B, M, M) -> (B, M, M), all contiguous"""
    row, column, batch = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    if column > row:
        return
    rows_t = row * TILE + tl.arange(0, TILE)
    columns_t = column * TILE + tl.arange(0, TILE)
    x = x_BMK + batch * num_rows * num_columns
    total_tt = tl.zeros([TILE, TILE], dtype=tl.float32)
    for start in range(0, num_columns, DEPTH):
        places_d = start + tl.arange(0, DEPTH)
        inside_d = (places_d < num_columns)[None, :]
        left_td = tl.load(
            x + rows_t[:, None] * num_columns + places_d[None, :],
            mask=(rows_t < num_rows)[:, None] & inside_d,
            other=0.0,
        )
        right_td = tl.load(
            x + columns_t[:, None] * num_columns + places_d[None, :],
            mask=(columns_t < num_rows)[:, None] & inside_d,
            other=0.0,
        )
        total_tt += tl.dot(left_td, tl.trans(right_td), input_precision="ieee")
    total_tt *= alpha
    inside_tt = (rows_t < num_rows)[:, None] & (columns_t < num_rows)[None, :]
    at_tt = batch * num_rows * num_rows + rows_t[:, None] * num_rows + columns_t[None, :]
    if HAS_ADD:
        total_tt += beta * tl.load(add_BMM + at_tt, mask=inside_tt, other=0.0).to(tl.float32)
    tile_tt = total_tt.to(out_BMM.dtype.element_ty)
    tl.store(out_BMM + at_tt, tile_tt, mask=inside_tt)
    if column < row:
        mirror_tt = batch * num_rows * num_rows + columns_t[:, None] * num_rows + rows_t[None, :]
        tl.store(out_BMM + mirror_tt, tl.trans(tile_tt), mask=tl.trans(inside_tt))


def multiply_tiles(x_BMK: Tensor, add_BMM: Tensor | None = None, alpha: float = 1.0, beta: float = 0.0) -> Tensor:
    """The product by the Triton kernel.  (B, M, K), (B, M, M) symmetric -> (B, M, M)"""
    x_BMK = x_BMK.contiguous()
    B, M, K = x_BMK.shape
    out_BMM = x_BMK.new_empty(B, M, M)
    num_tiles = triton.cdiv(M, TILE)
    added = x_BMK if add_BMM is None else add_BMM.contiguous()
    multiply_tile[(num_tiles, num_tiles, B)](
        x_BMK, added, out_BMM, M, K, alpha, beta, HAS_ADD=add_BMM is not None, TILE=TILE, DEPTH=DEPTH
    )
    return out_BMM


def symmetric_product_reference(
    x_BMK: Tensor, add_BMM: Tensor | None = None, alpha: float = 1.0, beta: float = 0.0
) -> Tensor:
    """The same by a plain matmul."""
    if add_BMM is None:
        return x_BMK @ x_BMK.mT if alpha == 1 else alpha * (x_BMK @ x_BMK.mT)
    return torch.baddbmm(add_BMM, x_BMK, x_BMK.mT, beta=beta, alpha=alpha)


def symmetric_product(x_BMK: Tensor, add_BMM: Tensor | None = None, alpha: float = 1.0, beta: float = 0.0) -> Tensor:
    """alpha X X^T + beta A: the kernel on CUDA where matrices are large enough, the reference elsewhere.

    `add_BMM` must be symmetric: only its lower half is read.  (B, M, K), (B, M, M) -> (B, M, M)
    """
    if x_BMK.is_cuda and x_BMK.shape[1] >= MIN_ROWS:
        return multiply_tiles(x_BMK, add_BMM, alpha, beta)
    return symmetric_product_reference(x_BMK, add_BMM, alpha, beta)
