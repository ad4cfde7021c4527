"""A released model out of the service into a folder, whole or not at all."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.commands.client import Client, CommandError


def download(client: Client, artifact: dict[str, Any], into: Path) -> Path:
    """The artifact's files in a folder named like the model. One that is there already is replaced.

    Raises CommandError when a file is damaged or would lie outside the folder.
    """
    folder = into / (re.sub(r"[^\w.-]+", "-", artifact["name"]).strip("-.") or "model")
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    for file in artifact["files"]:
        target = partial / file["path"]
        if not target.resolve().is_relative_to(partial.resolve()):
            raise CommandError(f"{artifact['name']}: {file['path']!r} lies outside the model's folder")
        client.download(f"/artifacts/{artifact['digest']}/files/{quote(file['path'])}", target)
        if _sha256(target) != file["sha256"]:
            raise CommandError(f"{artifact['name']}: {file['path']} arrived damaged; run the command again")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
