"""Runs a command and measures it with all its children: wall and CPU seconds, and the peak of their resident memory."""

import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_TIMEOUT_SECONDS = 4 * 3600
_INTERVAL_SECONDS = 0.1


class BenchmarkError(RuntimeError):
    """A measured command failed."""


@dataclass(frozen=True)
class Cost:
    """What a run took."""

    seconds: float
    cpu_seconds: float
    """User and system time of all processes: little changed by what else runs on the machine."""
    rss_mb: float
    """Peak of the resident memory of the process tree, in MB; pages that processes share count once each."""


def measure(command: list[str], log: Path) -> Cost:
    """Run to the end; the output goes into the file `log`. Raises BenchmarkError with its last lines."""
    with log.open("w", encoding="utf-8") as output:
        start, start_cpu = time.monotonic(), _children_seconds()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident_bytes(process.pid))
            if time.monotonic() - start > _TIMEOUT_SECONDS:
                process.kill()
                raise BenchmarkError(f"{command[1]} did not end in {_TIMEOUT_SECONDS} s; see {log}")
            time.sleep(_INTERVAL_SECONDS)
        seconds = time.monotonic() - start
    if process.returncode:
        raise BenchmarkError(f"{command[1]} failed:\n{log.read_text(encoding='utf-8')[-3000:]}")
    return Cost(seconds, _children_seconds() - start_cpu, peak / 1e6)


def _children_seconds() -> float:
    """CPU time of the children that ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident_bytes(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:  # it ended meanwhile
                continue
    except psutil.Error:
        return total
    return total
