"""Hashed n-grams and the shape of a text, in two passes over its code points.

Hashing trick: arXiv 0902.2206. Words: FNV-1a over lower-cased code points, finished by MurmurHash3's fmix64. All digits
are one sign, so that years and prices share their weights. Line breaks and punctuation are words too: they tell prose
from lists. What is counted here must not change without raising `FEATURES_VERSION` in `scorer.py`.

Legend: C code points, V hash buckets (a power of two), K touched buckets. The compiled functions take their types from
the call, so they carry no annotations of their own.
"""

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
from numba import njit

SPACE, BREAK, MARK, LETTER, DIGIT = range(5)
"""Classes of signs, in an order that the passes use: blanks first, what words are made of last."""
_TABLE = 1 << 16
_EMOJI, _EMOJI_END = 0x1F000, 0x20000

CHARS, WORDS, LINES, LETTERS, DIGITS, UPPERS, MARKS, SENTENCES, ENDED_LINES = range(9)
"""Places in what `measure_shape` counts: sentences and lines end with one of . ! ? … and their kin."""

Codes = npt.NDArray[np.uint32]

_TERMINAL = (0x2E, 0x21, 0x3F, 0x2026, 0x3002, 0xFF01, 0xFF1F)
_FNV_START, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_CHAIN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT, _NONE = np.uint64(33), np.uint64(0)
_ONE = np.float32(1.0)
_ZERO_SIGN, _EDGE_SIGN = np.uint32(0x30), np.uint32(0x20)
_BREAK_WORD, _PARAGRAPH_WORD, _RUN = np.uint64(0x0A), np.uint64(0x2029), np.uint64(0x2026)


@cache
def tables() -> tuple[npt.NDArray[np.uint8], Codes]:
    """(class, lower-cased code point) of each code point of the basic plane."""
    classes, lowers = np.empty(_TABLE, np.uint8), np.arange(_TABLE, dtype=np.uint32)
    for code in range(_TABLE):
        sign = chr(code)
        kind = unicodedata.category(sign)[0]
        classes[code] = SPACE if sign.isspace() else LETTER if kind in "LM" else DIGIT if kind == "N" else MARK
        if len(lower := sign.lower()) == 1:
            lowers[code] = ord(lower)
    classes[ord("\n")] = BREAK
    return classes, lowers


def code_points(text: str, max_chars: int) -> Codes:
    """The first `max_chars` code points.  (C,)"""
    return np.frombuffer(text[:max_chars].encode("utf-32-le", "surrogatepass"), dtype="<u4")


def max_slots(num_codes: int, word_ngrams: int, num_char_ngrams: int) -> int:
    """The most buckets that a text of so many code points can touch."""
    return (2 * num_codes + 1) * word_ngrams + 3 * num_codes * num_char_ngrams


@njit(cache=True)
def _class(code, classes):
    return classes[code] if code < _TABLE else MARK if _EMOJI <= code < _EMOJI_END else LETTER


@njit(cache=True)
def _mix(value):
    value = (value ^ (value >> _SHIFT)) * _MIX_1
    value = (value ^ (value >> _SHIFT)) * _MIX_2
    return value ^ (value >> _SHIFT)


@njit(cache=True)
def _touch(key, counts_V, slots_K, num_slots):
    slot = np.int64(_mix(key) & np.uint64(len(counts_V) - 1))
    if counts_V[slot] == 0.0:
        slots_K[num_slots] = slot
        num_slots += 1
    counts_V[slot] += _ONE
    return num_slots


@njit(cache=True)
def _add_word(word, tails, counts_V, slots_K, num_slots):
    """Count the n-grams that end with this word. `tails[k]` is the n-gram of the last k + 1 words, 0 for none."""
    for k in range(len(tails) - 1, 0, -1):
        if tails[k - 1] != _NONE:
            tails[k] = _mix(tails[k - 1] + _CHAIN) ^ word
            num_slots = _touch(tails[k], counts_V, slots_K, num_slots)
    if len(tails):
        tails[0] = word
        num_slots = _touch(word, counts_V, slots_K, num_slots)
    return num_slots


@njit(cache=True)
def _add_chars(signs_C, char_ngrams, counts_V, slots_K, num_slots):
    """Count the character n-grams of a word; `signs_C` begins and ends with the edge sign."""
    for n in char_ngrams:
        for start in range(len(signs_C) - n + 1):
            key = _FNV_START + np.uint64(n)
            for code in signs_C[start : start + n]:
                key = (key ^ np.uint64(code)) * _FNV_PRIME
            num_slots = _touch(key, counts_V, slots_K, num_slots)
    return num_slots


@njit(cache=True)
def _read_word(codes_C, start, classes, lowers, signs_C):
    """(hash, end) of the word that starts here; its signs are written into `signs_C` from place 1 on."""
    word, at = _FNV_START, start
    while at < len(codes_C):
        code = codes_C[at]
        kind = _class(code, classes)
        if kind < LETTER:
            break
        sign = _ZERO_SIGN if kind == DIGIT else lowers[code] if code < _TABLE else code
        word = (word ^ np.uint64(sign)) * _FNV_PRIME
        at += 1
        signs_C[at - start] = sign
    signs_C[0] = signs_C[at - start + 1] = _EDGE_SIGN
    return word, at


@njit(cache=True)
def _read_marks(codes_C, start):
    """(hash, end) of a run of one and the same mark."""
    at = start + 1
    while at < len(codes_C) and codes_C[at] == codes_C[start]:
        at += 1
    word = (_FNV_START ^ np.uint64(codes_C[start])) * _FNV_PRIME
    return ((word ^ _RUN) * _FNV_PRIME if at - start > 1 else word), at


@njit(cache=True)
def count_ngrams(codes_C, classes, lowers, word_ngrams, char_ngrams, counts_V, slots_K):
    """Count the n-grams into `counts_V`, which holds zeros before. Returns K.

    `slots_K` gets the buckets in the order in which they were first touched; see `max_slots`.
    """
    tails = np.zeros(word_ngrams, dtype=np.uint64)
    signs_C = np.empty(len(codes_C) + 2, dtype=np.uint32)
    num_slots, at, num_breaks = 0, 0, 0
    while at < len(codes_C):
        kind = _class(codes_C[at], classes)
        if kind <= BREAK:
            num_breaks += kind == BREAK
            at += 1
            continue
        if num_breaks:
            word = (_FNV_START ^ (_BREAK_WORD if num_breaks == 1 else _PARAGRAPH_WORD)) * _FNV_PRIME
            num_slots = _add_word(word, tails, counts_V, slots_K, num_slots)
            num_breaks = 0
        if kind == MARK:
            word, end = _read_marks(codes_C, at)
        else:
            word, end = _read_word(codes_C, at, classes, lowers, signs_C)
            num_slots = _add_chars(signs_C[: end - at + 2], char_ngrams, counts_V, slots_K, num_slots)
        num_slots = _add_word(word, tails, counts_V, slots_K, num_slots)
        at = end
    return num_slots


@njit(cache=True)
def measure_shape(codes_C, classes, lowers):
    """Counts of what the text is made of, at the places CHARS to ENDED_LINES."""
    counts = np.zeros(ENDED_LINES + 1)
    counts[CHARS] = len(codes_C)
    before, visible, terminal = SPACE, False, False
    for code in codes_C:
        kind = _class(code, classes)
        if kind <= BREAK:
            counts[SENTENCES] += terminal and before == MARK
            if kind == BREAK:
                counts[LINES] += visible
                counts[ENDED_LINES] += visible and terminal
                visible = False
        else:
            visible, terminal = True, False
            if kind == MARK:
                counts[MARKS] += 1
                for sign in _TERMINAL:
                    terminal = terminal or code == sign
            else:
                counts[LETTERS] += kind == LETTER
                counts[DIGITS] += kind == DIGIT
                counts[WORDS] += before < LETTER
                if code < _TABLE:
                    counts[UPPERS] += lowers[code] != code
        before = kind
    counts[SENTENCES] += terminal and before == MARK
    counts[LINES] += visible
    counts[ENDED_LINES] += visible and terminal
    return counts


@njit(cache=True)
def score_slots(slots_K, counts_V, table_V2):
    """Dot product of the document's n-grams with their weights; sets the counts back to zero.

    The document's vector has log(1 + count) x rarity in each bucket, and length 1. `table_V2` has (rarity, weight).
    """
    dot, square = 0.0, 0.0
    for slot in slots_K:
        value = np.log1p(np.float64(counts_V[slot])) * np.float64(table_V2[slot, 0])
        dot += value * np.float64(table_V2[slot, 1])
        square += value * value
        counts_V[slot] = 0
    return dot / np.sqrt(square) if square > 0 else 0.0
