"""The model card: what the model is, where it comes from, how good it is, what it is not for.

Metadata block: https://huggingface.co/docs/hub/model-cards
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

INTENDED_USE = """It continues text in the languages above. It is a base model: it was not taught to follow
instructions or to hold a conversation. Use it for research, for teaching, and as a start for further training."""
LIMITS = """It writes fluent text that may be wrong, and repeats the errors and prejudices of its sources; personal
data in them may have been missed. Texts longer than {context_tokens} tokens are beyond what it was trained on.
Do not let it decide anything about people."""


def write_card(
    summary: Mapping[str, Any],
    *,
    architecture: Mapping[str, Any],
    dataset: Mapping[str, Any],
    training: Mapping[str, Any],
    lineage: Mapping[str, Any],
) -> str:
    """Text of README.md.

    `summary` is that of `workers.release.run.release`, `dataset` is dataset.json; the others are shown as they are.
    """
    languages = sorted(language for language in dataset.get("documents", {}) if language)
    sample = f"> {_quote(summary['sample']['prompt'])} **{_quote(summary['sample']['text'])}**\n\nGreedy, not chosen."
    verified = {name: summary[name] for name in ("max_logit_difference", "compared_on")}
    sections = {
        "Use": _usage(summary["transformers_class"] is not None),
        "Sample": sample,
        "Scores": _scores(summary["scores"]),
        "Data": _data(dataset),
        "Training": _code(training),
        "Architecture": _code(architecture),
        "Intended use": INTENDED_USE,
        "Limits": LIMITS.format(context_tokens=summary["context_tokens"]),
        "Lineage": _code({**lineage, "logits_against_checkpoint": verified}),
    }
    head = f"{_front_matter(summary, languages)}\n\n# {summary['name']}\n\n{_introduction(summary, dataset, languages)}"
    return "\n\n".join([head, *(f"## {title}\n\n{text}" for title, text in sections.items())]) + "\n"


def _front_matter(summary: Mapping[str, Any], languages: list[str]) -> str:
    name = summary["transformers_class"]
    block: dict[str, Any] = {
        "library_name": "transformers" if name else "pytorch",
        "pipeline_tag": "text-generation",
        "tags": [name.removesuffix("ForCausalLM").lower() if name else "headrace"],
    }
    if languages:
        block["language"] = languages
    return f"---\n{yaml.safe_dump(block, sort_keys=True)}---"


def _introduction(summary: Mapping[str, Any], dataset: Mapping[str, Any], languages: list[str]) -> str:
    kind = (summary["transformers_class"] or "decoder").removesuffix("ForCausalLM")
    return (
        f"A {kind} model with {summary['num_parameters']:,} parameters and a vocabulary of {summary['vocab_size']:,}, "
        f"trained with Headrace on a dataset of {dataset['num_tokens']['train']:,} tokens "
        f"({', '.join(languages) or 'language unknown'}). Context: {summary['context_tokens']:,} tokens."
    )


def _usage(for_transformers: bool) -> str:
    if not for_transformers:
        return (
            "No class of transformers expresses it: `modeling.py` in this folder loads it with PyTorch alone.\n\n"
            "```python\nfrom tokenizers import Tokenizer\nfrom modeling import generate, load\n\n"
            'model, tokenizer = load("."), Tokenizer.from_file("tokenizer.json")\n'
            'tokens = tokenizer.encode("The water", add_special_tokens=False).ids\n'
            "print(tokenizer.decode(tokens + generate(model, tokens, 32)))\n```"
        )
    return (
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'folder = "."  # the folder of this file\n'
        "tokenizer = AutoTokenizer.from_pretrained(folder)\nmodel = AutoModelForCausalLM.from_pretrained(folder)\n"
        'inputs = tokenizer("The water", return_tensors="pt", return_token_type_ids=False)\n'
        "print(tokenizer.decode(model.generate(**inputs, max_new_tokens=32)[0]))\n```"
    )


def _scores(scores: Iterable[Mapping[str, Any]]) -> str:
    rows = []
    for score in scores:
        chance = "" if score["chance"] is None else f"{score['chance']:.3f}"
        rows.append((score["task"], score["metric"], "all", score, chance))
        rows += [(score["task"], score["metric"], name, part, chance) for name, part in score["slices"].items()]
    if not rows:
        return "Not evaluated."
    lines = [
        f"| {task} | {metric} | {part} | {s['value']:.3f} | {s['low']:.3f} to {s['high']:.3f} | {chance} "
        f"| {s['num_items']} |"
        for task, metric, part, s, chance in rows
    ]
    head = "| task | metric | language | value | 95 % interval | chance | items |\n|---|---|---|---|---|---|---|"
    return f"{head}\n" + "\n".join(lines) + "\n\nBits per byte: lower is better. Intervals by bootstrap over items."


def _data(dataset: Mapping[str, Any]) -> str:
    documents, tokens = dataset.get("documents", {}), dataset.get("tokens", {})
    rows = [
        f"| {language or 'unknown'} | {_total(documents[language]):,} | {_total(tokens.get(language, 0)):,} |"
        for language in sorted(documents)
    ]
    split = dataset["num_tokens"]
    text = f"{split['train']:,} tokens for training, {split['heldout']:,} held out."
    if rows:
        text += "\n\n| language | documents | tokens |\n|---|---|---|\n" + "\n".join(rows)
    dropped = dataset.get("dropped")
    if dropped:
        text += "\n\n| rule | documents dropped |\n|---|---|\n"
        text += "\n".join(f"| {rule} | {_total(count):,} |" for rule, count in dropped.items())
    return text


def _total(count: int | Mapping[str, int]) -> int:
    """Counts come whole, or by split."""
    return sum(count.values()) if isinstance(count, Mapping) else count


def _quote(text: str) -> str:
    return " ".join(text.split()).replace("*", "\\*").replace("<", "&lt;")


def _code(content: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(content, indent=2, ensure_ascii=False, default=str)}\n```"
