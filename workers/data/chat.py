"""Conversations in SmolLM3's dual mode: as text for curation, as tokens for training, as a template for others.

A system turn carries `/think` or `/no_think`. With the first, an answer opens with a block of thinking; with the second
the block is there and empty. https://huggingface.co/blog/smollm3 (its template; this one is our own)

    <|im_start|>system
    /think<|im_end|>
    <|im_start|>user
    2 + 2?<|im_end|>
    <|im_start|>assistant
    <think>
    Two and two.
    </think>
    4<|im_end|>

The marks are tokens of their own. A text that spells one out would not come back as it was, so conversations that hold
one are refused. Training learns what the assistant writes, its block and `<|im_end|>` included, and nothing else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from workers.data.tokenizer import Tokenizer

START, END = "<|im_start|>", "<|im_end|>"
THINK, NO_THINK = "/think", "/no_think"
OPEN, CLOSE = "<think>", "</think>"
EMPTY_BLOCK = f"{OPEN}\n\n{CLOSE}\n"
CHAT_MEDIA_TYPE = "text/x-chat"
"""Media type of a record that holds a conversation. Only readers give it: a text that looks like one is a text."""
_TURN = re.compile(rf"{re.escape(START)}(\w+)\n(.*?){re.escape(END)}", re.DOTALL)
_MARK = re.compile(rf"{re.escape(START)}\w*|{re.escape(END)}")

TEMPLATE = (
    "{%- set system = (messages[0].content | trim) if messages[0].role == 'system' else '' -%}"
    "{%- set words = system.split() -%}"
    "{%- set thinks = enable_thinking if enable_thinking is defined else true -%}"
    "{%- if words and words[0] in ('/think', '/no_think') -%}"
    "{%- set thinks = words[0] == '/think' -%}{%- set system = system[words[0] | length:] | trim -%}"
    "{%- elif words and words[-1] in ('/think', '/no_think') -%}"
    "{%- set thinks = words[-1] == '/think' -%}{%- set system = system[:-(words[-1] | length)] | trim -%}{%- endif -%}"
    "{{- '<|im_start|>system\n' + ('/think' if thinks else '/no_think') -}}"
    "{{- ('\n\n' + system if system else '') + '<|im_end|>\n' -}}"
    "{%- for message in messages -%}{%- if message.role != 'system' -%}"
    "{%- set content = message.content | trim -%}"
    "{%- if message.role == 'assistant' -%}"
    "{%- set thought = (message.reasoning_content or '') | trim -%}"
    "{%- if '</think>' in content -%}"
    "{%- set thought = thought or content.split('</think>')[0].split('<think>')[-1] | trim -%}"
    "{%- set content = content.split('</think>')[-1] | trim -%}{%- endif -%}"
    "{%- if not thinks -%}{%- set content = '<think>\n\n</think>\n' + content -%}"
    "{%- elif thought -%}{%- set content = '<think>\n' + thought + '\n</think>\n' + content -%}{%- endif -%}"
    "{%- endif -%}"
    "{{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>\n' -}}"
    "{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{- '<|im_start|>assistant\n' + ('' if thinks else '<think>\n\n</think>\n') -}}{%- endif -%}"
)
"""Jinja, as `chat_template` of transformers: `apply_chat_template` gives the ids of `encode_chat`. `enable_thinking`
decides where no system turn does, by its first or last word; it is on by default."""


class ChatError(ValueError):
    """A conversation that is none; the message says why."""


class Turn(NamedTuple):
    """Who speaks, and what."""

    role: str
    content: str


def read_chat(messages: object, enable_thinking: bool | None = None) -> list[Turn]:
    """The turns of `[{"role", "content"}]` as the template has them: the mode first, blocks of thinking by the mode.

    Roles are user and assistant by turns, an assistant's at the end, and a system turn before if there is one. An
    assistant may have `reasoning_content` beside its content, or a block of thinking in it. The mode is what the system
    turn says, else `enable_thinking`, else whether the last answer has a thought. Raises ChatError.
    """
    turns = [_read_message(number, message) for number, message in enumerate(_listed(messages))]
    system, spoken = ("", turns) if turns[0].role != "system" else (turns[0].content, turns[1:])
    for number, turn in enumerate(spoken):
        if turn.role != (wanted := ("user", "assistant")[number % 2]):
            raise ChatError(f"turn {number} is of {turn.role!r}, where {wanted} should speak")
        if not turn.content:
            raise ChatError(f"turn {number}, of {turn.role!r}, is empty")
    if not spoken or spoken[-1].role != "assistant":
        raise ChatError("the last turn is not the assistant's: there is nothing to learn from it")
    mode, system = _split_mode(system)
    if mode is None:
        mode = bool(split_thought(spoken[-1].content)[0]) if enable_thinking is None else enable_thinking
    return _in_mode(system, spoken, mode)


def _listed(messages: object) -> Sequence[object]:
    if not isinstance(messages, list) or not messages:
        raise ChatError("`messages` is no list of turns")
    return messages


def _read_message(number: int, message: object) -> Turn:
    if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
        raise ChatError(f"turn {number} is no object with `role` and a `content` of text")
    role, content = message.get("role"), message["content"].strip()
    if role not in {"system", "user", "assistant"}:
        raise ChatError(f"turn {number} is of {role!r}; there are system, user and assistant")
    thought = message.get("reasoning_content") or ""
    if _MARK.search(content) or not isinstance(thought, str) or _MARK.search(thought):
        raise ChatError(f"turn {number} spells out {START} or {END}, which are marks of the template")
    if OPEN in thought or CLOSE in thought:
        raise ChatError(f"the reasoning_content of turn {number} spells out {OPEN} or {CLOSE}")
    if role == "assistant":
        found, content = split_thought(content)
        content = _with_thought(thought.strip() or found, content)
    return Turn(str(role), content)


def split_thought(content: str) -> tuple[str, str]:
    """The thought in an answer's block, and what stands after it; no thought where there is no block."""
    if CLOSE not in content:
        return "", content.strip()
    parts = content.split(CLOSE)
    return parts[0].split(OPEN)[-1].strip(), parts[-1].strip()


def _with_thought(thought: str, answer: str) -> str:
    return f"{OPEN}\n{thought}\n{CLOSE}\n{answer}" if thought else answer


def _split_mode(system: str) -> tuple[bool | None, str]:
    """Does the first or last word of a system turn ask for thinking, and what stands beside it; None: neither asks."""
    words = system.split()
    if words and words[0] in (THINK, NO_THINK):
        return words[0] == THINK, system[len(words[0]) :].strip()
    if words and words[-1] in (THINK, NO_THINK):
        return words[-1] == THINK, system[: -len(words[-1])].strip()
    return None, system


def _in_mode(system: str, spoken: Iterable[Turn], thinks: bool) -> list[Turn]:
    mode = THINK if thinks else NO_THINK
    turns = [Turn("system", f"{mode}\n\n{system}" if system else mode)]
    for role, content in spoken:
        if role == "user":
            turns.append(Turn(role, content))
            continue
        thought, answer = split_thought(content)
        turns.append(Turn(role, _with_thought(thought, answer) if thinks else EMPTY_BLOCK + answer))
    return turns


def show_chat(turns: Iterable[Turn]) -> str:
    """As text: what the template makes of it."""
    return "".join(f"{START}{turn.role}\n{turn.content}{END}\n" for turn in turns)


def parse_chat(text: str) -> list[Turn]:
    """The turns of a text that `show_chat` wrote, whatever was mended or replaced in it since. Raises ChatError."""
    if _TURN.sub("", text).strip():
        raise ChatError("the text is no conversation: something stands outside of its turns")
    return read_chat([{"role": role, "content": content} for role, content in _TURN.findall(text)])


def words_of(text: str, media_type: str | None) -> str:
    """What people wrote in a document: of a conversation its text without the marks, else the text."""
    return _MARK.sub("", text).strip() if media_type == CHAT_MEDIA_TYPE else text


def encode_chat(tokenizer: Tokenizer, turns: Iterable[Turn]) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation, and which of them the assistant wrote. Raises ValueError without chat tokens."""
    start, end = tokenizer.id_of(START), tokenizer.id_of(END)
    break_ids = tokenizer.encode("\n")
    ids: list[int] = []
    counted: list[bool] = []
    for role, content in turns:
        # Together, as the template's text is: a word may begin with the end of the line before.
        encoding = tokenizer.fast.encode(f"{role}\n{content}", add_special_tokens=False)
        ids += [start, *encoding.ids, end, *break_ids]
        learnt = [role == "assistant" and begin > len(role) for begin, _ in encoding.offsets]
        counted += [False, *learnt, role == "assistant", *([False] * len(break_ids))]
    return ids, counted


def encode_question(tokenizer: Tokenizer, turns: Sequence[Turn], thinks: bool) -> list[int]:
    """Token ids up to the last answer, which is to be written: its block of thinking too, in either mode.

    turns: as `read_chat` gives them. Its mode is not looked at.
    """
    _, system = _split_mode(turns[0].content)
    ids, _ = encode_chat(tokenizer, _in_mode(system, turns[1:-1], thinks))
    return [*ids, tokenizer.id_of(START), *tokenizer.encode("assistant\n")]
