"""Files of artifacts, found through the table or, for artifacts that no run has committed, through the manifest."""

import re

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import SCOPE
from app.queries import artifacts as queries
from app.services.blobs import BlobStore, read_bytes
from app.services.problems import invalid
from workers.specs.events import Artifact, File

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_MANIFEST_BYTES = 16 << 20


async def find_file(session: AsyncSession, store: BlobStore, digest: str, path: str) -> File:
    """The file of that path in an artifact. Raises KeyError with a sentence when there is none."""
    full = f"sha256:{digest.removeprefix('sha256:')}"
    rows = await queries.files_of(session, full)
    if rows is None and SCOPE.get() is not None:  # a manifest does not say whose it is
        raise KeyError(f"There is no artifact {full}.")
    files = [File.model_validate(row) for row in rows] if rows is not None else (await manifest(store, full)).files
    for file in files:
        if file.path == path:
            return file
    raise KeyError(f"Artifact {full} has no file {path[:200]!r}.")


async def check_visible(session: AsyncSession, spec_json: str) -> None:
    """A spec names no artifact of projects that the caller does not see. Raises a 422 problem.

    Workers see all projects: without this a run would read what its author may not.
    """
    if SCOPE.get() is None:
        return
    named = sorted(set(_DIGEST.findall(spec_json)))
    foreign = set(await queries.known_anywhere(session, named)) - set(await queries.known(session, named))
    if foreign:
        errors = [{"pointer": "/spec", "message": f"there is no {digest}"} for digest in sorted(foreign)]
        raise invalid("The spec names artifacts that your projects do not have.", errors)


async def manifest(store: BlobStore, digest: str) -> Artifact:
    """The manifest of an artifact. Raises KeyError when the store has none of that digest."""
    try:
        content = await read_bytes(store, digest.removeprefix("sha256:"), _MAX_MANIFEST_BYTES)
        return Artifact.model_validate_json(b'{"digest":"' + digest.encode() + b'",' + content.removeprefix(b"{"))
    except (KeyError, ValueError, ValidationError):
        raise KeyError(f"There is no artifact {digest}.") from None
