"""Files of artifacts, found through the table or, for artifacts that no run has committed, through the manifest."""

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.queries import artifacts as queries
from app.services.blobs import BlobStore, read_bytes
from workers.specs.events import Artifact, File

_MAX_MANIFEST_BYTES = 16 << 20


async def find_file(session: AsyncSession, store: BlobStore, digest: str, path: str) -> File:
    """The file of that path in an artifact. Raises KeyError with a sentence when there is none."""
    full = f"sha256:{digest.removeprefix('sha256:')}"
    rows = await queries.files_of(session, full)
    files = [File.model_validate(row) for row in rows] if rows is not None else (await manifest(store, full)).files
    for file in files:
        if file.path == path:
            return file
    raise KeyError(f"Artifact {full} has no file {path[:200]!r}.")


async def manifest(store: BlobStore, digest: str) -> Artifact:
    """The manifest of an artifact. Raises KeyError when the store has none of that digest."""
    try:
        content = await read_bytes(store, digest.removeprefix("sha256:"), _MAX_MANIFEST_BYTES)
        return Artifact.model_validate_json(b'{"digest":"' + digest.encode() + b'",' + content.removeprefix(b"{"))
    except (KeyError, ValueError, ValidationError):
        raise KeyError(f"There is no artifact {digest}.") from None
