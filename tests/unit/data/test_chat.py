"""Conversations: from JSONL to tokens that transformers' own template gives, with the assistant's part marked."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.data.chat import (
    EMPTY_BLOCK,
    END,
    START,
    ChatError,
    Turn,
    encode_chat,
    encode_question,
    parse_chat,
    read_chat,
    show_chat,
    split_thought,
)
from workers.data.tokenizer import Tokenizer, train_tokenizer
from workers.release._shared import write_tokenizer

ASKED = {"role": "user", "content": "What is 17 + 5?"}
THOUGHT = {"role": "assistant", "content": "<think>\n17 + 5 is 22.\n</think>\n22, l'été"}
PLAIN = {"role": "assistant", "content": "  22, l'été\n"}


def trained() -> Tokenizer:
    texts = [show_chat(read_chat([ASKED, answer])) for answer in (THOUGHT, PLAIN)] * 20
    return train_tokenizer(iter(texts), 400)


TOKENIZER = trained()
# Blanks of all kinds, digits, words beyond ASCII, and what looks like a part of the template.
pieces = st.sampled_from([*"a1 \n\tЖ水<>/|", "é", "think", "<think", "im_end", " /think", "/no_think "])
words = st.lists(pieces, max_size=20).map("".join)
said = words.map(str.strip).filter(lambda text: text and not any(mark in text for mark in (START, END, "</think>")))


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[dict[str, Any]], bool]:
    messages = [{"role": "system", "content": draw(words)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(said)})
        answer = {"role": "assistant", "content": draw(said)}
        if draw(st.booleans()):
            answer["reasoning_content"] = draw(said.filter(lambda text: "<think>" not in text))
        elif draw(st.booleans()):
            answer["content"] = f"<think>\n{draw(said)}\n</think>\n{answer['content']}"
        messages.append(answer)
    return messages, draw(st.booleans())


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("released")
    TOKENIZER.save(folder / "source.json")
    write_tokenizer(folder, folder / "source.json", 256)
    (folder / "config.json").write_text(json.dumps({"model_type": "smollm3"}))
    return AutoTokenizer.from_pretrained(folder)


@given(conversations())
def test_the_template_gives_our_ids(theirs: Any, conversation: tuple[list[dict[str, Any]], bool]) -> None:
    messages, thinks = conversation
    turns = read_chat(messages, thinks)
    ids, counted = encode_chat(TOKENIZER, turns)
    found = theirs.apply_chat_template(messages, enable_thinking=thinks, return_dict=False)
    assert found == ids and len(counted) == len(ids)
    shown = theirs.apply_chat_template(messages, enable_thinking=thinks, tokenize=False)
    assert shown == show_chat(turns)
    assert parse_chat(shown) == turns
    thinks = turns[0].content.split()[0] == "/think"  # a system turn may have decided otherwise
    question = encode_question(TOKENIZER, turns, thinks)
    asked = theirs.apply_chat_template(
        messages[:-1], enable_thinking=thinks, add_generation_prompt=True, return_dict=False
    )
    # The template opens the empty block by itself; a model under test has to do so.
    assert asked == question + ([] if thinks else TOKENIZER.encode(EMPTY_BLOCK))


@given(conversations())
def test_what_counts_is_what_the_assistant_wrote_and_the_end_of_its_turn(
    conversation: tuple[list[dict[str, Any]], bool],
) -> None:
    turns = read_chat(*conversation)
    ids, counted = encode_chat(TOKENIZER, turns)
    learnt = [token for token, flag in zip(ids, counted, strict=True) if flag]
    wanted = "".join(turn.content + END for turn in turns if turn.role == "assistant")
    assert TOKENIZER.fast.decode(learnt, skip_special_tokens=False) == wanted


def test_the_mode_is_that_of_the_system_turn_else_of_the_field_else_of_the_last_answer() -> None:
    def mode(messages: list[dict[str, str]], flag: bool | None = None) -> str:
        return read_chat(messages, flag)[0].content

    assert mode([ASKED, THOUGHT]) == "/think"
    assert mode([ASKED, PLAIN]) == "/no_think"
    assert mode([ASKED, PLAIN], True) == "/think"
    assert (
        mode([{"role": "system", "content": "Be brief. /no_think"}, ASKED, THOUGHT], True) == "/no_think\n\nBe brief."
    )
    assert mode([{"role": "system", "content": "/think Not /no_think"}, ASKED, PLAIN]) == "/think\n\nNot /no_think"
    assert mode([{"role": "system", "content": "Paths as /thinking/x"}, ASKED, PLAIN]) == (
        "/no_think\n\nPaths as /thinking/x"
    )


def test_no_think_empties_the_block_and_think_keeps_it() -> None:
    assert read_chat([ASKED, THOUGHT], False)[-1] == Turn("assistant", EMPTY_BLOCK + "22, l'été")
    assert split_thought(read_chat([ASKED, THOUGHT])[-1].content) == ("17 + 5 is 22.", "22, l'été")


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ("hello", "no list"),
        ([], "no list"),
        ([ASKED], "nothing to learn"),
        ([PLAIN], "user should speak"),
        ([ASKED, ASKED], "assistant should speak"),
        ([ASKED, {"role": "tool", "content": "x"}], "'tool'"),
        ([ASKED, {"role": "assistant", "content": None}], "no object"),
        ([{"role": "user", "content": " "}, PLAIN], "is empty"),
        ([{"role": "user", "content": "a<|im_end|>\n<|im_start|>system\n"}, PLAIN], "spells out"),
        ([ASKED, {"role": "assistant", "content": "4", "reasoning_content": "<|im_end|>"}], "spells out"),
        ([ASKED, {"role": "assistant", "content": "4", "reasoning_content": "<think>a"}], "spells out"),
    ],
)
def test_what_is_no_conversation_says_why(messages: object, reason: str) -> None:
    with pytest.raises(ChatError, match=reason):
        read_chat(messages)


def test_a_tokenizer_without_padding_can_be_used(tmp_path: Path) -> None:
    content = json.loads(TOKENIZER.fast.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != "<|pad|>"]
    del content["model"]["vocab"]["<|pad|>"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.pad_token_id == loaded.eos_token_id
