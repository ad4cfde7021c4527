"""Bits per UTF-8 byte of held-out documents: comparable over tokenizers, unlike loss per token."""

from workers.data.tokenizer import Tokenizer
from workers.evaluation.scoring import Request
from workers.evaluation.tasks._shared import LN2, Bench, HeldOutDocument, Item, TaskResult, held_out_by_language
from workers.specs.evaluation import BitsPerByte


def run(spec: BitsPerByte, bench: Bench) -> TaskResult | None:
    """One item a document. None, with a warning, when there is no held-out text."""
    by_language = held_out_by_language(bench.dataset)
    documents = [d for found in by_language.values() for d in found[: spec.max_documents_per_language]]
    if not documents:
        bench.warn("bits_per_byte is left out: the dataset has no held-out text (raise the curation's held-out share)")
        return None
    heads = [_head(bench.tokenizer, document, spec.max_tokens_per_document) for document in documents]
    eos = bench.tokenizer.eos_token_id
    log_likelihoods = bench.score("bits_per_byte", [Request([eos], tokens) for tokens, _ in heads])
    items = [
        _item(document, -log_likelihood, len(tokens), num_bytes)
        for document, log_likelihood, (tokens, num_bytes) in zip(documents, log_likelihoods, heads, strict=True)
    ]
    return TaskResult("bits_per_byte", "bits_per_byte", items)


def _head(tokenizer: Tokenizer, document: HeldOutDocument, max_tokens: int) -> tuple[list[int], int]:
    """The first tokens of a document, and how many UTF-8 bytes they stand for."""
    tokens = tokenizer.encode(document.text)[:max_tokens]
    # Byte-level BPE writes each byte as one character, so this is exact where the cut goes through a character.
    return tokens, sum(len(tokenizer.fast.id_to_token(token)) for token in tokens)


def _item(document: HeldOutDocument, nats: float, num_tokens: int, num_bytes: int) -> Item:
    return Item(
        item_id=document.id,
        slice=document.language,
        score=nats / (LN2 * num_bytes),
        correct=None,
        data={"nats": nats, "num_tokens": num_tokens, "num_bytes": num_bytes, "text": document.text[:500]},
        numerator=nats / LN2,
        denominator=float(num_bytes),
    )
