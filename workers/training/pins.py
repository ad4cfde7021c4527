"""Checkpoints from before interventions, kept for a replay: `pinned/INTERVENTION/`, hard links to the files.

Links cost no room while the checkpoint itself is there, and outlive it.
"""

import json
import os
import shutil
from pathlib import Path

from workers.model.checkpoint import write_file
from workers.specs.events import Intervention

MAX_PINS = 8
RECORD = "intervention.json"


class Pins:
    """The pinned checkpoints of one run; the newest few."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[str, str] = {}
        """Name of the checkpoint by intervention."""

    def pin(self, checkpoint: Path, intervention: Intervention) -> None:
        """Keep a checkpoint under the intervention's id, with its record. A disk without links or room keeps none."""
        folder = self.folder / intervention.id
        partial = folder.with_name(f".{folder.name}.partial")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for path in checkpoint.iterdir():
                os.link(path, partial / path.name)
            write_file(partial / RECORD, intervention.model_dump_json(indent=1).encode())
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
            self._kept[intervention.id] = checkpoint.name
            for old in self.all()[:-MAX_PINS]:
                shutil.rmtree(old, ignore_errors=True)
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)

    def note(self, intervention: Intervention) -> Intervention:
        """Write into its evidence which checkpoint is kept for it, also when its outcome is told later."""
        if name := self._kept.get(intervention.id):
            intervention.evidence["checkpoint"] = name
        return intervention

    def all(self) -> list[Path]:
        """The oldest first."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if (path / RECORD).is_file()]
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def read_pin(folder: Path) -> Intervention:
    """The record of a pinned checkpoint. Raises OSError or ValueError when there is none."""
    return Intervention.model_validate(json.loads((folder / RECORD).read_text(encoding="utf-8")))
