"""The keeper, and children that end with their parent: nothing outlives what started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

KEEPER = [
    sys.executable,
    "-c",
    "import sys; from app.services import keeper; keeper._GRACE_SECONDS = 1; sys.exit(keeper.keep(sys.argv[1:]))",
]
# starts a process in a session of its own, which ignores SIGTERM when told so, writes its pid and waits
PARENT = """
import subprocess, sys, time
ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" if sys.argv[2] == "deaf" else ""
child = subprocess.Popen([sys.executable, "-c", ignore + "import time; time.sleep(300)"], start_new_session=True)
time.sleep(0.3)
open(sys.argv[1] + ".new", "w").write(str(child.pid))
import os; os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(float(sys.argv[3]))
"""


def wait(until: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def start(tmp_path: Path, ears: str = "open", seconds: float = 300) -> tuple[subprocess.Popen[bytes], int, int]:
    """The keeper, the pid of its command, the pid of the command's child."""
    keeper = subprocess.Popen([*KEEPER, sys.executable, "-c", PARENT, str(tmp_path / "pid"), ears, str(seconds)])
    wait((tmp_path / "pid").exists)
    command = psutil.Process(keeper.pid).children()[0].pid
    return keeper, command, int((tmp_path / "pid").read_text())


def test_grandchild_ends_when_the_command_is_killed(tmp_path):
    keeper, command, grandchild = start(tmp_path)
    os.kill(command, signal.SIGKILL)
    assert keeper.wait(30) == 128 + signal.SIGKILL
    assert not alive(grandchild)


def test_grandchild_ends_when_the_command_ends(tmp_path):
    keeper, _, grandchild = start(tmp_path, seconds=0.1)
    assert keeper.wait(30) == 0
    assert not alive(grandchild)


def test_sigterm_ends_all_also_what_ignores_it(tmp_path):
    keeper, command, grandchild = start(tmp_path, ears="deaf")
    keeper.terminate()
    keeper.wait(40)
    assert not alive(command)
    assert not alive(grandchild)


def test_command_ends_when_the_keeper_is_killed(tmp_path):
    keeper, command, grandchild = start(tmp_path)
    keeper.kill()
    keeper.wait()
    wait(lambda: not alive(command))
    if alive(grandchild):  # has fallen to whoever is above the keeper
        os.kill(grandchild, signal.SIGKILL)
