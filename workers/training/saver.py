"""Writes checkpoints beside the training: a copy in memory at the step's border, then a thread that writes it.

The copy goes into memory that is taken once: fresh pages cost more than the copy itself. There is one such copy, so a
checkpoint that is due before the last one is on disk waits for it. Why not torch.distributed.checkpoint's
`async_save`: docs/decisions/checkpoints.md
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from workers.reporter import Reporter
from workers.specs.training import Checkpointing
from workers.training.checkpoint_store import CheckpointStore, read_moment
from workers.training.checkpoints import Contents, write_checkpoint
from workers.training.errors import CheckpointError
from workers.training.publisher import Publisher


class Saver:
    """One checkpoint after the other, each written whole, reported and handed on; then old ones go."""

    def __init__(
        self, policy: Checkpointing, store: CheckpointStore, publisher: Publisher, reporter: Reporter, pinned: bool
    ) -> None:
        """`pinned`: copies lie in memory that a GPU can write to beside its work."""
        self._policy, self._store, self._publisher, self._reporter = policy, store, publisher, reporter
        self._copies = _Copies(pinned)
        self._thread: threading.Thread | None = None
        self._saved: tuple[Path, bytes] | None = None
        """Folder and `trainer.json` of the last checkpoint."""
        self._failure: CheckpointError | None = None
        """Why the last checkpoint is not on disk."""

    def save(self, folder: Path, contents: Contents, *, wait: bool) -> None:
        """Write a checkpoint of this moment. Not twice the same: nothing changes under a reader's feet.

        wait: return when it is on disk, and raise CheckpointError when it cannot be written. Else return when it is
        copied, and a failure goes by the policy.
        """
        began = time.perf_counter()
        self.settle()
        if self._saved != (folder, contents.files["trainer.json"]):
            if self._policy.asynchronous and not wait:
                contents = replace(contents, tensors=self._copies.take(contents.tensors))
                stall = time.perf_counter() - began
                self._thread = threading.Thread(target=self._write, args=(folder, contents, stall), name="saver")
                self._thread.start()
            else:
                self._write(folder, contents, None)
        if wait and self._failure:
            raise self._failure

    def settle(self) -> None:
        """Wait until what was begun is on disk, or has failed. Raises CheckpointError when the policy says so."""
        self.join()
        self.check()

    def finish(self) -> None:
        """The run is done: wait for its last checkpoint. Raises CheckpointError when it is not on disk."""
        self.join()
        if self._failure:
            raise self._failure

    def join(self) -> None:
        """Wait for the thread and say nothing."""
        if self._thread:
            self._thread.join()
            self._thread = None

    def check(self) -> None:
        """Raises CheckpointError when a checkpoint could not be written and the policy is to stop then."""
        if self._failure and self._policy.on_failure == "stop":
            raise self._failure

    def _write(self, folder: Path, contents: Contents, stall_seconds: float | None) -> None:
        began = time.perf_counter()
        try:
            num_bytes = write_checkpoint(folder, contents)
        except Exception as error:
            self._fail(folder, error)
            return
        seconds = time.perf_counter() - began
        self._failure, self._saved = None, (folder, contents.files["trainer.json"])
        moment = read_moment(folder)
        self._reporter.event(
            "checkpoint",
            f"saved {folder.name}",
            step=moment.step,
            branch=moment.branch,
            num_bytes=num_bytes,
            write_seconds=seconds,
            stall_seconds=seconds if stall_seconds is None else stall_seconds,
            heldout_loss=moment.heldout_loss,
        )
        self._publisher.add(folder, moment.step)
        self._store.prune(self._publisher.in_use())

    def _fail(self, folder: Path, error: Exception) -> None:
        """Keep the failure for the training's thread, and say what there is to go back to."""
        self._saved = None
        self._failure = error if isinstance(error, CheckpointError) else CheckpointError(f"{folder}: {error}")
        last = next((path.name for path in self._store.all()), None)
        left = f"The last good one is {last}" if last else "There is none to go back to"
        self._reporter.event("warning", f"{self._failure} {left}.", failed=folder.name, last_good=last)


class _Copies:
    """Copies of tensors on the CPU, in memory that stays."""

    def __init__(self, pinned: bool) -> None:
        self._pinned = pinned
        self._memory: dict[tuple[str, str], Tensor] = {}

    @torch.no_grad()
    def take(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
        """Copy all of them; it holds until the next time."""
        copies = {
            file: {name: self._place(file, name, tensor) for name, tensor in named.items()}
            for file, named in tensors.items()
        }
        for file, named in tensors.items():
            for name, tensor in named.items():
                copies[file][name].copy_(tensor, non_blocking=self._pinned)
        if self._pinned:
            torch.cuda.synchronize()
        return copies

    def _place(self, file: str, name: str, like: Tensor) -> Tensor:
        place = self._memory.get((file, name))
        if place is None or place.shape != like.shape or place.dtype != like.dtype:
            place = torch.empty(like.shape, dtype=like.dtype, pin_memory=self._pinned)
            self._memory[file, name] = place
        return place
