"""What counts as obeying a mode, and which held-out conversations are asked."""

import json
from dataclasses import replace

import pytest

from workers.data.chat import read_chat, show_chat
from workers.evaluation.run import open_bench
from workers.evaluation.tasks import bits_per_byte, chat_modes
from workers.specs.evaluation import BitsPerByte, ChatModes


@pytest.mark.parametrize(
    ("text", "thinks", "obeyed"),
    [
        ("<think>\n2 and 2.\n</think>\n4", True, True),
        ("<think>\n2 and 2.\n</think>\n4", False, False),
        ("<think>\n\n</think>\n4", False, True),
        ("<think>\n\n</think>\n4", True, False),
        ("4", False, True),
        ("4", True, False),
        ("<think>\n2 and 2.\n</think>\n", True, False),
        ("<think>\n2 and 2.", True, False),
        ("<think>\n2 and 2.", False, False),
        ("<think>\n\n</think>\n4 <think>more</think> 4", False, False),
        ("So: <think>\n2\n</think>\n4", True, False),
        ("2 and 2.\n</think>\n4", True, False),
        ("", False, False),
    ],
)
def test_a_mode_is_obeyed_by_the_block_and_an_answer_after_it(text, thinks, obeyed):
    assert chat_modes.is_obeyed(text, thinks) is obeyed


@pytest.fixture
def chats(tmp_path, dataset):
    (tmp_path / "tokenizer.json").write_bytes((dataset / "tokenizer.json").read_bytes())
    rows = []
    for number in range(3):
        messages = [{"role": "user", "content": "Say it. " * (1 + 30 * (number == 2))}]
        messages.append({"role": "assistant", "content": f"It is {number}."})
        rows.append({"id": str(number), "language": "en", "text": show_chat(read_chat(messages))})
    lines = [json.dumps(row | {"media_type": "text/x-chat"}) + "\n" for row in rows]
    (tmp_path / "heldout.jsonl").write_text("".join(lines))
    return tmp_path


def test_each_conversation_is_asked_in_both_modes_and_kept_with_its_reply(checkpoint, chats, tmp_path, reporter):
    bench = open_bench(checkpoint, chats, tmp_path, 0, reporter)
    result = chat_modes.run(ChatModes(num_items=3, max_new_tokens=8), bench)
    # The third is longer than the 64 tokens of the model's training, in both modes.
    assert sorted(item.item_id for item in result.items) == ["0:/no_think", "0:/think", "1:/no_think", "1:/think"]
    reporter.flush()
    assert any("leaves out 2 questions longer" in event.message for event in reporter.batch.events)
    for item in result.items:
        assert item.slice in item.data["question"] and "It is" not in item.data["question"]
        assert item.data["num_tokens"] <= 8
        assert item.correct is False  # random weights end no turn in 8 tokens
    assert bits_per_byte.run(BitsPerByte(), bench) is None  # conversations are no text


def test_no_conversations_no_task(checkpoint, dataset, tmp_path, reporter):
    bench = open_bench(checkpoint, dataset, tmp_path, 0, reporter)
    assert chat_modes.run(ChatModes(), bench) is None
    broken = tmp_path / "broken"
    broken.mkdir()
    row = {"id": "x", "language": "en", "text": "Hello", "media_type": "text/x-chat"}
    (broken / "heldout.jsonl").write_text(json.dumps(row))
    with pytest.raises(ValueError, match="document x is no conversation"):
        chat_modes.run(ChatModes(), replace(bench, dataset=broken))
