"""A teacher goes over a dataset once and writes its likeliest tokens. Training does it where it was not done before.

By itself: `python -m workers.training.teacher_pass SPEC.yaml --dataset DIR`.

Shapes: B windows, T tokens of a window, n places whose logits are held at a time, K tokens kept.
"""

import argparse
import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from workers.data.shards import TokenDataset
from workers.data.teacher_logits import LogitsWriter, Rows, TeacherLogits, logits_folder
from workers.kernels.distillation import top_classes
from workers.reporter import Reporter
from workers.specs.training import TrainingSpec
from workers.specs.training.distillation import OfflineTeacher
from workers.training.errors import InputError, TrainingStopped
from workers.training.mixture import Folders, folders_of_sources
from workers.training.sources import open_dataset
from workers.training.teacher import describe_logits, load_teacher, offline_teacher
from workers.training.teacher_model import TeacherModel

SHARD_ROWS = 1 << 16
_CHUNK_TOKENS = 512


def write_missing_logits(spec: TrainingSpec, dataset: Folders, reporter: Reporter) -> list[Path]:
    """Write what an offline teacher has to say of each dataset of the run, where it is not there. Their folders.

    Called again after a crash it goes on after the last whole shard. Without an offline teacher nothing is done.
    Raises InputError as `build_teacher` does, TrainingStopped on a person's `stop`.
    """
    if spec.distillation is None or not isinstance(spec.distillation.teacher, OfflineTeacher):
        return []
    batch_tokens = spec.distillation.teacher.batch_tokens
    found = []
    for folder in dict.fromkeys(folders_of_sources(spec, dataset)):
        train, _ = open_dataset(folder)
        description = describe_logits(spec, folder, train.vocab_size)
        target = logits_folder(folder, description)
        with _locked(target):
            if not _is_whole(target):
                device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
                teacher = load_teacher(spec, [folder], train.vocab_size, device, alone=True)
                writer = LogitsWriter(target, description, train.num_tokens, _shard_rows(description))
                TeacherPass(teacher, train, writer, device, batch_tokens, reporter).run()
        found.append(target)
    return found


class TeacherPass:
    """One teacher over one dataset."""

    def __init__(
        self,
        teacher: TeacherModel,
        dataset: TokenDataset,
        writer: LogitsWriter,
        device: torch.device,
        batch_tokens: int,
        reporter: Reporter,
    ) -> None:
        self._teacher, self._dataset, self._writer = teacher, dataset, writer
        self._device, self._reporter = device, reporter
        about = writer.description
        self._context, self._overlap = int(about["context_tokens"]), int(about["overlap_tokens"])
        self._stride = self._context - self._overlap
        self._top_k, self._temperature = int(about["top_k"]), float(about["temperature"])
        self._windows_at_once = max(1, batch_tokens // self._context)

    def run(self) -> None:
        """Write all shards that are missing. Raises TrainingStopped."""
        writer, num_tokens = self._writer, self._dataset.num_tokens
        message = f"the teacher goes over {num_tokens:,} tokens once and writes {writer.folder}"
        self._reporter.event("stage", message, stage="teacher")
        for number, (start, stop) in enumerate(writer.shards):
            if not writer.has(number):
                writer.write(number, self._judge(start, stop))
            self._reporter.progress("teacher", stop, num_tokens, "tokens")
        writer.close()

    def _judge(self, start: int, stop: int) -> Rows:
        """The rows [start, stop) of the split."""
        begins = list(range(start, stop, self._stride))
        parts: list[Rows] = []
        for first in range(0, len(begins), self._windows_at_once):
            self._heed_stop()
            parts += self._judge_windows(begins[first : first + self._windows_at_once])
            done = min(begins[first] + self._windows_at_once * self._stride, stop)
            self._reporter.progress("teacher", done, self._dataset.num_tokens, "tokens")
        tokens_NK, logprobs_NK, tails_N = (np.concatenate(part)[: stop - start] for part in zip(*parts, strict=True))
        return Rows(tokens_NK, logprobs_NK, tails_N)

    @torch.no_grad()
    def _judge_windows(self, begins: list[int]) -> list[Rows]:
        """A stride of rows from each of these positions on."""
        # The first window has nothing before it; what runs over the split's end is cut off by the caller.
        starts = [max(0, begin - self._overlap) for begin in begins]
        windows = [self._dataset.window(start, self._context) for start in starts]
        tokens_BT, documents_BT = (
            torch.from_numpy(np.stack(part)).to(self._device) for part in zip(*windows, strict=True)
        )
        logits = self._teacher.look(tokens_BT, documents_BT, (), ()).logits
        head_VD = logits[1][: self._dataset.vocab_size]
        found = []
        for hidden_TD, start, begin in zip(logits[0], starts, begins, strict=True):
            new_TD = hidden_TD[begin - start : begin - start + self._stride]
            chunks = [self._keep_top(functional.linear(part_nD, head_VD)) for part_nD in new_TD.split(_CHUNK_TOKENS)]
            found += chunks
        return found

    def _keep_top(self, logits_nV: Tensor) -> Rows:
        return Rows(*(part.cpu().numpy() for part in top_classes(logits_nV, self._top_k, self._temperature)))

    def _heed_stop(self) -> None:
        for command in self._reporter.commands():
            self._reporter.ack(command.id)
            if command.kind == "stop":
                raise TrainingStopped(
                    "stopped by request while the teacher wrote its logits; whole shards stay", by_person=True
                )
            self._reporter.event("warning", f"command {command.kind} was not carried out: the first step is to come")


def _shard_rows(description: dict[str, Any]) -> int:
    stride = description["context_tokens"] - description["overlap_tokens"]
    return stride * max(1, SHARD_ROWS // stride)


def _is_whole(folder: Path) -> bool:
    try:
        TeacherLogits(folder)
    except (OSError, ValueError, KeyError):
        return False
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time: a second run waits, and finds the work done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str] | None = None) -> int:
    """Run the command line: prints the folders as JSON. Exit code 2 for bad usage or input, 1 when stopped."""
    from workers.training.__main__ import progress_reporter, read_folders, read_spec

    parser = argparse.ArgumentParser(prog="python -m workers.training.teacher_pass", description=__doc__)
    parser.add_argument("spec", type=Path, help="a training spec (YAML) with an offline teacher")
    parser.add_argument("--dataset", required=True, action="append", metavar="DIR", help="as for training")
    options = parser.parse_args(arguments)
    with progress_reporter() as reporter:
        try:
            spec = read_spec(options.spec)
            offline_teacher(spec)
            folders = write_missing_logits(spec, read_folders(options.dataset), reporter)
        except InputError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        except (TrainingStopped, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    sys.stdout.write(json.dumps([str(folder) for folder in folders]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
