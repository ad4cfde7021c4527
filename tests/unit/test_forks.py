"""Forks of a process that is loaded already, with real processes: streams, environment, codes, signals, nobody left."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from workers.forks import changed_file, loaded_files

ROOT = Path(__file__).parents[2]
SERVER = """
import os, subprocess, sys, time
from workers.forks import ForkServer

def job():
    what = os.environ["WHAT"]
    print("out", what, os.getcwd(), os.environ.get("ONLY_IN_SERVER"), "plenty" in sys.modules, flush=True)
    print("err", file=sys.stderr, flush=True)
    if what == "raise":
        raise ValueError("of the job")
    if what.startswith("code"):
        sys.exit(int(what[4:]))
    if what == "random":
        import random
        print(random.random(), flush=True)
    if what == "sleep":
        subprocess.Popen(["sleep", "300"])
        time.sleep(300)

sys.exit(ForkServer(sys.argv[1:], "ASK_AT", ("plenty",), "the-job").serve(job))
"""
IDLE = "import sys, os; print(os.environ['ASK_AT'], flush=True); sys.stdin.read(); sys.exit(7)"
STAND_IN = """
import os, sys
from workers.stand_in import stand_in
sys.exit(stand_in(os.environ.get("ASK_AT", ""), [sys.executable, "-c", "print('for itself')"]))
"""


@pytest.fixture
def server(tmp_path):
    """A fork server whose command waits for the end of its input."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    (tmp_path / "plenty.py").write_text("what = 'takes long to load'\n")
    process = subprocess.Popen(
        [sys.executable, str(script), sys.executable, "-c", IDLE],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(ONLY_IN_SERVER="yes"),
    )  # fmt: skip
    process.address = process.stdout.readline().strip()
    wait_until(lambda: Path(process.address).exists())
    yield process
    process.stdin.close()  # its command ends, and so does it
    process.wait(20)


def environment(**changes):
    return os.environ | {"PYTHONPATH": str(ROOT)} | changes


def wait_until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start(server, what, folder):
    return subprocess.Popen(
        [sys.executable, "-c", STAND_IN], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(WHAT=what, ASK_AT=server.address),
    )  # fmt: skip


def forks(server):
    return [child for child in psutil.Process(server.pid).children() if "server.py" in " ".join(child.cmdline())]


def gone(processes):
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.mark.parametrize(("what", "code"), [("code0", 0), ("code3", 3), ("raise", 1), ("end", 0)])
def test_a_fork_has_the_askers_place_and_its_code_comes_back(server, tmp_path, what, code):
    asker = start(server, what, tmp_path)
    out, err = asker.communicate(timeout=20)
    assert asker.returncode == code
    assert out == f"out {what} {tmp_path} None True\n"
    assert err.startswith("err\n")
    assert ("ValueError: of the job" in err) is (what == "raise")


def test_fifty_at_once_leave_nothing_open_and_nothing_dead(server, tmp_path):
    before = len(psutil.Process(server.pid).open_files()), psutil.Process(server.pid).num_fds()
    askers = [start(server, f"code{n}", tmp_path) for n in range(50)]
    assert [asker.wait(60) for asker in askers] == list(range(50))
    wait_until(lambda: not forks(server))
    assert (len(psutil.Process(server.pid).open_files()), psutil.Process(server.pid).num_fds()) == before
    for asker in askers:
        asker.communicate()
    server.stdin.close()
    assert server.wait(20) == 7, "it ends with its command, and with its code"
    assert not Path(server.address).parent.exists()


def test_forks_do_not_share_their_randomness(server, tmp_path):
    said = [start(server, "random", tmp_path).communicate(timeout=20)[0].splitlines()[1] for _ in range(2)]
    assert said[0] != said[1]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_asker_ends_the_fork_with_its_children(server, tmp_path, sent):
    asker = start(server, "sleep", tmp_path)
    assert asker.stdout.readline().startswith("out sleep")
    (fork,) = forks(server)
    wait_until(fork.children)
    assert fork.name() == "the-job"
    family = [fork, *fork.children()]
    asker.send_signal(sent)
    assert asker.wait(20) == -sent
    wait_until(lambda: gone([fork]))
    if sent == signal.SIGKILL:  # nobody could be asked to tidy up: the fork takes its children along
        wait_until(lambda: gone(family))
    else:
        family[1].kill()
    assert start(server, "code4", tmp_path).wait(20) == 4, "the server goes on"


def test_a_killed_server_takes_its_forks_along(server, tmp_path):
    asker = start(server, "sleep", tmp_path)
    assert asker.stdout.readline().startswith("out sleep")
    (fork,) = forks(server)
    wait_until(fork.children)
    family = [fork, *fork.children()]
    server.kill()
    assert asker.wait(20) == -signal.SIGKILL
    wait_until(lambda: gone(family))
    assert start(server, "code4", tmp_path).communicate(timeout=20)[0] == "for itself\n"


def test_a_killed_fork_is_told_as_killed(server, tmp_path):
    asker = start(server, "sleep", tmp_path)
    assert asker.stdout.readline().startswith("out sleep")
    (fork,) = forks(server)
    wait_until(fork.children)
    (child,) = fork.children()
    fork.kill()
    assert asker.wait(20) == -signal.SIGKILL
    child.kill()


def test_jobs_do_not_run_on_code_that_has_changed(server, tmp_path):
    (tmp_path / "plenty.py").write_text("what = 'takes even longer'\n")
    out, _ = start(server, "code3", tmp_path).communicate(timeout=20)
    assert out == "for itself\n"


def test_a_change_is_seen_by_time_size_and_absence(tmp_path):
    loaded = loaded_files()
    assert changed_file(loaded) is None
    file = tmp_path / "one.py"
    file.write_text("a = 1\n")
    before = {str(file): (file.stat().st_mtime_ns, file.stat().st_size)}
    assert changed_file(before) is None
    file.unlink()
    assert changed_file(loaded | before) == str(file)


def test_a_request_that_makes_no_sense_harms_nobody(server, tmp_path):
    for content in (b"", b"\0" * 8, (5).to_bytes(8, "big") + b"[1,2]", json.dumps({}).encode()):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(server.address)
            connection.sendall(content)
    assert start(server, "code0", tmp_path).wait(20) == 0


def test_a_folder_that_is_gone_fails_the_job_alone(server, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd())\n" + STAND_IN.replace(
        "import os, sys\n", "from pathlib import Path\n"
    ).replace("sys.exit(", f"Path.cwd = classmethod(lambda cls: cls({str(folder)!r})); sys.exit(")
    asker = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment(WHAT="code0", ASK_AT=server.address),
    )  # fmt: skip
    asker.communicate(timeout=20)
    assert asker.returncode == 1
    assert start(server, "code4", tmp_path).wait(20) == 4


@pytest.mark.parametrize("address", ["", "nobody"])
def test_without_a_server_the_job_loads_for_itself(tmp_path, address):
    asked = environment(ASK_AT=str(tmp_path / address) if address else "")
    done = subprocess.run([sys.executable, "-c", STAND_IN], env=asked, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "for itself\n")
