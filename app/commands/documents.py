"""Documents of a dataset version out of the service, shard by shard; only one shard is on disk beside the result."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.commands.client import Client, CommandError

_BATCH_ROWS = 500


def copy_shards(client: Client, digest: str, shards: list[dict[str, Any]], folder: Path) -> int:
    """The Parquet files into a folder; how many. Those that are there already are kept when they are whole."""
    for shard in shards:
        target = folder / shard["path"]
        if not (target.is_file() and _sha256(target) == shard["sha256"]):
            _download(client, digest, shard, target)
    return len(shards)


def write_lines(
    client: Client, digest: str, shards: list[dict[str, Any]], out: Path, languages: list[str], split: str | None
) -> int:
    """One JSON object a line; how many. The file appears when it is whole."""
    import pyarrow.parquet as pq

    out.parent.mkdir(parents=True, exist_ok=True)
    beside, count = out.with_name(f".{out.name}.part"), 0
    with tempfile.TemporaryDirectory(prefix="headrace-export-") as folder, beside.open("w", encoding="utf-8") as file:
        for shard in shards:
            path = Path(folder) / shard["path"]
            _download(client, digest, shard, path)
            with pq.ParquetFile(path) as rows:
                for batch in rows.iter_batches(batch_size=_BATCH_ROWS):
                    for row in batch.to_pylist():
                        if (not languages or row["language"] in languages) and split in {None, row["split"]}:
                            file.write(json.dumps(row, ensure_ascii=False) + "\n")
                            count += 1
            path.unlink()
    beside.replace(out)
    return count


def _download(client: Client, digest: str, shard: dict[str, Any], target: Path) -> None:
    client.download(f"/artifacts/{digest}/files/{quote(shard['path'])}", target)
    if _sha256(target) != shard["sha256"]:
        target.unlink()
        raise CommandError(f"{shard['path']} arrived damaged; run the command again")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
