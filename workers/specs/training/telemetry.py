"""What is measured in each layer."""

from pydantic import Field

from workers.specs.base import Spec


class LayerTelemetry(Spec):
    """Norms, activations and attention logits by layer: whole in Parquet files, and as series of the run."""

    every_steps: int = Field(10, ge=0)
    """Every so many steps; 0: never. A measured step costs a forward pass over one sequence more."""
    probe_every_steps: int = Field(50, ge=0)
    """Every so many steps a fixed batch is looked at (dead units, attention entropy, effective rank, change of
    features); 0: never. It costs a forward pass over four sequences."""
