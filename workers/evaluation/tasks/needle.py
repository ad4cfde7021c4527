"""A needle in a haystack: a number in a sentence amid held-out text, asked for at its end, by length and depth.

https://github.com/gkamradt/LLMTest_NeedleInAHaystack; several needles as in RULER (arXiv 2404.06654). The model is not
asked to write: of four numbers the likeliest is its answer, so chance is known and a small model's progress is seen.
With several needles the wrong numbers stand in the text as well: then to copy any number is not enough.

The whole text is in the model's view, longer ones than it was trained on too: that is what is asked.
"""

import random
from dataclasses import dataclass

from workers.evaluation.scoring import Request
from workers.evaluation.tasks._shared import LN2, Bench, Question, TaskResult, held_out_by_language, judge
from workers.specs.evaluation import Needle

NUM_CHOICES = 4
THINGS = (
    "the mill", "the river", "the bridge", "the garden", "the library", "the harbour", "the tower", "the market",
    "the station", "the forest", "the museum", "the school",
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class Haystack:
    """A text with its needles, and what is asked of it."""

    tokens: list[int]
    question: Question


def run(spec: Needle, bench: Bench) -> TaskResult | None:
    """`num_items` texts for each length and depth. None, with a warning, when there is no held-out text."""
    hay = _hay(bench)
    if not hay:
        bench.warn("needle is left out: there is no held-out text to hide it in")
        return None
    lengths = spec.lengths or sorted({max(64, bench.context_tokens // part) for part in (4, 2, 1)})
    stacks = [
        _build(spec, bench, hay, length, depth, number)
        for length in sorted(set(lengths))
        for depth in spec.depths
        for number in range(spec.num_items)
    ]
    encode = bench.tokenizer.encode
    requests = [Request(stack.tokens, encode(choice)) for stack in stacks for choice in stack.question.choices]
    longest = max(len(request.context) + len(request.continuation) for request in requests)
    log_likelihoods = iter(bench.score("needle", requests, context_tokens=longest))
    items = [
        judge(stack.question, [-next(log_likelihoods) / (LN2 * len(choice)) for choice in stack.question.choices])
        for stack in stacks
    ]
    return TaskResult("needle", "accuracy", items, chance=1 / NUM_CHOICES)


def _hay(bench: Bench) -> list[int]:
    """Held-out text as tokens: English where there is any, else the first language."""
    by_language = held_out_by_language(bench.dataset)
    documents = by_language.get("en") or next(iter(by_language.values()), [])
    return [token for document in documents for token in bench.tokenizer.encode(f"{document.text.strip()}\n\n")]


def _build(spec: Needle, bench: Bench, hay: list[int], length: int, depth: float, number: int) -> Haystack:
    """A text of `length` tokens, the answer's included; what is drawn hangs on the seed and the place alone."""
    drawn = random.Random(f"{bench.seed} {length} {depth} {number}")  # noqa: S311  # no cryptography
    things = drawn.sample(THINGS, spec.num_needles)
    numbers = [str(value) for value in drawn.sample(range(10_000, 100_000), NUM_CHOICES)]
    encode = bench.tokenizer.encode
    pairs = zip(things, numbers, strict=False)
    needles = [encode(f" The secret number of {thing} is {value}.") for thing, value in pairs]
    asked = f" The secret number of {things[0]} is"
    question = encode(asked)
    room = length - sum(map(len, needles)) - len(question) - len(encode(f" {numbers[0]}"))
    if room < 1:
        raise ValueError(f"needle: {length} tokens have no room for {spec.num_needles} needles: set `lengths` higher")
    start = drawn.randrange(len(hay))
    text = [hay[(start + place) % len(hay)] for place in range(room)]
    places = [round(at * room) for at in (depth, *(drawn.random() for _ in needles[1:]))]
    # From the back, so that the places before stay where they are.
    for place, needle in sorted(zip(places, needles, strict=True), reverse=True):
        text[place:place] = needle
    choices = [f" {value}" for value in numbers]
    answer = drawn.randrange(NUM_CHOICES)
    choices[0], choices[answer] = choices[answer], choices[0]
    return Haystack(
        [*text, *question],
        Question(
            item_id=f"{length}:{depth:g}:{number}",
            slice=f"{length} tokens",
            context=f"... The secret number of {things[0]} is {numbers[0]}. ...{asked}",
            choices=choices,
            answer=answer,
            data={"num_tokens": length, "depth": depth, "other_numbers": numbers[1 : spec.num_needles]},
        ),
    )
