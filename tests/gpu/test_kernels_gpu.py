"""The Triton kernels on a real GPU against float64, in bfloat16. They skip themselves without one."""

import pytest
import torch

from workers.kernels.chunk_loss import reduce_rows, reduce_rows_reference
from workers.kernels.document_attention import document_attention_reference
from workers.kernels.flash_attention import flash_attention
from workers.kernels.symmetric_product import multiply_tiles
from workers.model.attention import document_mask, max_logits

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")

STEP = 2.0**-8
"""Relative spacing of bfloat16."""


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize(("B", "M", "K"), [(3, 256, 1024), (1, 1000, 333)])
def test_the_symmetric_product_is_as_near_as_its_type_allows(B: int, M: int, K: int) -> None:
    x = torch.randn(B, M, K, device="cuda", dtype=torch.bfloat16)
    product = multiply_tiles(x)
    assert relative_error(product, x.double() @ x.double().mT) < STEP
    assert torch.equal(product, product.mT)


@pytest.mark.parametrize("V", [50_257, 128_256])
def test_a_chunk_of_logits_gives_loss_and_gradient(V: int) -> None:
    logits = torch.randn(64, V, device="cuda") * 4
    targets = torch.where(torch.rand(64, device="cuda") < 0.2, -100, torch.randint(V, (64,), device="cuda"))
    expected, gradient = reduce_rows_reference(logits.double(), targets, z_weight=1e-3)
    found = reduce_rows(logits, targets, z_weight=1e-3)
    torch.testing.assert_close(found.cross_entropy_n.double(), expected.cross_entropy_n, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.z_n.double(), expected.z_n, rtol=1e-5, atol=1e-6)
    assert relative_error(logits, gradient) < 1e-4


@pytest.mark.parametrize(("H", "G", "T", "D"), [(8, 2, 1024, 64), (4, 4, 777, 128)])
def test_attention_and_its_gradients(H: int, G: int, T: int, D: int) -> None:
    documents = torch.randint(0, 2, (2, T), device="cuda").mul(torch.rand(2, T, device="cuda") < 0.02).cumsum(1)
    shapes = ((2, H, T, D), (2, G, T, D), (2, G, T, D))
    q, k, v = (torch.randn(s, device="cuda", dtype=torch.bfloat16, requires_grad=True) for s in shapes)
    mixed, largest = flash_attention(q, k, v, documents)
    mixed.float().square().sum().backward()
    wide = [x.detach().double().requires_grad_() for x in (q, k, v)]
    expected = document_attention_reference(*wide, documents)
    expected.square().sum().backward()
    assert relative_error(mixed, expected.detach()) < 2 * STEP
    torch.testing.assert_close(largest, max_logits(q, k, document_mask(documents)), rtol=1e-3, atol=1e-3)
    for mine, theirs in zip((q, k, v), wide, strict=True):
        assert relative_error(mine.grad, theirs.grad) < 5 * STEP
