"""What is asked of the model, and how its answers are counted."""

import json
import math
import shutil
from dataclasses import replace

import pyarrow as pa
import pytest

from workers.data import benchmarks
from workers.evaluation.run import open_bench
from workers.evaluation.tasks import bits_per_byte, cloze, multiple_choice
from workers.evaluation.tasks._shared import Question, answer_questions
from workers.specs.evaluation import BitsPerByte, Cloze, MultipleChoice


@pytest.fixture
def bench(checkpoint, dataset, tmp_path, reporter):
    return open_bench(checkpoint, dataset, tmp_path / "home", 0, reporter)


def warnings(reporter):
    reporter.flush()
    return [event.message for event in reporter.batch.events if event.kind == "warning"]


def test_bits_per_byte_counts_every_byte_and_every_nat(bench, dataset):
    result = bits_per_byte.run(BitsPerByte(max_tokens_per_document=100_000, max_documents_per_language=3), bench)
    texts = {row["id"]: row["text"] for row in map(json.loads, (dataset / "heldout.jsonl").open(encoding="utf-8"))}
    assert [item.slice for item in result.items] == ["en"] * 3 + ["fr"] * 2
    for item in result.items:
        assert item.data["num_bytes"] == len(texts[item.item_id].encode())
        # Random weights know nothing: about log V nats a token.
        assert item.data["nats"] == pytest.approx(item.data["num_tokens"] * math.log(512), rel=0.05)
        assert item.score == pytest.approx(item.data["nats"] / math.log(2) / item.data["num_bytes"])


def test_a_cut_through_a_character_counts_its_bytes(bench, dataset, tmp_path):
    folder = tmp_path / "cut"
    shutil.copytree(dataset, folder)
    (folder / "heldout.jsonl").write_text(json.dumps({"id": "x", "language": "ja", "text": "水" * 30}))
    cut = replace(bench, dataset=folder)
    (item,) = bits_per_byte.run(BitsPerByte(max_tokens_per_document=16), cut).items
    assert (item.data["num_tokens"], item.data["num_bytes"]) == (16, 16), "untrained characters are a token a byte"


def test_cloze_asks_in_all_languages_and_repeats_itself(bench):
    spec = Cloze(num_items=10, context_words=10, continuation_words=5)
    questions = cloze.build_questions(spec, bench)
    assert questions == cloze.build_questions(spec, bench)
    assert len(questions) == 10 and {q.slice for q in questions} == {"en", "fr"}
    for question in questions:
        assert len(set(question.choices)) == 4
        assert all(choice.startswith(" ") and len(choice.split()) == 5 for choice in question.choices)
    assert len({q.answer for q in questions}) > 1, "the right one stands in no fixed place"
    other = cloze.build_questions(spec, replace(bench, seed=1))
    assert other != questions


def test_the_right_continuation_is_the_one_of_the_text(bench, dataset):
    texts = [" ".join(json.loads(line)["text"].split()) for line in (dataset / "heldout.jsonl").open(encoding="utf-8")]
    for question in cloze.build_questions(Cloze(num_items=20), bench):
        joined = [question.context + choice for choice in question.choices]
        assert any(joined[question.answer] in text for text in texts)


def test_languages_without_text_enough_are_named(bench, dataset, tmp_path, reporter):
    folder = tmp_path / "short"
    shutil.copytree(dataset, folder)
    with (folder / "heldout.jsonl").open("a") as file:
        file.write(json.dumps({"id": "de-1", "language": "de", "text": "Zu kurz."}) + "\n")
        file.write(json.dumps({"id": "it-1", "language": "it", "text": "  "}) + "\n")
    result = cloze.run(Cloze(num_items=8), replace(bench, dataset=folder))
    assert {item.slice for item in result.items} == {"en", "fr"}
    (told,) = warnings(reporter)
    assert "leaves out de" in told
    (folder / "heldout.jsonl").write_text("")
    assert bits_per_byte.run(BitsPerByte(), replace(bench, dataset=folder)) is None
    assert cloze.run(Cloze(), replace(bench, dataset=folder)) is None
    assert any("no held-out text" in message for message in warnings(reporter))


def test_the_answer_is_the_likeliest_choice_per_byte(bench):
    def question(answer):
        return Question("q", "en", "The value of the", [" object", " zzqqxxj", " expression"], answer)

    (item,) = answer_questions(bench, "t", [question(0)])
    bits = item.data["bits_per_byte"]
    assert item.data["chosen"] == bits.index(min(bits))
    for answer in range(3):
        (item,) = answer_questions(bench, "t", [question(answer)])
        assert item.correct is (answer == item.data["chosen"]) is (item.score > 0) and item.numerator == item.correct


ROWS = {
    "arc_easy": [
        {
            "id": "a",
            "question": "Which is warm?",
            "choices": {"text": ["ice", "fire", "snow"], "label": ["1", "2", "3"]},
            "answerKey": "2",
        }
    ],
    "hellaswag": [
        {
            "activity_label": "Roof repair",
            "ctx_a": "A man sits [title] on a roof.",
            "ctx_b": "he",
            "endings": ["sings.", "[step] works  on.", "flies.", "reads."],
            "label": "1",
        }
    ],
    "piqa": [{"goal": "Warm a room.", "sol1": "Light the stove.", "sol2": "Open the window.", "label": 0}],
    "sciq": [
        {
            "question": "What turns the wheel?",
            "support": "",
            "distractor1": "wind",
            "distractor2": "oxen",
            "distractor3": "steam",
            "correct_answer": "water",
        }
    ],
}
ASKED = {
    "arc_easy": ("Question: Which is warm?\nAnswer:", " fire"),
    "hellaswag": ("Roof repair: A man sits. on a roof. He", " works on."),
    "piqa": ("Question: Warm a room.\nAnswer:", " Light the stove."),
    "sciq": ("Question: What turns the wheel?\nAnswer:", " water"),
}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_benchmark_rows_become_questions(bench, name):
    path = benchmarks.fetched_folder(bench.home) / benchmarks.FILES[name]
    path.parent.mkdir(parents=True)
    table = pa.Table.from_pylist(ROWS[name] * 7)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    result = multiple_choice.run(MultipleChoice(benchmark=name, max_items=5), bench)
    assert (result.task, len(result.items), len({i.item_id for i in result.items})) == (name, 5, 5)
    data = result.items[0].data
    assert (data["context"], data["choices"][data["answer"]]) == ASKED[name]
    assert result.chance == pytest.approx(1 / len(data["choices"]))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="fetch the benchmarks again"):
        multiple_choice.run(MultipleChoice(benchmark=name), bench)


def test_an_absent_benchmark_is_left_out_with_the_command(bench, reporter):
    assert multiple_choice.run(MultipleChoice(benchmark="piqa"), bench) is None
    (message,) = warnings(reporter)
    assert f"python -m workers.data.benchmarks fetch --home {bench.home}" in message
