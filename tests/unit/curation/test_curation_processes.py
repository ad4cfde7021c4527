"""Worker processes: order, blame for a crash on the one document that caused it, and no orphans."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workers.curation.engine.local import Processes, WorkersEndError

_settings = [0]


def set_offset(value: int) -> None:
    _settings[:] = [value]


def work(batch: list[int]) -> list[int]:
    """Adds the offset; a negative item ends the process as a crash in a library would, 7 is slow, 13 is an error."""
    for item in batch:
        if item < 0:
            os.kill(os.getpid(), signal.SIGSEGV)
        if item == 13:
            raise ValueError("thirteen")
        time.sleep(0.2 if item == 7 else 0)
    return [item + _settings[0] for item in batch]


def die_once(batch: list[str]) -> list[str]:
    """Ends its process when it meets a name that no file has, and makes the file: the second time it works."""
    for name in batch:
        if not Path(name).exists():
            Path(name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return batch


def fail_to_start() -> None:
    os._exit(3)


def batches(*items: list[int]) -> Iterator[list[int]]:
    yield from items


def test_results_come_in_order_and_a_crash_costs_one_item() -> None:
    with Processes(2, set_offset, (100,)) as pool:
        found = list(
            pool.map(work, batches([7], [1, 2], [3, -1, 4], [5], [6], *[[i] for i in range(20, 30)]), lambda _: 0)
        )
    assert found == [[107], [101, 102], [103, 100, 104], [105], [106], *[[i + 100] for i in range(20, 30)]]


def test_a_batch_of_nothing_but_crashes_is_replaced_as_well() -> None:
    with Processes(1, set_offset, (0,)) as pool:
        assert list(pool.map(work, batches([-1, -2], [5]), lambda item: 10 - item)) == [[11, 12], [5]]


def test_who_was_killed_once_from_outside_is_not_to_blame(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in "abc"]
    with Processes(1, set_offset, (0,)) as pool:
        assert list(pool.map(die_once, [names], lambda name: f"{name} blamed")) == [names]


def test_an_error_in_the_work_is_raised_and_ends_the_processes() -> None:
    with pytest.raises(ValueError, match="thirteen"), Processes(1, set_offset, (0,)) as pool:
        list(pool.map(work, batches([1], [13]), lambda i: i))


def test_processes_that_cannot_start_are_an_error_not_a_loop() -> None:
    with pytest.raises(WorkersEndError, match="end before they begin"), Processes(1, fail_to_start, ()) as pool:
        list(pool.map(work, batches([1], [2], [3], [4], [5], [6]), lambda i: i))


def forked_from() -> list[int]:
    """Processes of this one that others are forked from."""
    return [p.pid for p in psutil.Process().children() if "forkserver" in " ".join(p.cmdline())]


def parent_of(batch: list[int]) -> list[int]:
    return [os.getppid() for _ in batch]


def test_workers_share_what_was_loaded_for_them_and_nothing_stays_behind() -> None:
    with Processes(2, set_offset, (0,), ["workers.curation.preloaded"]) as pool:
        parents = {pid for found in pool.map(parent_of, batches([1], [2], [3]), lambda i: i) for pid in found}
        assert parents == set(forked_from())
        maps = Path(f"/proc/{parents.pop()}/maps").read_text()
    assert "llvmlite" in maps
    assert forked_from() == []


def test_the_process_they_are_forked_from_may_be_killed() -> None:
    with Processes(2, set_offset, (100,)) as pool:
        found = pool.map(work, batches(*[[i] for i in range(20, 40)]), lambda _: 0)
        first = next(found)
        os.kill(forked_from()[0], signal.SIGKILL)
        assert [first, *found] == [[i + 100] for i in range(20, 40)]


PARENT = """
import sys, time, os
print("imported", flush=True)
sys.path.insert(0, sys.argv[1])
import test_curation_processes as t
from workers.curation.engine.local import Processes

def main():
    pool = Processes(1, t.set_offset, (0,))
    list(pool.map(t.report_pid, [[0]], lambda i: i))
    time.sleep(60)

if __name__ == "__main__":
    main()
"""


def report_pid(batch: list[int]) -> list[int]:
    print(os.getpid(), flush=True)
    return batch


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "imported\n"
    # The next line is the child's: it does not import the parent's program, which may be much.
    child = int(parent.stdout.readline())
    os.kill(child, 0)  # it lives
    parent.kill()
    parent.wait(10)
    deadline = time.monotonic() + 10
    while _alive(child):
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.05)
    parent.stdout.close()


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # in a container nobody may reap it
