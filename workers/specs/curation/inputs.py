"""Where raw documents come from."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class CorpusInput(Spec):
    """A named corpus that `headrace corpus fetch NAME` brings into the data folder of the worker."""

    kind: Literal["corpus"] = "corpus"
    name: str = Field("debian-docs", pattern=r"^[a-z0-9-]+$")
    """Name of the corpus."""


class FolderInput(Spec):
    """A folder that the worker can read: WARC, HTML, PDF, text, Markdown, JSONL, Parquet, in any mix."""

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    """Absolute path on the worker."""


Input = Annotated[CorpusInput | FolderInput, Field(discriminator="kind")]
