"""The compiled half of `lid`: words and runs of characters of a text by hash, the mean of their rows, the best leaf.

Shapes: N rows of D numbers; L labels.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int32]

NUM_HASHES = np.uint32(2_000_000)
"""Of runs of characters. Known to the compiler it needs no division."""
_SEED, _FACTOR = np.uint32(2_166_136_261), np.uint32(16_777_619)
_SIGN = np.uint32(0xFFFFFF00)
"""Bytes of 128 and more are negative numbers there, so that their upper bits go into the hash."""
_BEGIN, _END = np.uint8(ord("<")), np.uint8(ord(">"))
_SPACES = np.zeros(256, np.bool_)
_SPACES[list(b" \n\r\t\v\f\0")] = True
_LABEL = np.frombuffer(b"__label__", np.uint8)
_EPSILON = 1e-5
"""What fastText adds to a probability before it takes its logarithm."""


@njit(cache=True)
def _hash(letters: Bytes, start: int, end: int) -> np.uint32:  # pragma: no cover  # compiled
    """FNV-1a as fastText has it."""
    value = _SEED
    for at in range(start, end):
        value = _append(value, letters[at])
    return value


@njit(cache=True, inline="always")
def _append(value: np.uint32, letter: np.uint8) -> np.uint32:  # pragma: no cover  # compiled
    bits = np.uint32(letter) | _SIGN if letter >= 128 else np.uint32(letter)
    return np.uint32((value ^ bits) * _FACTOR)


@njit(cache=True)
def fill_words(table: Numbers, letters: Bytes, starts: Numbers) -> Numbers:  # pragma: no cover  # compiled
    mask = np.uint32(len(table) - 1)
    for word in range(len(starts) - 1):
        slot = _hash(letters, starts[word], starts[word + 1]) & mask
        while table[slot]:
            slot = (slot + np.uint32(1)) & mask
        table[slot] = word + 1
    return table


@njit(cache=True)
def fill_runs(keys: Numbers, rows: Numbers, runs_R2: Numbers) -> tuple[Numbers, Numbers]:  # pragma: no cover
    mask = np.uint32(len(keys) - 1)
    for run in range(len(runs_R2)):
        slot = (np.uint32(runs_R2[run, 0]) * _FACTOR) & mask
        while keys[slot]:
            slot = (slot + np.uint32(1)) & mask
        keys[slot], rows[slot] = runs_R2[run, 0] + 1, runs_R2[run, 1]
    return keys, rows


@njit(cache=True)
def _find_word(
    text: Bytes, start: int, end: int, table: Numbers, letters: Bytes, starts: Numbers
) -> int:  # pragma: no cover  # compiled
    """Number of a word, -1 for an unknown one."""
    mask = np.uint32(len(table) - 1)
    slot = _hash(text, start, end) & mask
    while table[slot]:
        word = table[slot] - 1
        if starts[word + 1] - starts[word] == end - start:
            at = 0
            while at < end - start and text[start + at] == letters[starts[word] + at]:
                at += 1
            if at == end - start:
                return word
        slot = (slot + np.uint32(1)) & mask
    return -1


@njit(cache=True)
def mean_row(
    text: Bytes,
    rows_ND: Floats,
    table: Numbers,
    letters: Bytes,
    starts: Numbers,
    keys: Numbers,
    run_rows: Numbers,
    shortest: int,
    longest: int,
) -> Floats:  # pragma: no cover  # compiled
    """Mean row (D,) of the text; a line break ends it, which is a word too."""
    sum_D, count = np.zeros(rows_ND.shape[1], np.float32), 0
    padded = np.empty(len(text) + 2, np.uint8)
    padded[0] = _BEGIN
    at = 0
    while at < len(text):
        start = at
        while at < len(text) and not _SPACES[text[at]]:
            at += 1
        size = at - start
        at += 1
        if not size or _is_label(text, start, size):
            continue
        word = _find_word(text, start, start + size, table, letters, starts)
        if word == 0:  # the mark for the end
            break
        if word > 0:
            count += _add(sum_D, rows_ND, word)
        padded[1 : size + 1] = text[start : start + size]
        padded[size + 1] = _END
        count += _add_runs(sum_D, rows_ND, padded, size + 2, keys, run_rows, len(starts) - 1, shortest, longest)
    count += _add(sum_D, rows_ND, 0)
    return sum_D * np.float32(1.0 / count)


@njit(cache=True)
def _add_runs(
    sum_D: Floats,
    rows_ND: Floats,
    word: Bytes,
    size: int,
    keys: Numbers,
    run_rows: Numbers,
    num_words: int,
    shortest: int,
    longest: int,
) -> int:  # pragma: no cover  # compiled
    """Add the rows of a word's runs of characters; how many they are."""
    count = 0
    for first in range(size):
        if word[first] & 0xC0 == 0x80:  # inside a character
            continue
        last, value = first, _SEED
        for length in range(1, longest + 1):
            if last == size:
                break
            value = _append(value, word[last])
            last += 1
            while last < size and word[last] & 0xC0 == 0x80:
                value = _append(value, word[last])
                last += 1
            if length >= shortest and not (length == 1 and (first == 0 or last == size)):
                row = _find_run(value, keys, run_rows)
                if row >= 0:
                    count += _add(sum_D, rows_ND, num_words + row)
    return count


@njit(cache=True)
def _find_run(value: np.uint32, keys: Numbers, run_rows: Numbers) -> int:  # pragma: no cover  # compiled
    """Row of a run of this hash, -1 where it has none."""
    mask = np.uint32(len(keys) - 1)
    key = np.int32(value % NUM_HASHES)
    slot = (np.uint32(key) * _FACTOR) & mask
    while keys[slot]:
        if keys[slot] == key + 1:
            return run_rows[slot]
        slot = (slot + np.uint32(1)) & mask
    return -1


@njit(cache=True, inline="always")
def _add(sum_D: Floats, rows_ND: Floats, row: int) -> int:  # pragma: no cover  # compiled
    for d in range(len(sum_D)):
        sum_D[d] += rows_ND[row, d]
    return 1


@njit(cache=True)
def _is_label(text: Bytes, start: int, size: int) -> bool:  # pragma: no cover  # compiled
    at = 0
    while at < min(size, len(_LABEL)) and text[start + at] == _LABEL[at]:
        at += 1
    return at == len(_LABEL)


@njit(cache=True)
def likeliest(mean_D: Floats, nodes_LD: Floats, children_L2: Numbers) -> tuple[int, float]:  # pragma: no cover
    """Number and probability of the best leaf."""
    num_labels = len(nodes_LD) + 1
    scores = np.zeros(2 * num_labels - 1, np.float64)
    for inner in range(num_labels - 2, -1, -1):
        product = np.float32(0.0)
        for d in range(len(mean_D)):
            product += mean_D[d] * nodes_LD[inner, d]
        right = 1.0 / (1.0 + np.exp(-product))
        above = scores[num_labels + inner]
        scores[children_L2[inner, 0]] = above + np.log(1.0 - right + _EPSILON)
        scores[children_L2[inner, 1]] = above + np.log(right + _EPSILON)
    best = np.argmax(scores[:num_labels])
    return best, np.exp(scores[best])
