"""What a run depends on beside its spec: code, packages, machine. Told with each attempt, for `headrace reproduce`."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

MAX_DIFF_CHARACTERS = 100_000
_GIT_SECONDS = 10.0
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "TORCH_LOGS")


def describe_environment() -> dict[str, Any]:
    """Code, packages and machine of this process, JSON-ready. What cannot be found out is None."""
    return {
        "headrace": _version("headrace"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "num_cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _gpus(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "packages": installed_packages(),
        **describe_code(Path(__file__).resolve().parent.parent),
    }


def describe_code(folder: Path) -> dict[str, Any]:
    """Commit of the checkout, and what differs from it. All None where `folder` is no checkout of its own."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or Path(top) != folder:  # an installed copy may lie inside a repository of the user's
        return {"commit": None, "dirty": None, "diff": None}
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    diff = _git(folder, "diff", "HEAD") if changes else ""
    return {
        "commit": _git(folder, "rev-parse", "HEAD"),
        "dirty": bool(changes),
        "diff": None if diff is None else diff[:MAX_DIFF_CHARACTERS],
    }


def installed_packages() -> dict[str, str]:
    """Version by name of each distribution that is installed."""
    found = ((distribution.name, distribution.version) for distribution in metadata.distributions())
    return dict(sorted((name.lower().replace("_", "-"), version) for name, version in found if name))


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, errors="replace", timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _gpus() -> list[str]:
    """Names of the NVIDIA GPUs. A process that has not loaded torch does not load it for this."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []
