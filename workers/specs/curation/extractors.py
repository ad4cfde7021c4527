"""How text is taken out of HTML and PDF."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class Trafilatura(Spec):
    """trafilatura, as FineWeb uses it. https://trafilatura.readthedocs.io"""

    kind: Literal["trafilatura"] = "trafilatura"
    favor_precision: bool = True
    """Fewer but surer blocks."""
    deduplicate: bool = True
    """Drop segments repeated within a page."""
    timeout_seconds: float = Field(1.0, gt=0, le=60)
    """Longest time for one page."""


class Resiliparse(Spec):
    """Resiliparse main content: about 20 times as fast. https://resiliparse.chatnoir.eu"""

    kind: Literal["resiliparse"] = "resiliparse"
    main_content: bool = True
    """Leave navigation and footers out."""


class Pypdfium2(Spec):
    """pypdfium2 (Apache-2.0 / BSD-3-Clause): the default."""

    kind: Literal["pypdfium2"] = "pypdfium2"
    max_pages: int = Field(2000, ge=1)
    """Pages read of one file."""


class Pymupdf(Spec):
    """PyMuPDF in block order. Its licence is AGPL-3.0 or commercial: see README."""

    kind: Literal["pymupdf"] = "pymupdf"
    max_pages: int = Field(2000, ge=1)
    """Pages read of one file."""


HtmlExtractor = Annotated[Trafilatura | Resiliparse, Field(discriminator="kind")]
PdfExtractor = Annotated[Pypdfium2 | Pymupdf, Field(discriminator="kind")]
