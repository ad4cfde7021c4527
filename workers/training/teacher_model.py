"""A teacher in memory: a model of ours or one of transformers, behind one form.

Shapes: B sequences, T tokens, D teacher's width, V vocabulary, H heads.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.model import checkpoint, pretrained
from workers.model.attention import document_mask
from workers.model.trace import Trace
from workers.model.transformer import Transformer
from workers.training.errors import InputError
from workers.training.finite import describe_wrong
from workers.training.lesson import FullLogits, Lesson

_CHECKED_TOKENS = 8


@dataclass(slots=True, frozen=True)
class TeacherShape:
    """What losses need to know of a teacher before they see it."""

    num_layers: int
    num_heads: int
    width: int

    def check_layers(self, layers: Iterable[int]) -> None:
        """Raises InputError for a layer that the teacher has not."""
        if beyond := sorted(layer for layer in layers if layer >= self.num_layers):
            raise InputError(
                f"distillation names layer {beyond[0]} of a teacher whose layers are 0 to {self.num_layers - 1}"
            )


class TeacherModel(Protocol):
    """Both kinds. Weights are fixed, in evaluation mode."""

    shape: TeacherShape
    vocabulary: dict[str, int] | None
    """Tokens by name; None: the model's folder has no tokenizer."""
    num_rows: int
    """Rows of its output projection."""

    def look(
        self, tokens_BT: Tensor, documents_BT: Tensor, hidden: Collection[int], attention: Collection[int]
    ) -> Lesson:
        """What it says of a batch, and of these of its layers. Documents are masked from one another."""
        ...


class OwnTeacher:
    """A checkpoint of ours."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Raises ValueError when the folder is damaged."""
        model, spec, self.num_rows = checkpoint.load_model(folder)  # safetensors knows no "cpu:0"
        _check_finite(model, folder)
        self._model = model.to(device).requires_grad_(False)
        self.shape = TeacherShape(spec.num_layers, spec.num_heads, spec.d_model)
        self.vocabulary = read_vocabulary(folder / "tokenizer.json")

    @property
    def model(self) -> Transformer:
        """The model itself."""
        return self._model

    @torch.no_grad()
    def look(
        self, tokens_BT: Tensor, documents_BT: Tensor, hidden: Collection[int], attention: Collection[int]
    ) -> Lesson:
        """See `TeacherModel`."""
        trace = Trace(frozenset(hidden), frozenset(attention))
        hidden_BTD = self._model.hidden(tokens_BT, documents_BT, trace=trace)
        return Lesson(FullLogits(hidden_BTD, self._model.head_weight_VC), trace.hidden, trace.attention)


class ForeignTeacher:
    """A causal language model of transformers."""

    def __init__(self, path: Path, device: torch.device, with_attention: bool) -> None:
        """Raises ValueError when it cannot be loaded, or its logits are no plain product with its last states."""
        self._model, tokenizer = pretrained.load_model(path, str(device), "eager" if with_attention else "sdpa")
        self._model.requires_grad_(False)
        _check_finite(self._model, path)
        self._base: nn.Module = self._model.base_model
        self._head_VD: Tensor = self._model.get_output_embeddings().weight
        config = self._model.config.get_text_config()
        self.shape = TeacherShape(config.num_hidden_layers, config.num_attention_heads, config.hidden_size)
        self.vocabulary = dict(tokenizer.get_vocab())
        self.num_rows = len(self._head_VD)
        self._check(path)

    @torch.no_grad()
    def look(
        self, tokens_BT: Tensor, documents_BT: Tensor, hidden: Collection[int], attention: Collection[int]
    ) -> Lesson:
        """See `TeacherModel`."""
        allowed_B1TT = document_mask(documents_BT)
        dtype = self._head_VD.dtype
        # Added to the scores: the one form of a mask that all of transformers' implementations take.
        mask_B1TT = torch.zeros(allowed_B1TT.shape, dtype=dtype, device=tokens_BT.device)
        mask_B1TT = mask_B1TT.masked_fill(~allowed_B1TT, torch.finfo(dtype).min)
        found: Any = self._base(
            input_ids=tokens_BT,
            attention_mask=mask_B1TT,
            use_cache=False,
            output_hidden_states=bool(hidden),
            output_attentions=bool(attention),
        )
        return Lesson(
            FullLogits(found.last_hidden_state, self._head_VD),
            {layer: found.hidden_states[layer + 1] for layer in hidden},  # the first is the embedding
            {layer: found.attentions[layer] for layer in attention},
        )

    @torch.no_grad()
    def _check(self, path: Path) -> None:
        """Some classes scale or bend their logits after the projection."""
        tokens_1T = torch.arange(_CHECKED_TOKENS, device=self._head_VD.device)[None] % self.num_rows
        lesson = self.look(tokens_1T, torch.zeros_like(tokens_1T), (), ())
        product = functional.linear(lesson.logits[0], self._head_VD).float()
        whole = self._model(tokens_1T, use_cache=False).logits.float()
        tolerance = 1e-3 if self._head_VD.dtype == torch.float32 else 0.1
        if not torch.allclose(product, whole, rtol=tolerance, atol=tolerance * float(whole.abs().max())):
            raise ValueError(f"the teacher in {path} changes its logits after the output projection: take another")


def _check_finite(model: nn.Module, path: Path) -> None:
    if wrong := describe_wrong(model.state_dict()):
        raise ValueError(f"{path} holds {wrong}: take an earlier checkpoint of the run that made it")


def open_model(path: Path, device: torch.device, with_attention: bool = False) -> TeacherModel:
    """A checkpoint of ours where there is a model.json, else by transformers.

    Raises InputError when it cannot be loaded.
    """
    try:
        if (path / "model.json").is_file():
            return OwnTeacher(path, device)
        return ForeignTeacher(path, device, with_attention)
    except (ValueError, OSError) as error:
        raise InputError(f"the teacher cannot be used: {error}") from error


def read_vocabulary(tokenizer_file: Path) -> dict[str, int] | None:
    """Tokens by name; None without the file. Raises InputError when it is damaged."""
    from tokenizers import Tokenizer  # here: most runs have no teacher

    if not tokenizer_file.is_file():
        return None
    try:
        found: dict[str, int] = Tokenizer.from_file(str(tokenizer_file)).get_vocab(with_added_tokens=True)
    except Exception as error:  # it raises no narrower kind
        raise InputError(f"{tokenizer_file} is no tokenizer: {error}") from error
    return found
