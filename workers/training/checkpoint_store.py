"""The checkpoints of one run: their names and order, which is the newest sound one, and which stay.

The order is by (branch, step): a roll-back or resume opens a new branch, so the greatest is where the run stands.
"""

import json
import math
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from workers.reporter import Reporter
from workers.specs.training import Checkpointing
from workers.training.checkpoints import Checkpoint, open_checkpoint
from workers.training.errors import CheckpointError

NAME = re.compile(r"step-(\d{8,})-branch-(\d{3,})")


class Moment(NamedTuple):
    """Where a checkpoint stands; the greater, the newer."""

    branch: int
    step: int
    heldout_loss: float | None = None
    """In nats per token; None when its step did not measure it."""


def choose_kept(moments: Iterable[Moment], policy: Checkpointing) -> set[Moment]:
    """Those that the policy keeps. Of several of one step only the newest counts: a roll-back or a resume writes the
    weights that it begins with once more, and must not push the checkpoints before them out."""
    newest = {moment.step: moment for moment in sorted(moments, key=lambda moment: moment[:2])}
    ordered = sorted(newest.values(), key=lambda moment: moment[:2], reverse=True)
    every = policy.keep_every_steps
    kept = set(ordered[: policy.keep])
    kept |= {moment for moment in ordered if every and moment.step and moment.step % every == 0}
    measured = [moment for moment in ordered if moment.heldout_loss is not None]
    if policy.keep_best and measured:
        kept.add(min(measured, key=lambda moment: moment.heldout_loss or 0.0))  # the newest of equals
    return kept


def read_moment(folder: Path) -> Moment:
    """The moment of a checkpoint's folder, by its name and its `trainer.json`.

    Raises ValueError when it has no checkpoint's name.
    """
    match = NAME.fullmatch(folder.name)
    if not match:
        raise ValueError(f"{folder} has no checkpoint's name")
    return Moment(int(match[2]), int(match[1]), _heldout_loss(folder))


def _heldout_loss(folder: Path) -> float | None:
    try:
        state = json.loads((folder / "trainer.json").read_text(encoding="utf-8"))["state"]
        step, loss = state.get("heldout") or (None, math.nan)
        return float(loss) if step == state["step"] and math.isfinite(loss) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


class CheckpointStore:
    """The checkpoints of one run in one folder."""

    def __init__(self, folder: Path, policy: Checkpointing | None = None) -> None:
        """Raises CheckpointError when the folder cannot be made."""
        self.folder, self.policy = folder, policy or Checkpointing()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"no folder for checkpoints can be made at {folder}: {error.strerror}") from error

    def path(self, step: int, branch: int) -> Path:
        """Where the checkpoint of this step and branch lies."""
        return self.folder / f"step-{step:08d}-branch-{branch:03d}"

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

    def before(self, step: int) -> Path | None:
        """The newest of at most `step` updates, not opened."""
        return next((path for _, saved_at, path in sorted(self._numbered(), reverse=True) if saved_at <= step), None)

    def prune(self, in_use: set[Path]) -> None:
        """Delete what the policy does not keep."""
        moments = {path: read_moment(path) for path in self.all()}
        kept = choose_kept(moments.values(), self.policy)
        for path, moment in moments.items():
            if moment not in kept and path not in in_use:
                shutil.rmtree(path, ignore_errors=True)

    def begin_afresh(self, reporter: Reporter) -> None:
        """Move what lies here aside: a new run never takes it up."""
        if self.all():
            aside = self.folder.with_name(f"checkpoints-until-{time.time_ns()}")
            self.folder.rename(aside)
            self.folder.mkdir()
            reporter.log(f"this run starts afresh: older checkpoints were moved to {aside}", "warning")

    def drop_unfinished(self) -> None:
        """Delete what crashed processes left half-written. Nothing may be writing here."""
        for path in self.folder.glob(".*.partial"):
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
    damaged: list[str] = []
    for folder in (path / "checkpoints", path):
        if folder.is_dir():
            checkpoint, damaged = CheckpointStore(folder).newest()
            if checkpoint:
                return checkpoint, damaged
            if damaged:
                break
    problems = "".join(f"; {problem}" for problem in damaged)
    raise CheckpointError(f"there is no sound checkpoint in {path} to resume from{problems}")
