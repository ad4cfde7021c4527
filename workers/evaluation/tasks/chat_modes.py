"""Does the model obey `/think` and `/no_think`? Held-out conversations, each asked in both modes, decoded greedily.

The model writes its whole turn: where the chat template would open an empty block of thinking, none is opened for it.
Obeyed is `/think` with a block that is closed and not empty, `/no_think` with one that is empty or with none; both with
an answer after it and an end of the turn.
"""

from workers.data.chat import CLOSE, END, NO_THINK, OPEN, THINK, ChatError, encode_question, parse_chat
from workers.evaluation.tasks._shared import Bench, HeldOutDocument, Item, TaskResult, held_out_documents
from workers.model.generate import generate_batch
from workers.model.packed import pack
from workers.specs.evaluation import ChatModes

BATCH_ITEMS = 8
MODES = {THINK: True, NO_THINK: False}


def run(spec: ChatModes, bench: Bench) -> TaskResult | None:
    """The first conversations by id, in both modes. None, with a warning, when there are none."""
    chats = sorted((one for one in held_out_documents(bench.dataset) if one.is_chat), key=lambda one: one.id)
    if not chats:
        bench.warn("chat_modes is left out: the dataset holds no conversations out (JSONL with `messages`)")
        return None
    asked = [(mode, chat, _prompt(bench, chat, MODES[mode])) for chat in chats[: spec.num_items] for mode in MODES]
    fitting = [one for one in asked if len(one[2]) < bench.context_tokens]
    if len(fitting) < len(asked):
        bench.warn(
            f"chat_modes leaves out {len(asked) - len(fitting)} questions longer than the {bench.context_tokens} "
            "tokens that the model was trained on"
        )
    # Of like length together: what is padded is computed.
    fitting.sort(key=lambda one: len(one[2]))
    model, items = pack(bench.model), list[Item]()
    for start in range(0, len(fitting), BATCH_ITEMS):
        batch = fitting[start : start + BATCH_ITEMS]
        replies = generate_batch(
            model,
            [prompt for _, _, prompt in batch],
            num_tokens=spec.max_new_tokens,
            eos_token_id=bench.tokenizer.id_of(END),
        )
        items += [_judge(bench, *one, reply) for one, reply in zip(batch, replies, strict=True)]
        bench.reporter.progress("evaluate chat_modes", len(items), len(fitting), "replies")
    return TaskResult("chat_modes", "obeyed", items) if items else None


def is_obeyed(text: str, thinks: bool) -> bool:
    """Is a turn, without its end, one of this mode?"""
    block, closed, answer = text.partition(CLOSE)
    if not closed:
        return not thinks and OPEN not in text and bool(text.strip())
    thought = block.strip().removeprefix(OPEN)
    is_one_block = block.lstrip().startswith(OPEN) and text.count(OPEN) == text.count(CLOSE) == 1
    return is_one_block and bool(thought.strip()) == thinks and bool(answer.strip())


def _prompt(bench: Bench, chat: HeldOutDocument, thinks: bool) -> list[int]:
    try:
        return encode_question(bench.tokenizer, parse_chat(chat.text), thinks)
    except ChatError as error:
        raise ValueError(f"{bench.dataset}: held-out document {chat.id} is no conversation: {error}") from error


def _judge(bench: Bench, mode: str, chat: HeldOutDocument, prompt: list[int], reply: list[int]) -> Item:
    ended = reply[-1] == bench.tokenizer.id_of(END)
    text = bench.tokenizer.decode(reply)
    obeyed = ended and is_obeyed(text, MODES[mode])
    return Item(
        item_id=f"{chat.id}:{mode}",
        slice=mode,
        score=float(obeyed),
        correct=obeyed,
        data={"question": bench.tokenizer.decode(prompt), "reply": text, "ended": ended, "num_tokens": len(reply)},
        numerator=float(obeyed),
    )
