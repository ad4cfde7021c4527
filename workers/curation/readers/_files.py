"""Which files of a folder are read, and by which reader. A folder may stand for an S3 prefix: see `_spool`."""

from pathlib import Path

COMPRESSIONS = (".gz", ".zst")
_SUFFIXES = {
    "warc": (".warc",),
    "html": (".html", ".htm", ".xhtml"),
    "pdf": (".pdf",),
    "text": (".txt", ".text"),
    "markdown": (".md", ".markdown"),
    "jsonl": (".jsonl", ".ndjson"),
    "parquet": (".parquet",),
}
FORMATS = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes}
_MAGIC = ((b"%PDF-", "pdf"), (b"PAR1", "parquet"), (b"WARC/", "warc"))


class InputError(ValueError):
    """The input of a run is missing, empty or cannot be reached; the message says what to do."""


def name_format(path: Path) -> str | None:
    """Format by the file's name, `.gz` and `.zst` aside; None when it is not one of ours."""
    name = path.name.lower()
    for compression in COMPRESSIONS:
        name = name.removesuffix(compression)
    return FORMATS.get(Path(name).suffix)


def file_format(local: Path, path: Path) -> str | None:
    """Format by the first bytes of `local` where they are telling, else by the name of `path`. Raises OSError."""
    with local.open("rb") as file:
        head = file.read(8)
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None) or name_format(path)


def list_folder(root: Path) -> list[Path]:
    """Files below `root` that a reader knows, sorted by path.

    Hidden files and folders are passed over. A link is followed only when it leads to a file inside `root`.
    """
    top = root.resolve()
    found = []
    for path in root.rglob("*"):  # rglob does not enter linked folders
        inside = path.relative_to(root)
        if any(part.startswith(".") for part in inside.parts) or name_format(path) is None:
            continue
        if path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(top)):
            found.append(path)
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())
