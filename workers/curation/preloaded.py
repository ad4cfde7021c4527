"""Imported by the process that workers are forked from: what all of them need, whatever the spec, is loaded here once.

That is 0.8 s of work: numba's first call alone takes 0.2 s.
"""

from importlib import import_module

from workers.curation.hidden import hidden

with hidden("scipy.linalg"):  # numba looks for its BLAS, 0.1 s for kernels that multiply no matrices
    import_module("numba.np.arraymath")

from workers.curation.dedup import build_signer
from workers.curation.document import Document
from workers.curation.filters import build_filter
from workers.curation.language import Identifier
from workers.curation.stages import Stages
from workers.curation.text import Text
from workers.specs.curation import CurationSpec

__all__ = ["Stages"]


def _load() -> None:
    """One text through all that judges texts: the language model, the word rules and the compiled kernels are there."""
    spec = CurationSpec()
    text = Text("The mill stands by the river. It turns when there is water, and rests when there is none.\n" * 3)
    document = Document("", "", text.text, "text/plain")
    Identifier(spec.language).judge(document)
    for filter_ in spec.filters:
        build_filter(filter_).judge(document, text)
    build_signer(spec.dedup).sign(document, text)


_load()
