"""The gradient kernels on a real GPU against float64, in fp32 and bf16. Skips itself without one."""

import pytest
import torch

from workers.kernels.gradient_stats import BLOCK, measure_tensors, measure_tensors_reference

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1, BLOCK - 1, 5 * BLOCK + 3, 1500 * BLOCK + 17])
def test_the_kernel_equals_float64(dtype: torch.dtype, size: int) -> None:
    x = (torch.randn(size, device="cuda") * 3).to(dtype)
    if size > 100:
        x[17], x[99] = float("nan"), float("-inf")
    wide = x.double()
    finite = wide[wide.isfinite()]
    expected = torch.stack((finite.square().sum(), finite.abs().max(), (~wide.isfinite()).sum().double()))
    found = measure_tensors([x, torch.ones(3, device="cuda", dtype=dtype)])
    torch.testing.assert_close(found[0], expected, rtol=1e-5, atol=0)
    assert found[1].tolist() == [3.0, 1.0, 0.0]
    assert torch.equal(measure_tensors([x]), measure_tensors([x]))


def test_several_gradients_are_measured_together() -> None:
    grads = [torch.randn(1000, 333, device="cuda"), torch.randn(7, device="cuda")]
    torch.testing.assert_close(measure_tensors(grads), measure_tensors_reference(grads), rtol=1e-6, atol=0)
