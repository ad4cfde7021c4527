"""How much text of each language a tokenizer is trained on: a language with more text must not take the vocabulary."""

from collections.abc import Mapping

_LEAST_PART = 10


def byte_budgets(
    sizes: Mapping[str, int], max_bytes: int, weights: Mapping[str, float] | None = None
) -> dict[str, int]:
    """Bytes to take of each language, in proportion to its weight (1 where none is given; 0: none of it).

    `sizes` are the bytes there are, `max_bytes` the most for a weight of 1. The language that has least for its weight
    sets the measure, but one with less than a tenth of what the richest has does not: it gives all it has.
    """
    wanted = {language: (weights or {}).get(language, 1.0) for language in sizes}
    for_weight = [sizes[language] / weight for language, weight in wanted.items() if weight > 0]
    if not for_weight:
        raise ValueError(
            f"tokenizer.language_weights leave no language to train on: the documents have {', '.join(sorted(sizes))}"
        )
    unit = min(max_bytes, max(min(for_weight), max(for_weight) / _LEAST_PART))
    return {language: int(weight * unit) for language, weight in wanted.items()}
