"""List files of filters: one entry a line, plain or gzip, `#` begins a comment line."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

_GZIP_MAGIC = b"\x1f\x8b"
_MAX_LINE_BYTES = 8192


class ListFileError(ValueError):
    """A list file is missing or cannot be read; the message names the file, the field and what to do."""


def read_list(field: str, name: str) -> Iterator[str]:
    """Entries of a list file, stripped, in the order of the file. `field` is the spec's, for the message.

    Raises ListFileError.
    """
    path = Path(name)
    if not path.is_file():
        raise ListFileError(
            f"{field}: there is no file {name} on this worker. Put the list there, or take it out of the spec; "
            "docs/how-to/curation.md says where public lists are to be had"
        )
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == _GZIP_MAGIC
        with gzip.open(path, "rb") if is_gzip else path.open("rb") as lines:
            while line := lines.readline(_MAX_LINE_BYTES):
                entry = line.decode("utf-8", "replace").strip().removeprefix("\ufeff")
                if entry and not entry.startswith("#"):
                    yield entry
    except (OSError, EOFError, zlib.error) as error:
        raise ListFileError(
            f"{field}: {name} cannot be read: {error}. Fetch it again, or mend its permissions"
        ) from None
