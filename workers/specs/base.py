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

    @property
    def pool(self) -> str:
        """Name of the work pool that can run it."""
        return "gpu" if self.gpus else "cpu"


def problems(error: ValidationError) -> list[dict[str, str]]:
    """The errors of a spec as `{"pointer": "/training/optimizer/lr", "message": ...}`.

    Tags of discriminated unions that pydantic puts into the path are kept out of the pointer.
    """
    found: list[dict[str, str]] = []
    for item in error.errors(include_url=False):
        pointer = "".join(f"/{part}" for part in item["loc"])
        found.append({"pointer": pointer or "/", "message": item["msg"]})
    return found


JsonObject = dict[str, Any]
