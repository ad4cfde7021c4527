"""How many sentences lines hold, by the rule of spaCy's sentencizer: one begins at the first word after an end mark.

Closing quotes and brackets still belong to the sentence that ends. https://spacy.io/api/sentencizer
"""

import re
from itertools import chain

import numpy as np
import numpy.typing as npt
from numba import njit

from workers.curation.lexicon import END, PUNCT, Numbers
from workers.curation.text import Text

_BLANKS = re.compile(r"\s+")
_END, _PUNCT = np.uint8(END), np.uint8(PUNCT)


def count_line_sentences(text: Text, lines: str, chunks_per_line: list[int], has_plain_blanks: bool) -> int:
    """Sentences of all lines together: `text` has the chunks of `lines` and no others.

    An empty line is one sentence, as in datatrove.
    `has_plain_blanks`: single spaces alone part the chunks of each line.
    """
    split = text.split
    per_line = np.array(chunks_per_line, np.int32)
    gaps = np.zeros(0, np.bool_) if has_plain_blanks else _gaps(lines, chunks_per_line)
    return int(_count(split.alone, split.ends, text.lexicon.bits.array, per_line, gaps))


def _gaps(lines: str, chunks_per_line: list[int]) -> npt.NDArray[np.bool_]:
    """Does spaCy make a token of the blanks after a chunk? All but a single space are one."""
    each = [_gaps_of_line(line.lstrip(), n) for line, n in zip(lines.split("\n"), chunks_per_line, strict=True)]
    return np.fromiter(chain.from_iterable(each), np.bool_, sum(chunks_per_line))


def _gaps_of_line(line: str, num_chunks: int) -> list[bool]:
    found = [blanks != " " for blanks in _BLANKS.findall(line)]
    return found + [False] * (num_chunks - len(found))


@njit(cache=True)
def _count(
    words: Numbers, ends: Numbers, bits: npt.NDArray[np.uint8], per_line: Numbers, gaps: npt.NDArray[np.bool_]
) -> int:  # pragma: no cover  # compiled
    sentences, chunk, word = 0, 0, 0
    for line in range(len(per_line)):
        sentences += 1
        ended = False
        for _ in range(per_line[line]):
            while word < ends[chunk]:
                mark = bits[words[word]]
                word += 1
                if ended and not mark & _PUNCT and not mark & _END:
                    sentences += 1
                    ended = False
                elif mark & _END:
                    ended = True
            if ended and len(gaps) and gaps[chunk]:
                sentences += 1
                ended = False
            chunk += 1
    return sentences
