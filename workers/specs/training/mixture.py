"""Training on several dataset versions, or on parts of one, with weights."""

from pydantic import Field

from workers.specs.base import Digest, Language, Spec


class MixtureSource(Spec):
    """A dataset version, or the part of it in some languages or quality buckets."""

    name: str = Field("", max_length=60, pattern=r"^[^\x00-\x1f/]*$")
    """What its loss is called (`loss/NAME`); empty: made of languages, buckets or digest."""
    dataset: Digest | None = None
    """None: the run's own `dataset`. All versions of a mixture have the same tokenizer (`tokenizer.dataset` of
    curation)."""
    weight: float = Field(gt=0, le=1e6)
    """Its share of the sequences is its weight over the sum of all weights."""
    languages: list[Language] = Field(default_factory=list)
    """Documents of these languages; empty: all."""
    buckets: list[int] = Field(default_factory=list)
    """Documents of these quality buckets; empty: all."""

    @property
    def label(self) -> str:
        """Its name, or what it selects."""
        parts = ["+".join(self.languages)] * bool(self.languages)
        parts += ["bucket " + "+".join(map(str, self.buckets))] * bool(self.buckets)
        return self.name or " ".join(parts) or (self.dataset or "dataset").removeprefix("sha256:")[:12]

    @property
    def selection(self) -> tuple[str | None, tuple[str, ...], tuple[int, ...]]:
        """What makes two sources the same one: version, languages, buckets."""
        return self.dataset, tuple(sorted(self.languages)), tuple(sorted(self.buckets))
