"""A released model out of the service into a folder, whole or not at all."""

import re
from pathlib import Path
from typing import Any

from app.commands.client import Client


def download(client: Client, artifact: dict[str, Any], into: Path) -> Path:
    """The artifact's files in a folder named like the model. One that is there already is replaced.

    Raises CommandError when a file is damaged or would lie outside the folder.
    """
    folder = into / (re.sub(r"[^\w.-]+", "-", artifact["name"]).strip("-.") or "model")
    return client.download_artifact(artifact, folder)
