"""What the hardware can do itself."""

import torch


def has_fast_bfloat16(device: torch.device) -> bool:
    """Does the hardware multiply bfloat16 itself? CPUs without AVX512-BF16 or AMX emulate it, some 100 times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))
    return False
