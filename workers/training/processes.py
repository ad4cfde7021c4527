"""Training in several processes of this machine: torchrun as a process group that dies with this process."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from workers.reporter import FencedError, Reporter
from workers.specs.training import TrainingSpec
from workers.training.checkpoint_store import CheckpointStore
from workers.training.errors import CheckpointError, InputError, OutOfMemoryError, TrainingStopped
from workers.training.publisher import Publish
from workers.training.sources import Folders, folders_to_json
from workers.training.switchboard import Switchboard

POLL_SECONDS = 0.2
TERMINATE_SECONDS = 10.0
FINAL: dict[str, type[Exception]] = {
    "InputError": InputError,
    "CheckpointError": CheckpointError,
    "OutOfMemoryError": OutOfMemoryError,
    "FencedError": FencedError,
}
"""How a rank can fail so that another start would not help."""


def train_in_processes(
    spec: TrainingSpec,
    *,
    dataset: Folders,
    out: Path,
    reporter: Reporter,
    publish: Publish | None,
    resume: Path | None,
    first_branch: int,
) -> dict[str, Any]:
    """`train`, by `resources.num_processes` ranks. Rank 0 reports through this process."""
    store = CheckpointStore(out / "checkpoints")
    if resume is None:
        store.begin_afresh(reporter)  # here: when the ranks start again, what lies there is their own
    with tempfile.TemporaryDirectory(prefix="headrace-ranks-") as folder:
        address, job = Path(folder) / "relay", Path(folder) / "job.json"
        job.write_text(
            json.dumps(
                {
                    "spec": spec.model_dump(mode="json"),
                    "dataset": folders_to_json(dataset),
                    "out": str(out.resolve()),
                    "resume": str(resume.resolve()) if resume else None,
                    "first_branch": first_branch,
                    "publishes": publish is not None,
                    "takes_commands": reporter.takes_commands,
                    "relay": str(address),
                }
            ),
            encoding="utf-8",
        )
        board = Switchboard(address, reporter, publish)
        group = _start(spec, job)
        try:
            while group.poll() is None and not _is_final(board.failure):
                board.pass_commands()
                time.sleep(POLL_SECONDS)
        finally:
            _end(group)
            board.close()
    if board.result is None and board.failure:
        _raise(board.failure)
    if board.result is None:
        raise RuntimeError(f"the training processes ended with exit code {group.returncode}; their log is above")
    return board.result


def _start(spec: TrainingSpec, job: Path) -> subprocess.Popen[bytes]:
    num_processes = spec.resources.num_processes
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo"}
    environment.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // num_processes, 1)))
    command = [sys.executable, "-m", "workers.training.torchrun", str(os.getpid())]
    command += ["--standalone", f"--nproc_per_node={num_processes}", f"--max-restarts={spec.resources.max_restarts}"]
    command += ["-m", "workers.training.rank", str(job)]
    return subprocess.Popen(command, env=environment, start_new_session=True)


def _end(group: subprocess.Popen[bytes]) -> None:
    """End what still runs of the group: torchrun first, which ends its ranks; then whatever is left."""
    for number, seconds in ((signal.SIGTERM, TERMINATE_SECONDS), (signal.SIGKILL, TERMINATE_SECONDS)):
        if group.poll() is not None:
            return
        try:
            os.killpg(group.pid, number)
            group.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _is_final(failure: dict[str, Any] | None) -> bool:
    """Would it only happen again if the processes were started anew?"""
    return failure is not None and failure["kind"] in FINAL


def _raise(failure: dict[str, Any]) -> NoReturn:
    message = failure["message"]
    if failure["kind"] == "TrainingStopped":
        raise TrainingStopped(message, by_person=failure["by_person"])
    raise FINAL.get(failure["kind"], RuntimeError)(message)
