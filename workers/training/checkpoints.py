"""Checkpoints on disk: a folder appears under its name only when whole, and is believed only when its checksums hold.

    step-00000200-branch-002/
        model.safetensors, model.json   the model (workers.model.checkpoint)
        losses.safetensors              weights of losses that learn (workers.training.losses), where there are some
        optimizer.safetensors           the optimizer's state, by part, parameter and key
        random.safetensors              the generators' states
        trainer.json                    position, counts, controller, drills, identity of the run
        checksums.json                  SHA-256 of each file above

Which of them stay, and which is the newest: `workers.training.checkpoint_store`.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from workers.model.checkpoint import write_file, write_tensors
from workers.storage import file_sha256
from workers.training.errors import CheckpointError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(slots=True, frozen=True)
class Contents:
    """What a checkpoint holds: tensors by the file that they go into, and the other files as they are."""

    tensors: Mapping[str, Mapping[str, Tensor]]
    """Of `model`, `losses`, `optimizer` and `random`."""
    files: Mapping[str, bytes]
    """`trainer.json` and `model.json`."""


@dataclass(slots=True, frozen=True)
class Checkpoint:
    """A sound checkpoint: its files were checked when it was opened."""

    folder: Path
    trainer: dict[str, Any]

    @property
    def step(self) -> int:
        """Updates done when it was saved."""
        return int(self.trainer["state"]["step"])

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Tensors of `model`, `losses`, `optimizer` or `random`, on the CPU. Raises CheckpointError when unreadable."""
        if name == "losses" and not (self.folder / "losses.safetensors").is_file():
            return {}
        try:
            return safetensors.torch.load_file(self.folder / f"{name}.safetensors")
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{self.folder / name}.safetensors cannot be read: {error}") from error


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check every file of a checkpoint against its checksum.

    Raises CheckpointError that names what is missing or damaged.
    """
    try:
        checksums = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))
        for name, expected in checksums.items():
            if file_sha256(folder / name) != expected:
                raise CheckpointError(f"checkpoint {folder} is damaged: {name} does not match its checksum")
        return Checkpoint(folder, json.loads((folder / "trainer.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{folder} is no whole checkpoint: {error}") from error


def write_checkpoint(folder: Path, contents: Contents) -> int:
    """Write beside, fsync, rename. Returns its size in bytes.

    Raises CheckpointError, with nothing left behind, when it cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        checksums = {}
        for name, tensors in contents.tensors.items():
            if tensors or name != "losses":
                checksums[f"{name}.safetensors"] = write_tensors(partial / f"{name}.safetensors", tensors)
        for name, content in contents.files.items():
            write_file(partial / name, content)
            checksums[name] = hashlib.sha256(content).hexdigest()
        write_file(partial / "checksums.json", json.dumps(checksums, indent=1, sort_keys=True).encode())
        num_bytes = sum(path.stat().st_size for path in partial.iterdir())
        _sync_folder(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        _sync_folder(folder.parent)
        return num_bytes
    except OSError as error:
        hint = " Free some space or lower checkpointing.keep." if error.errno in NO_ROOM else ""
        raise CheckpointError(f"checkpoint {folder} cannot be written: {error}.{hint}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
