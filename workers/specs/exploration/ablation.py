"""Ablation: which change of a curation recipe makes better data? (FineWeb's method, arXiv 2406.17557, section 2.2)

The same small model is trained on each variant's dataset at equal tokens, with several seeds, and measured on the
same held-out texts, which no variant was trained on.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from workers.specs.base import Language, Name, Resources, Spec, problems
from workers.specs.composition import lay_over
from workers.specs.curation import CurationSpec
from workers.specs.curation.filters import Filter
from workers.specs.evaluation import BitsPerByte, EvaluationSpec
from workers.specs.training import TrainingSpec

BASE = "base"
"""Name of the unchanged recipe among the variants."""


class Part(Spec):
    """A part of the variant's dataset in a mixture."""

    weight: float = Field(gt=0, le=1e6)
    """Its share of the sequences is its weight over the sum of all weights."""
    languages: list[Language] = Field(default_factory=list)
    """Documents of these languages; empty: all."""
    buckets: list[int] = Field(default_factory=list)
    """Documents of these quality buckets; empty: all."""


class Variant(Spec):
    """A change of the base recipe."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", examples=["no-repetition"])]
    without: list[str] = Field(default_factory=list)
    """Kinds of filters that are taken out."""
    add: list[Filter] = Field(default_factory=list)
    """Filters put behind those of the base."""
    thresholds: dict[str, dict[str, Any]] = Field(
        default_factory=dict, examples=[{"gopher_quality": {"min_words": 20}}]
    )
    """Kind of filter -> fields that change in all filters of that kind."""
    curation: dict[str, Any] = Field(default_factory=dict, examples=[{"dedup": {"minhash": False}}])
    """Anything else of the curation, laid over it: objects are merged, lists replaced."""
    mixture: list[Part] = Field(default_factory=list, max_length=64)
    """Parts of its dataset with weights to train on; empty: all of it, as it is."""


class AblationSpec(Spec):
    """Variants of a recipe against the recipe, by small models."""

    kind: Literal["ablation"] = "ablation"
    name: Name = "ablation"
    base: CurationSpec = CurationSpec()
    """The recipe that the variants change."""
    variants: list[Variant] = Field(min_length=1, max_length=32)
    training: TrainingSpec = TrainingSpec()
    """The proxy: the same for all, so that all see equally many tokens. Its dataset and seed are filled in."""
    num_seeds: int = Field(3, ge=2, le=100)
    """Trainings of each variant; the seeds are those of `training.seed` and after."""
    evaluation: EvaluationSpec = EvaluationSpec(tasks=[BitsPerByte()])
    """What is measured. Its checkpoint and dataset are filled in."""
    rank_by: str = "bits_per_byte"
    """Task whose score ranks: `bits_per_byte`, `cloze`, or a benchmark's name."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Of the intervals, and of the verdicts (with Holm's correction for the number of variants)."""
    max_parallel: int = Field(1, ge=1, le=64)
    """Children at a time. More than the workers can take only wait."""
    resources: Resources = Resources()
    """Of the ablation itself, which only launches, waits and compares; its children have their own."""

    @model_validator(mode="after")
    def _recipes_fit(self) -> Self:
        names = [variant.name for variant in self.variants]
        if BASE in names or len(set(names)) < len(names):
            raise ValueError(f"variants need names of their own, other than {BASE!r}: {', '.join(names)}")
        for variant in self.variants:
            changed = compose_variant(self.base, variant)
            if changed == self.base and not variant.mixture:
                raise ValueError(f"variant {variant.name} changes nothing")
        if self.training.dataset or self.training.has_mixture:
            raise ValueError("training.dataset and its mixtures stay empty: the ablation fills them in")
        tasks = [getattr(task, "benchmark", task.kind) for task in self.evaluation.tasks]
        if self.rank_by not in tasks:
            raise ValueError(f"rank_by {self.rank_by!r} is none of the evaluation's tasks: {', '.join(tasks)}")
        return self

    @property
    def seeds(self) -> list[int]:
        """Seeds of the trainings."""
        return list(range(self.training.seed, self.training.seed + self.num_seeds))

    def recipe(self, arm: str) -> CurationSpec:
        """The curation of the base or a variant, by name."""
        return self.base if arm == BASE else compose_variant(self.base, self._variant(arm))

    def mixture(self, arm: str) -> list[Part]:
        """The mixture of an arm; empty: its whole dataset."""
        return [] if arm == BASE else self._variant(arm).mixture

    @property
    def arms(self) -> list[str]:
        """The base and the variants, by name."""
        return [BASE, *(variant.name for variant in self.variants)]

    def _variant(self, name: str) -> Variant:
        return next(variant for variant in self.variants if variant.name == name)


def compose_variant(base: CurationSpec, variant: Variant) -> CurationSpec:
    """The recipe of a variant. Raises ValueError that names the variant and what does not fit."""
    kinds = {filter_.kind for filter_ in base.filters}
    for kind in (*variant.without, *variant.thresholds):
        if kind not in kinds:
            raise ValueError(
                f"variant {variant.name}: the base has no filter {kind!r}, only {', '.join(sorted(kinds))}"
            )
    filters = [
        filter_.model_dump(mode="json") | variant.thresholds.get(filter_.kind, {})
        for filter_ in base.filters
        if filter_.kind not in variant.without
    ]
    filters += [filter_.model_dump(mode="json") for filter_ in variant.add]
    whole = lay_over(base.model_dump(mode="json") | {"filters": filters}, variant.curation)
    try:
        return CurationSpec.model_validate(whole)
    except ValidationError as error:
        first = problems(error, whole)[0]
        raise ValueError(f"variant {variant.name}: {first['pointer']}: {first['message']}") from error
