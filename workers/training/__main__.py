"""Training without the service: `python -m workers.training SPEC.yaml --dataset DIR --out DIR [--resume]`.

`--storage s3://BUCKET/PREFIX` keeps the checkpoints there too, and with `--resume` takes up the newest of both places.
`python -m workers.training replay ...` tries an intervention of such a run with and without (`replay_command`).

Exit code 0: done, the summary is the last line (JSON). 1: training failed or was stopped. 2: bad usage or spec.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from workers.reporter import MemoryReporter, Reporter
from workers.specs.base import problems
from workers.specs.training import TrainingSpec
from workers.storage import S3Storage
from workers.training import replay_command
from workers.training.errors import CheckpointError, InputError, TrainingStopped
from workers.training.remote_checkpoints import RemoteCheckpoints
from workers.training.replay import replay
from workers.training.sources import Folders
from workers.training.trainer import train


class BarReporter(MemoryReporter):
    """Shows progress and what happens on stderr; keeps nothing."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._bars = progress
        self._tasks: dict[str, Any] = {}
        self._shown = ""

    def metrics(self, step: int, values: Any, branch: int = 0) -> None:
        if "heldout_loss" in values:
            self._bars.console.print(f"step {step}: held-out loss {values['heldout_loss']:.4f}", highlight=False)
        if "loss" in values:
            self._shown = f"loss {values['loss']:.3f}  {values['tokens_per_second']:,.0f} tok/s"

    def event(self, kind: str, message: str = "", step: int | None = None, **data: Any) -> None:
        if kind not in {"progress", "summary", "checkpoint"}:
            self._bars.console.print(f"{kind}: {message}", highlight=False)

    def progress(self, stage: str, done: float, total: float, unit: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, shown="")
        shown = self._shown if stage == "train" else ""
        self._bars.update(self._tasks[stage], completed=min(done, total), total=total, shown=shown)

    def log(self, message: str, level: str = "info") -> None:
        self._bars.console.print(f"{level}: {message}", highlight=False)

    def finding(self, finding: Any) -> None:
        self._bars.console.print(f"finding: {finding.message}", highlight=False)

    def intervention(self, intervention: Any) -> None:
        self._bars.console.print(f"intervention: {intervention.action}, {intervention.outcome}", highlight=False)


@contextmanager
def progress_reporter() -> Iterator[BarReporter]:
    """Bars on stderr while inside."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[shown]}"), console=Console(stderr=True)) as progress:
        yield BarReporter(progress)


def read_spec(path: Path) -> TrainingSpec:
    """The spec in a YAML file. Raises InputError with the path of each wrong field."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise InputError(f"{path} holds no fields: a training spec is a YAML mapping, such as `num_steps: 600`")
        return TrainingSpec.model_validate(content)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no YAML: {error}") from error
    except ValidationError as error:
        lines = [f"{path}: {problem['pointer']}: {problem['message']}" for problem in problems(error)]
        raise InputError("\n".join(lines)) from error


def read_folders(values: list[str]) -> Folders:
    """What `--dataset` gives: one folder, or `DIGEST=FOLDER` for each version of a mixture."""
    pairs = [value.partition("=") for value in values]
    if all(digest.startswith("sha256:") for digest, _, _ in pairs):
        return {digest: Path(folder) for digest, _, folder in pairs}
    if len(values) > 1:
        raise InputError("several --dataset are for a mixture: give each as sha256:DIGEST=FOLDER")
    return Path(values[0])


def open_storage(url: str | None, spec: TrainingSpec, reporter: Reporter) -> RemoteCheckpoints | None:
    """The place on S3 that `--storage` names. Raises InputError when it cannot be reached."""
    if url is None:
        return None
    if not url.startswith("s3://"):
        raise InputError(f"--storage {url} is no s3:// address; a folder is given by --out")
    storage = S3Storage(url, os.environ.get("HEADRACE_S3_ENDPOINT_URL"))
    try:
        storage.client.head_bucket(Bucket=storage.bucket)
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"--storage {url} cannot be used: {error}") from error
    return RemoteCheckpoints(storage, spec.checkpointing, reporter)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["replay"]:
        options = replay_command.parse(arguments[1:])
        return _run(lambda reporter: _replay(options, reporter))
    parser = argparse.ArgumentParser(
        prog="python -m workers.training", description="Train a model without the service."
    )
    parser.add_argument("spec", type=Path, help="a training spec (YAML)")
    parser.add_argument(
        "--dataset",
        required=True,
        action="append",
        metavar="DIR",
        help="folder of token shards; for a mixture DIGEST=DIR, once for each version",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on from the newest sound checkpoint in --out")
    parser.add_argument(
        "--storage",
        metavar="s3://BUCKET/PREFIX",
        help="also keep the checkpoints there, under a prefix of this run's own (endpoint: HEADRACE_S3_ENDPOINT_URL)",
    )
    options = parser.parse_args(arguments)
    return _run(lambda reporter: _train(options, reporter))


def _train(options: argparse.Namespace, reporter: BarReporter) -> dict[str, Any]:
    spec = read_spec(options.spec)
    remote = open_storage(options.storage, spec, reporter)
    resume = (remote.fetch_newer(options.out) if remote else options.out) if options.resume else None
    return train(
        spec,
        dataset=read_folders(options.dataset),
        out=options.out,
        reporter=reporter,
        publish=remote.publish if remote else None,
        resume=resume,
    )


def _replay(options: argparse.Namespace, reporter: BarReporter) -> dict[str, Any]:
    checkpoint, intervention = replay_command.find_pin(options.out, options.intervention)
    wanted = replay_command.replay_of(intervention, options.window, options.policy)
    spec = read_spec(options.spec).model_copy(update={"replay": wanted})
    folder = options.out / "replays" / intervention.id
    return replay(spec, dataset=read_folders(options.dataset), checkpoint=checkpoint, out=folder, reporter=reporter)


def _run(work: Callable[[BarReporter], dict[str, Any]]) -> int:
    """Do it with bars, and print its summary. Returns the exit code."""
    with progress_reporter() as reporter:
        try:
            summary = work(reporter)
        except InputError as error:
            print(error, file=sys.stderr)
            return 2
        except (TrainingStopped, CheckpointError, RuntimeError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
