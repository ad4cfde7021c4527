"""Digests of the code behind a stage, and of the files that its settings name."""

import hashlib
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from workers.storage import file_sha256

_CACHE_SIZE = 10_000
_FOLDER = Path(__file__).parents[1]
_IMPORT = re.compile(r"^[ \t]*import[ \t]+(workers\.[\w.]+)", re.MULTILINE)
_FROM = re.compile(r"^[ \t]*from[ \t]+(workers[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_NAME = re.compile(r"\w+")
_BY_VALUE = "workers.specs"
"""Settings are part of a stage's key by their values, so their module is not."""


@cache
def code_digest(*modules: str) -> str:
    """SHA-256 (hex) of these modules' sources and of all of `workers` that they import, however indirectly.

    A version number to be raised by hand would be forgotten one day.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_closure(modules).items()):
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _closure(modules: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = None if name in found or name.startswith(_BY_VALUE) else _file(name)
        if path is not None:
            found[name] = path
            waiting.extend(_imports(path))
    return found


@cache
def _imports(path: Path) -> frozenset[str]:
    """Modules of `workers` that a source file may mean by its imports: of `from a import b` both a and a.b."""
    source = path.read_text(encoding="utf-8")
    names = {match[1] for match in _IMPORT.finditer(source)}
    for match in _FROM.finditer(source):
        names.add(match[1])
        names.update(f"{match[1]}.{name}" for name in _NAME.findall(match[2]))
    return frozenset(names)


@cache
def _file(module: str) -> Path | None:
    """Its source; None for what is no module. Nothing is imported to find out."""
    path = _FOLDER.joinpath(*module.split(".")[1:])
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def named_files(settings: dict[str, Any]) -> list[str]:
    """Paths in the fields called `*files` of a filter's settings, and its `scorer` where that is a path."""
    names: list[str] = []
    for field, value in settings.items():
        if field.endswith("files") and value:
            names.extend(value.values() if isinstance(value, dict) else value)
        elif field == "scorer" and not str(value).startswith("sha256:"):
            names.append(str(value))
    return names


def content_digests(paths: list[Path]) -> dict[str, str]:
    """SHA-256 (hex) of files and of the files in folders; of a missing one, empty: its reader will say what to do."""
    found = {}
    for path in sorted(paths):
        if path.is_dir():
            found |= content_digests([inner for inner in path.rglob("*") if inner.is_file()])
        else:
            found[str(path)] = _digest(path, *_state(path)) if path.is_file() else ""
    return found


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(_CACHE_SIZE)
def _digest(path: Path, num_bytes: int, mtime_ns: int) -> str:
    """Remembered within a process: block lists of 100 MB are asked for by the chain and by the fingerprint."""
    return file_sha256(path)
