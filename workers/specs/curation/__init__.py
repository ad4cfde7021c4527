"""Curation: raw documents -> a clean, deduplicated, tokenized, versioned dataset."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Digest, Language, Name, Resources, Spec
from workers.specs.curation.blocklists import Url
from workers.specs.curation.dedup import Dedup
from workers.specs.curation.engines import Engine, LocalEngine
from workers.specs.curation.extractors import HtmlExtractor, PdfExtractor, Pypdfium2, Trafilatura
from workers.specs.curation.filters import (
    C4Quality,
    Filter,
    FinewebQuality,
    GopherQuality,
    GopherRepetition,
)
from workers.specs.curation.inputs import CorpusInput, Input


class LanguageIdentification(Spec):
    """lid.176 (fastText) on cropped text. https://fasttext.cc/docs/en/language-identification.html"""

    languages: list[Language] = Field(["en", "fr", "es", "de", "it", "pt"], min_length=1)
    """Languages that are kept."""
    min_score: float = Field(0.65, ge=0, le=1)
    """Least confidence, for languages without their own."""
    min_score_by_language: dict[Language, float] = Field(default_factory=dict)
    """Least confidence by language (FineWeb-2)."""
    max_chars: int = Field(2000, ge=100)
    """Characters looked at."""


class Pii(Spec):
    """E-mail addresses, public IP addresses and, if wanted, phone numbers are replaced."""

    emails: bool = True
    ips: bool = True
    """Public IPv4 and IPv6 addresses."""
    phones: bool = False
    """Phone numbers in international or local writing."""


class TokenizerTraining(Spec):
    """Byte-level BPE, trained on the kept documents, balanced over languages."""

    dataset: Digest | None = None
    """Take the tokenizer of this dataset version instead of training one: mixtures need a common one."""
    model: str | None = Field(None, min_length=1, max_length=4096)
    """Take that of a model on the worker, as `initial_weights` names it: for training on from its weights."""
    vocab_size: int = Field(8192, ge=300, le=262_144)
    max_bytes_per_language: int = Field(8_000_000, ge=1000)
    """Bytes it is trained on for a language of weight 1."""
    language_weights: dict[Language, Annotated[float, Field(ge=0, le=1000)]] = Field(default_factory=dict)
    """Bytes of a language relative to the others; 1 where none is given, so that all are equal; 0: none of it."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if self.dataset and self.model:
            raise ValueError("give tokenizer.dataset or tokenizer.model, not both")
        return self


class Limits(Spec):
    """Bounds against hostile or broken input."""

    max_document_bytes: int = Field(20_000_000, ge=1000)
    """Raw size of one record after decompression."""
    max_compression_ratio: float = Field(200.0, gt=1)
    """Decompressed over compressed, from which a stream counts as a bomb."""
    max_reject_share: float = Field(0.5, ge=0, le=1)
    """Share of unreadable records over which the run stops."""


class CurationSpec(Spec):
    """From raw documents to a dataset version."""

    kind: Literal["curation"] = "curation"
    name: Name = "dataset"
    """Name of the dataset."""
    input: Input = CorpusInput()
    max_documents: int | None = Field(None, ge=1)
    """Read at most so many records, spread evenly over the input."""
    html_extractor: HtmlExtractor = Trafilatura()
    pdf_extractor: PdfExtractor = Pypdfium2()
    repair_text: bool = True
    """Mend broken encodings (ftfy)."""
    language: LanguageIdentification = LanguageIdentification()
    filters: list[Filter] = [Url(), GopherRepetition(), GopherQuality(), C4Quality(), FinewebQuality()]
    dedup: Dedup = Dedup()
    pii: Pii = Pii()
    tokenizer: TokenizerTraining = TokenizerTraining()
    heldout_share: float = Field(0.05, gt=0, lt=0.5)
    """Share of documents kept apart for evaluation, by hash of the document."""
    heldout_dataset: Digest | None = None
    """Hold out what this dataset version does, and leave out what repeats it: for comparing variants."""
    shard_tokens: int = Field(4_000_000, ge=1000)
    """Tokens in one shard file."""
    samples_per_rule: int = Field(30, ge=0, le=1000)
    """Kept and dropped documents stored for the browser, per rule and language."""
    engine: Engine = LocalEngine()
    num_processes: int = Field(0, ge=0, le=256)
    """Processes (or Ray actors); 0: one a core."""
    limits: Limits = Limits()
    resources: Resources = Resources()
