"""The needle: where it stands, how long the text is, and that only a model which finds it is right."""

from dataclasses import replace

import pytest
import torch

from workers.evaluation.run import open_bench, summarize
from workers.evaluation.scoring import Request
from workers.evaluation.tasks import needle
from workers.specs.evaluation import Needle


@pytest.fixture
def bench(checkpoint, dataset, tmp_path, reporter):
    return open_bench(checkpoint, dataset, tmp_path / "home", 0, reporter)


class Reader(torch.nn.Module):
    """In the place of a model: after a token it expects what followed it where it stood with the same ones before."""

    def __init__(self, vocab_size: int, order: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocab_size, 1)
        self.vocab_size, self.order = vocab_size, order

    def hidden(self, tokens_BT):
        return torch.stack([self._row(row.tolist()) for row in tokens_BT])

    def logits(self, hidden_NV):
        return hidden_NV

    def _row(self, tokens):
        logits, seen = torch.zeros(len(tokens), self.vocab_size), {}
        for place in range(self.order, len(tokens)):
            before = tuple(tokens[place - self.order : place])
            seen[before] = tokens[place]
            now = tuple(tokens[place - self.order + 1 : place + 1])
            if now in seen:
                logits[place, seen[now]] = 20.0
        return logits


def contexts(spec, bench):
    hay = needle._hay(bench)
    return [needle._build(spec, bench, hay, length, depth, 0) for length in (128, 200) for depth in (0, 0.5, 1)]


def test_the_text_is_as_long_as_said_and_the_needle_as_deep(bench):
    for stack in contexts(Needle(), bench):
        length, depth = stack.question.data["num_tokens"], stack.question.data["depth"]
        choice = stack.question.choices[stack.question.answer]
        assert len(stack.tokens) + len(bench.tokenizer.encode(choice)) == length
        text = bench.tokenizer.decode(stack.tokens)
        assert text.count(f"is{choice}.") == 1 and text.endswith(stack.question.context.rpartition("...")[2])
        before = len(bench.tokenizer.encode(text.partition(" The secret number")[0]))
        assert before / (length - 40) == pytest.approx(depth, abs=0.2)
        for number, other in enumerate(stack.question.choices):
            assert number == stack.question.answer or other not in text


def test_with_several_needles_the_wrong_numbers_stand_in_the_text(bench):
    spec = Needle(num_needles=3)
    for stack in contexts(spec, bench):
        text = bench.tokenizer.decode(stack.tokens)
        assert sum(choice in text for choice in stack.question.choices) == 3
        assert len(stack.question.data["other_numbers"]) == 2


def test_a_model_that_reads_the_text_is_right_at_all_lengths_and_one_that_cannot_is_not(bench, reporter):
    spec = Needle(lengths=[96, 256], depths=[0, 0.7], num_items=6, num_needles=2)
    reading = replace(bench, model=Reader(bench.tokenizer.vocab_size, 8))
    result = needle.run(spec, reading)
    assert len(result.items) == 24 and all(item.correct for item in result.items)
    slices = summarize(result, 100, 0)["slices"]
    assert slices.keys() == {"96 tokens", "256 tokens"}  # 256 is four times what the model was trained on
    blind = needle.run(spec, bench)
    assert sum(item.correct for item in blind.items) < 15
    assert [item.data["choices"] for item in blind.items] == [item.data["choices"] for item in result.items]


def test_lengths_are_those_of_the_training_where_none_is_given(bench, reporter):
    result = needle.run(Needle(num_items=1, depths=[1]), replace(bench, context_tokens=512))
    assert [item.slice for item in result.items] == ["128 tokens", "256 tokens", "512 tokens"]
    with pytest.raises(ValueError, match="no room for 4 needles"):
        needle.run(Needle(lengths=[64], num_needles=4, num_items=1), bench)


def test_no_text_no_needle(bench, dataset, tmp_path, reporter):
    (tmp_path / "heldout.jsonl").write_text("")
    assert needle.run(Needle(), replace(bench, dataset=tmp_path)) is None


def test_long_contexts_are_scored_in_one_view(bench):
    tokens = bench.tokenizer.encode("The mill stands at the river. " * 40)
    windows = bench.score("x", [Request(tokens[:300], tokens[300:310])])
    whole = bench.score("x", [Request(tokens[:300], tokens[300:310])], context_tokens=310)
    with torch.inference_mode():
        logits = bench.model(torch.tensor([tokens[:309]]))[0].log_softmax(-1)
    wanted = sum(float(logits[place, token]) for place, token in enumerate(tokens[300:310], start=299))
    assert whole == pytest.approx([wanted], rel=1e-4)
    assert windows != pytest.approx([wanted], rel=1e-4)
