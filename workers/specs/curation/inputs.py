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


class S3Input(Spec):
    """Objects under a prefix of an S3 bucket, read as a folder would be. Keys come from the worker's environment."""

    kind: Literal["s3"] = "s3"
    url: str = Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$", examples=["s3://crawl/2024-10"])
    """Bucket and prefix."""
    endpoint_url: str | None = None
    """Address of the S3 service; none: AWS, or what the worker's environment says."""
    spool_mb: int = Field(20_000, ge=1)
    """Disk that fetched objects may take on the worker, in MB; what was used longest ago goes first."""


Input = Annotated[CorpusInput | FolderInput | S3Input, Field(discriminator="kind")]
