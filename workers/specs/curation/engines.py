"""Where the documents of one curation are worked on. Prefect sees one task either way."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class LocalEngine(Spec):
    """Processes on the worker's machine."""

    kind: Literal["local"] = "local"


class RayEngine(Spec):
    """A running Ray cluster (`pip install 'headrace[ray]'`). The output is byte for byte that of `local`."""

    kind: Literal["ray"] = "ray"
    address: str = Field("auto", min_length=1, examples=["ray://head:10001"])
    """Address of the cluster; `auto`: the one this machine belongs to."""


Engine = Annotated[LocalEngine | RayEngine, Field(discriminator="kind")]
