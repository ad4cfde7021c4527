"""A checkpoint -> a released model: converted, verified by loading it as a user would, described."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from workers.data.chat import words_of
from workers.data.tokenizer import Tokenizer
from workers.model.checkpoint import load_model, write_file
from workers.model.transformer import Transformer
from workers.release import hugging_face, own
from workers.release.model_card import write_card
from workers.reporter import Reporter
from workers.specs.release import ReleaseSpec

DEFAULT_CONTEXT_TOKENS = 1024
NUM_COMPARED = 6
MAX_COMPARED_TOKENS = 256
NUM_SAMPLE_TOKENS = 32
PROMPT_WORDS = 12
STAGES = ("convert", "verify", "generate", "describe")


def release(
    spec: ReleaseSpec,
    *,
    checkpoint: Path,
    dataset: Path,
    evaluation: Path | None,
    out: Path,
    lineage: dict[str, Any],
    reporter: Reporter,
) -> dict[str, Any]:
    """Write the folder `out`, which appears only when whole and verified.

    Returns name, num_parameters, max_logit_difference, compared_on, sample and scores. Raises FileNotFoundError or
    ValueError for an input that is none, ValueError when the logits differ by more than the spec allows.
    """
    model, _, _ = load_model(checkpoint)
    model = model.float()
    if spec.mtp_heads == "drop":
        _drop_heads(model, reporter)
    tokenizer, info = _open_dataset(dataset, model)
    trainer = _trainer(checkpoint)
    trained_on = trainer.get("identity", {}).get("batch.sequence_tokens", DEFAULT_CONTEXT_TOKENS)
    context_tokens = int(trainer.get("context_tokens", trained_on))
    scores = _scores(evaluation)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    _progress(reporter, "convert")
    form = _choose_form(spec, model, reporter)
    form.write_folder(partial, model, dataset / "tokenizer.json", context_tokens)
    _progress(reporter, "verify")
    texts = held_out_texts(dataset)
    difference = _verify(spec, form, partial, model, _sequences(tokenizer, texts, context_tokens))
    _progress(reporter, "generate")
    prompt = " ".join(texts[0].split()[:PROMPT_WORDS]) if texts else "The"
    sample = {"prompt": prompt, "text": form.generate_text(partial, prompt, NUM_SAMPLE_TOKENS)}
    _progress(reporter, "describe")
    num_parameters = sum(p.numel() for p in model.parameters())
    summary = {
        "name": spec.name,
        "format": "own" if form is own else "hugging_face",
        "transformers_class": None if form is own else model.spec.transformers_class,
        "num_parameters": num_parameters,
        "vocab_size": model.vocab_size,
        "context_tokens": context_tokens,
        "max_logit_difference": difference,
        "compared_on": "held-out text" if texts else "running token ids (the dataset has no held-out text)",
        "sample": sample,
        "scores": scores,
    }
    card = write_card(
        summary, architecture=model.spec.model_dump(), dataset=info, training=_training(trainer), lineage=lineage
    )
    write_file(partial / "README.md", card.encode())
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    reporter.progress("release", len(STAGES), len(STAGES), "stages")
    return summary


def held_out_texts(dataset: Path) -> list[str]:
    """Some held-out texts, of as many languages as there are; English first. Empty when there are none."""
    path = dataset / "heldout.jsonl"
    by_language: dict[str, list[str]] = {}
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                text = words_of(row["text"], row.get("media_type"))
                if len(text.split()) >= PROMPT_WORDS:
                    by_language.setdefault(row["language"], []).append(text)
    languages = sorted(by_language, key=lambda language: (language != "en", language))
    turns = range(max(map(len, by_language.values()), default=0))
    texts = (
        by_language[language][turn] for turn in turns for language in languages if turn < len(by_language[language])
    )
    return [text for text, _ in zip(texts, range(NUM_COMPARED), strict=False)]


def _drop_heads(model: Transformer, reporter: Reporter) -> None:
    """Take the heads for tokens after the next off the model; what it says of the next token stays."""
    if model.mtp is None or model.spec.mtp is None:
        return
    num_parameters = sum(p.numel() for p in model.mtp.parameters())
    model.mtp, model.spec = None, model.spec.model_copy(update={"mtp": None})
    reporter.event(
        "note",
        f"the heads of multi-token prediction ({num_parameters:,} parameters) are dropped: `mtp_heads: keep` with "
        "`format: {kind: own}` keeps them",
    )


def _open_dataset(dataset: Path, model: Transformer) -> tuple[Tokenizer, dict[str, Any]]:
    tokenizer = Tokenizer.load(dataset / "tokenizer.json")
    if tokenizer.vocab_size > model.vocab_size:
        raise ValueError(
            f"the tokenizer of {dataset} has {tokenizer.vocab_size} tokens, the model {model.vocab_size}: "
            "release a checkpoint with the dataset it was trained on"
        )
    return tokenizer, json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))


def _trainer(checkpoint: Path) -> dict[str, Any]:
    path = checkpoint / "trainer.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _training(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """What of trainer.json belongs into the card: the settings, and how far and through what the run went."""
    state = trainer.get("state", {})
    kept = ("step", "tokens", "num_interventions", "num_rollbacks", "skipped", "first_loss", "last_loss")
    settings = {name: value for name, value in trainer.get("identity", {}).items() if not name.startswith("model.")}
    return {"settings": settings} | {name: state[name] for name in kept if name in state}


def _scores(evaluation: Path | None) -> list[dict[str, Any]]:
    if evaluation is None:
        return []
    path = evaluation / "evaluation.json"
    if not path.is_file():
        raise FileNotFoundError(f"{evaluation} has no evaluation.json: it is not an evaluation folder")
    return json.loads(path.read_text(encoding="utf-8"))


def _sequences(tokenizer: Tokenizer, texts: list[str], context_tokens: int) -> list[list[int]]:
    length = min(MAX_COMPARED_TOKENS, context_tokens)
    return [tokenizer.encode(text)[:length] for text in texts] or [[i % tokenizer.vocab_size for i in range(length)]]


def _choose_form(spec: ReleaseSpec, model: Transformer, reporter: Reporter) -> ModuleType:
    """The plugin of the spec's format; ours where no class of transformers can express the model."""
    if spec.format.kind == "own":
        return own
    if reasons := model.spec.own_format_reasons:
        reporter.event(
            "warning",
            f"no class of transformers can express the model ({', '.join(reasons)}): it is released in our own format, "
            f"whose {own.LOADER} loads it",
        )
        return own
    return hugging_face


def _verify(spec: ReleaseSpec, form: ModuleType, folder: Path, model: Transformer, sequences: list[list[int]]) -> float:
    """The largest difference in logits. The comparison is written so that NaN fails."""
    difference, allowed = form.largest_logit_difference(folder, model, sequences), spec.format.max_logit_difference
    if not difference <= allowed:
        raise ValueError(
            f"the released model's logits differ from the checkpoint's by {difference:.3g}, "
            f"format.max_logit_difference allows {allowed:.3g}; nothing was released. {folder} shows what was made"
        )
    return difference


def _progress(reporter: Reporter, stage: str) -> None:
    reporter.progress("release", STAGES.index(stage), len(STAGES), "stages")
    reporter.log(f"release: {stage}")
