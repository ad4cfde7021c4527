"""What every spec shares: strict fields, plain errors, a content hash, resources."""

import hashlib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$", examples=["en"])]
Name = Annotated[
    str,
    Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f]+$", description="What people call it."),
]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", examples=["sha256:" + "0" * 64])]


class Spec(BaseModel):
    """Base of all specs. Unknown fields are errors; instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def content_hash(self) -> str:
        """SHA-256 (hex) of the spec in canonical JSON: equal specs, equal hash."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Resources(Spec):
    """What a run needs. It decides the work pool: `gpu` when gpus > 0, else `cpu`."""

    gpus: int = Field(0, ge=0, le=64)
    """GPUs on one machine."""
    memory_gb: float = Field(4.0, gt=0, le=4096)
    """Memory in GB (decimal)."""
    num_processes: int = Field(1, ge=1, le=64)
    """Training processes. Above 1 they are started by torchrun."""
    max_restarts: int = Field(2, ge=0, le=100)
    """When one of several training processes dies, all start again from the newest checkpoint, at most so often."""

    @property
    def pool(self) -> str:
        """Name of the work pool that can run it."""
        return "gpu" if self.gpus else "cpu"


def problems(error: ValidationError, data: Any = None) -> list[dict[str, str]]:
    """The errors of a spec as `{"pointer": "/training/optimizer/lr", "message": ...}`.

    With the `data` that was validated, tags of discriminated unions that pydantic puts into the path are left out.
    """
    found: list[dict[str, str]] = []
    for item in error.errors(include_url=False):
        pointer = "".join(f"/{part}" for part in _path(item["loc"], data))
        message = "there is no such field" if item["type"] == "extra_forbidden" else item["msg"]
        found.append({"pointer": pointer or "/", "message": message})
    return found


def _path(location: tuple[int | str, ...], data: Any) -> list[int | str]:
    path: list[int | str] = []
    for part in location:
        if isinstance(data, dict) and part not in data and part == data.get("kind"):
            continue  # a tag: it names the kind of this object, not a field of it
        path.append(part)
        known = isinstance(data, dict) or (isinstance(data, list) and isinstance(part, int) and part < len(data))
        data = (data.get(part) if isinstance(data, dict) else data[part]) if known else None
    return path


JsonObject = dict[str, Any]
