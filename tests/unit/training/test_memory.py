"""Freed memory stays with the process, so that the next step finds it mapped."""

import platform
import resource
import subprocess
import sys

import pytest

CODE = """
import resource, sys, torch
from workers.training.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
torch.set_num_threads(1)
def work():
    for _ in range(20):
        torch.ones(12_000_000)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_a_step_touches_no_fresh_pages() -> None:
    faults = {
        mode: int(
            subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, check=True, timeout=120).stdout
        )
        for mode in ("keep", "default")
    }
    pages = 20 * 48_000_000 // resource.getpagesize()
    assert faults["default"] > pages // 20, "the default allocator maps large tensors anew"
    assert faults["keep"] < faults["default"] // 10
