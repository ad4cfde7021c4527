"""A run's checkpoints on S3, for training without the service: artifacts below a root of the run's own.

The index `checkpoints.json` under the root names them; it is written after what it names, and what it no longer names
is deleted after it. The service keeps artifacts itself: there this is not needed.
"""

from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from workers.reporter import Reporter
from workers.specs.training import Checkpointing
from workers.storage import S3Storage, get_folder, put_folder
from workers.training.checkpoint_store import CheckpointStore, Moment, choose_kept, read_moment

INDEX = "checkpoints.json"


class Entry(BaseModel):
    """One checkpoint in the index."""

    name: str
    digest: str
    branch: int
    step: int
    heldout_loss: float | None = None
    blobs: list[str]
    """SHA-256 of all that it consists of."""

    @property
    def moment(self) -> Moment:
        """Where it stands."""
        return Moment(self.branch, self.step, self.heldout_loss)


Entries = TypeAdapter(list[Entry])


class RemoteCheckpoints:
    """The checkpoints of one run under one root, which no other run may have."""

    def __init__(self, storage: S3Storage, policy: Checkpointing, reporter: Reporter) -> None:
        self._storage, self._policy, self._reporter = storage, policy, reporter

    def publish(self, folder: Path, step: int) -> None:
        """Store a checkpoint, name it in the index, and let those go that the policy does not keep."""
        moment = read_moment(folder)
        artifact = put_folder(self._storage, folder, "checkpoint", folder.name, {"step": step})
        blobs = sorted({artifact.digest.removeprefix("sha256:"), *(file.sha256 for file in artifact.files)})
        entry = Entry(name=folder.name, digest=artifact.digest, blobs=blobs, **moment._asdict())
        entries = [other for other in self._entries() if other.name != entry.name] + [entry]
        kept = choose_kept([other.moment for other in entries], self._policy)
        staying = [other for other in entries if other.moment in kept]
        self._storage.write(INDEX, Entries.dump_json(staying, indent=1))
        still_named = {blob for other in staying for blob in other.blobs}
        for blob in sorted({blob for other in entries for blob in other.blobs} - still_named):
            self._storage.delete(blob)

    def fetch_newer(self, out: Path) -> Path:
        """Where to resume from: `out`, or a folder below it with a newer checkpoint, brought from the store.

        What is damaged in the store is told, and the one before it taken.
        """
        local, damaged = CheckpointStore(out / "checkpoints").newest()
        for problem in damaged:
            self._reporter.event("warning", problem)
        here = read_moment(local.folder) if local else Moment(-1, -1)
        for entry in sorted(self._entries(), key=lambda entry: entry.moment[:2], reverse=True):
            if entry.moment[:2] <= here[:2]:
                break
            try:
                return get_folder(self._storage, entry.digest, out / "fetched")
            except (KeyError, ValueError) as error:
                self._reporter.event("warning", f"checkpoint {entry.name} in the store cannot be used: {error}")
        return out

    def _entries(self) -> list[Entry]:
        content = self._storage.read(INDEX)
        return Entries.validate_json(content) if content else []
