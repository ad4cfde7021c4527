"""Release: a checkpoint -> a model that others can load."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Digest, Name, Resources, Spec


class HuggingFace(Spec):
    """A folder that `transformers` loads (Llama, Qwen3, SmolLM3); what none of them can express becomes `own`."""

    kind: Literal["hugging_face"] = "hugging_face"
    max_logit_difference: float = Field(1e-4, gt=0)
    """Largest difference to our own fp32 logits; over it the release fails."""


class Own(Spec):
    """Our own folder: safetensors, model.json, and modeling.py, which loads it with PyTorch alone; any model has it."""

    kind: Literal["own"] = "own"
    max_logit_difference: float = Field(1e-4, gt=0)
    """Largest difference to our own fp32 logits; over it the release fails."""


Format = Annotated[HuggingFace | Own, Field(discriminator="kind")]


class ReleaseSpec(Spec):
    """From a checkpoint to a released model."""

    kind: Literal["release"] = "release"
    name: Name = "model"
    """Name of the registered model."""
    checkpoint: Digest | None = None
    """Digest of the checkpoint. A pipeline fills it in."""
    dataset: Digest | None = None
    """Digest of the dataset version, for the lineage. A pipeline fills it in."""
    evaluation: Digest | None = None
    """Digest of the evaluation whose scores stand in the model card. A pipeline fills it in."""
    format: Format = HuggingFace()
    """What others load it with."""
    mtp_heads: Literal["drop", "keep"] = "drop"
    """Heads for tokens after the next: the model says the same without; kept, they draft for fast decoding."""
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _has_place_for_heads(self) -> Self:
        if self.mtp_heads == "keep" and self.format.kind != "own":
            raise ValueError(
                "transformers has no place for heads of multi-token prediction: set format to {kind: own}, "
                "or mtp_heads to drop"
            )
        return self
