"""Weights to start from: another run's, or a model that others trained."""

from pathlib import Path

from workers.model.foreign import open_any_model
from workers.model.pretrained import find_model
from workers.model.transformer import Transformer
from workers.specs.training import TrainingSpec
from workers.training.errors import InputError
from workers.training.finite import describe_wrong
from workers.training.sources import Folders
from workers.training.teacher_model import read_vocabulary

FREE_FIELDS = frozenset({"init", "init_std", "rope_theta", "mtp"})
"""What of a model may differ from that of its initial weights: no weight's shape or meaning hangs on it."""


def build_model(spec: TrainingSpec, vocab_size: int, dataset: Folders) -> Transformer:
    """The model of a spec on the CPU, drawn from the global generator or with the weights that the spec names.

    A vocabulary larger than the dataset's stays as it is. Raises InputError when weights, spec and dataset do not fit.
    """
    if spec.initial_weights is None:
        return Transformer(spec.model, vocab_size)
    given = _open(spec.initial_weights)
    _check_shape(spec, given)
    if given.vocab_size < vocab_size:
        raise InputError(
            f"initial_weights {spec.initial_weights} have {given.vocab_size} tokens, the dataset {vocab_size}: "
            "make the dataset with the tokenizer of these weights"
        )
    _check_tokenizer(spec.initial_weights, dataset)
    _check_finite(spec.initial_weights, given)
    model = Transformer(spec.model, given.vocab_size)
    missing, unexpected = model.load_state_dict(given.state_dict(), strict=False)
    if wrong := [name for name in (*missing, *unexpected) if not name.startswith("mtp.")]:
        raise InputError(f"initial_weights {spec.initial_weights} do not fit the model: {', '.join(wrong[:4])}")
    return model


def _open(name: str) -> Transformer:
    if name.startswith("sha256:"):
        raise InputError(f"initial_weights {name} is a digest, which the service resolves: here give a folder")
    try:
        return open_any_model(find_model(name))
    except (ValueError, OSError) as error:
        raise InputError(f"initial_weights cannot be used: {error}") from error


def _check_shape(spec: TrainingSpec, given: Transformer) -> None:
    theirs, ours = given.spec.model_dump(), spec.model.model_dump()
    if spec.model.parametrization == "standard" == given.spec.parametrization:
        theirs |= {name: ours[name] for name in ("base_d_model", "base_num_layers")}
    wrong = {name: value for name, value in theirs.items() if name not in FREE_FIELDS and ours[name] != value}
    if wrong:
        fields = ", ".join(f"{name}: {value}" for name, value in wrong.items())
        raise InputError(
            f"initial_weights {spec.initial_weights} are of another model than the spec's. Set model: {{{fields}}}"
        )


def _check_finite(name: str, given: Transformer) -> None:
    if wrong := describe_wrong(given.state_dict()):
        raise InputError(
            f"initial_weights {name} hold {wrong}. The run that made them had diverged: take an earlier checkpoint of "
            "it"
        )


def _check_tokenizer(name: str, dataset: Folders) -> None:
    """Where both have one, tokens must be the same."""
    path = find_model(name)
    theirs = read_vocabulary((path if path.is_dir() else path.parent) / "tokenizer.json")
    for folder in [dataset] if isinstance(dataset, Path) else dataset.values():
        ours = read_vocabulary(folder / "tokenizer.json")
        if theirs is None or ours is None:
            continue
        if other := [token for token, number in ours.items() if theirs.get(token) != number]:
            raise InputError(
                f"the tokenizer of dataset {folder} is not that of initial_weights {name}: {len(other)} tokens differ, "
                f"such as {other[0]!r}"
            )
