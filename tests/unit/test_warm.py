"""What the warm process of a worker holds, and flow runs without one."""

import os
import subprocess
import sys
from pathlib import Path

from flows.start import SOCKET

ROOT = Path(__file__).parents[2]
LOADED = """
import importlib, sys, threading
from flows.warm import modules_of
for name in modules_of("cpu") + modules_of("control"):
    importlib.import_module(name)
import torch
print([thread.name for thread in threading.enumerate()], torch.cuda.is_initialized())
"""


def environment(**changes):
    return os.environ | {"PYTHONPATH": str(ROOT)} | changes


def test_what_is_loaded_starts_no_thread_and_leaves_the_gpu_alone():
    """A fork has one thread only: a lock that another one held would stay locked. A fork cannot use a GPU that its
    parent has used."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], env=environment(), capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "['MainThread'] False"


def test_control_flows_load_no_torch():
    code = LOADED.replace('modules_of("cpu") + ', "").split("import torch\n")[0] + "print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "False"


def test_without_a_warm_process_the_engine_loads_for_itself(tmp_path):
    asked = environment(
        **{SOCKET: str(tmp_path / "nobody"), "PREFECT__FLOW_RUN_ID": "no id", "PREFECT_HOME": str(tmp_path)}
    )
    done = subprocess.run([sys.executable, "-m", "flows.start"], env=asked, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Invalid flow run id" in done.stdout + done.stderr
