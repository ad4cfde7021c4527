"""Checkpoints on disk: a folder appears under its name only when whole, and is believed only when its checksums hold.

    step-00000200-branch-002/
        model.safetensors, model.json   the model (workers.model.checkpoint)
        losses.safetensors              weights of losses that learn (workers.training.losses), where there are some
        optimizer.safetensors           the optimizer's state, by part, parameter and key
        random.safetensors              the generators' states
        trainer.json                    position, counts, controller, drills, identity of the run
        checksums.json                  SHA-256 of each file above

The order is by (branch, step): a roll-back or resume opens a new branch, so the greatest is where the run stands.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from workers.model.checkpoint import save_model, write_file
from workers.model.transformer import Transformer
from workers.storage import file_sha256
from workers.training.errors import CheckpointError

NAME = re.compile(r"step-(\d{8,})-branch-(\d{3,})")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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


def write_checkpoint(
    folder: Path,
    model: Transformer,
    losses: Mapping[str, Tensor],
    optimizer: Mapping[str, Tensor],
    random: Mapping[str, Tensor],
    trainer: object,
) -> None:
    """Write beside, fsync, rename. Raises CheckpointError, with nothing left behind, when it cannot be written."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        save_model(partial, model, model.spec, model.vocab_size)
        if losses:
            own = {name: tensor.detach().cpu().contiguous() for name, tensor in losses.items()}
            write_file(partial / "losses.safetensors", safetensors.torch.save(own))
        write_file(partial / "optimizer.safetensors", safetensors.torch.save(dict(optimizer)))
        write_file(partial / "random.safetensors", safetensors.torch.save(dict(random)))
        write_file(partial / "trainer.json", json.dumps(trainer, indent=1).encode())
        checksums = {path.name: file_sha256(path) for path in sorted(partial.iterdir())}
        write_file(partial / "checksums.json", json.dumps(checksums, indent=1).encode())
        _sync_folder(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        _sync_folder(folder.parent)
    except OSError as error:
        hint = " Free some space or lower checkpointing.keep, then resume." if error.errno in NO_ROOM else ""
        raise CheckpointError(f"checkpoint {folder} cannot be written: {error}.{hint}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class CheckpointStore:
    """The checkpoints of one run in one folder."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, step: int, branch: int) -> Path:
        """Where the checkpoint of this step and branch lies."""
        return self.folder / f"step-{step:08d}-branch-{branch:03d}"

    def holds(self, folder: Path, trainer: dict[str, Any]) -> bool:
        """Is this very moment saved already? Then nothing need be written, nor changed under a reader's feet."""
        try:
            return open_checkpoint(folder).trainer == json.loads(json.dumps(trainer))
        except CheckpointError:
            return False

    def all(self) -> list[Path]:
        """Folders of all checkpoints, the newest first. Unfinished ones have another name."""
        return [path for *_, path in sorted(self._numbered(), reverse=True)]

    def newest(self, before_step: int | None = None) -> tuple[Checkpoint | None, list[str]]:
        """The newest sound checkpoint (with at most `before_step` updates), and what is wrong with newer ones.

        Damaged ones are moved aside, under names that are never chosen.
        """
        damaged = []
        for _, step, path in sorted(self._numbered(), reverse=True):
            if before_step is not None and step > before_step:
                continue
            try:
                return open_checkpoint(path), damaged
            except CheckpointError as error:
                damaged.append(str(error))
                aside = path.with_name(f"damaged-{path.name}")
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)
        return None, damaged

    def prune(self, in_use: set[Path]) -> None:
        """Delete all but the newest `keep`, and what crashed processes left half-written."""
        for path in self.all()[self.keep :]:
            if path not in in_use:
                shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(".*.partial"):
            if not path.name.endswith(f".{os.getpid()}.partial"):
                shutil.rmtree(path, ignore_errors=True)

    def drop_after(self, step: int, in_use: set[Path]) -> None:
        """Delete checkpoints of more than `step` updates: a roll-back has left their line."""
        for _, saved_at, path in self._numbered():
            if saved_at > step and path not in in_use:
                shutil.rmtree(path, ignore_errors=True)

    def _numbered(self) -> list[tuple[int, int, Path]]:
        found = [(NAME.fullmatch(path.name), path) for path in self.folder.iterdir()]
        return [(int(match[2]), int(match[1]), path) for match, path in found if match]


def find_checkpoint(path: Path) -> tuple[Checkpoint, list[str]]:
    """The checkpoint at `path`, or the newest sound one in a folder of them; and what is wrong with newer ones.

    Raises CheckpointError when there is none.
    """
    if (path / "trainer.json").is_file():
        return open_checkpoint(path), []
    for folder in (path / "checkpoints", path):
        if folder.is_dir():
            checkpoint, damaged = CheckpointStore(folder, 2).newest()
            if checkpoint:
                return checkpoint, damaged
    raise CheckpointError(f"there is no sound checkpoint in {path} to resume from")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
