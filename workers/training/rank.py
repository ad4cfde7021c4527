"""One of several training processes, started by torchrun: `python -m workers.training.rank JOB.json`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from workers.parent import die_with_parent
from workers.specs.training import TrainingSpec
from workers.training.errors import TrainingStopped
from workers.training.relay import RelayReporter, tell
from workers.training.silence import NoReporter
from workers.training.sources import folders_from_json
from workers.training.trainer import train_here


def run(job: dict[str, Any]) -> int:
    """Train as this rank. Exit code 0 also when training was stopped on purpose: the parent is told how it ended."""
    address = Path(job["relay"])
    reporter = RelayReporter(address, job["takes_commands"]) if os.environ["RANK"] == "0" else NoReporter()
    publish = reporter.publish if isinstance(reporter, RelayReporter) and job["publishes"] else None
    resume = Path(job["resume"]) if job["resume"] else None
    if (num_restarts := int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))) and has_checkpoint(Path(job["out"])):
        resume = Path(job["out"])
        message = f"a training process died: all {os.environ['WORLD_SIZE']} start again from the newest checkpoint"
        reporter.event("warning", message, num_restarts=num_restarts)
    try:
        result = train_here(
            TrainingSpec.model_validate(job["spec"]),
            folders_from_json(job["dataset"]),
            Path(job["out"]),
            reporter,
            publish,
            resume,
            job["first_branch"],
        )
        if isinstance(reporter, RelayReporter):
            tell(address, result=result)
    except Exception as error:
        stopped = isinstance(error, TrainingStopped)
        by_person = isinstance(error, TrainingStopped) and error.by_person
        tell(address, failure={"kind": type(error).__name__, "message": str(error), "by_person": by_person})
        return 0 if stopped else 1
    return 0


def has_checkpoint(out: Path) -> bool:
    """Has this run saved anything here yet? Before that a restart begins as the first start did."""
    return any((out / "checkpoints").glob("step-*")) if (out / "checkpoints").is_dir() else False


if __name__ == "__main__":
    # Its parent is torchrun's agent, which may have died before this line.
    die_with_parent(os.getppid())
    sys.exit(run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
