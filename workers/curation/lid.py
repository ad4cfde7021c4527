"""lid.176.ftz read and asked here, in compiled code: fastText's own answers at a fraction of its time.

The file is fastText's binary format, version 12, for a supervised model with hierarchical softmax whose input is
quantised and pruned; fastText's sources are its description (https://github.com/facebookresearch/fastText). A text is
the mean of the rows of its words and of their runs of 2 to 4 characters; the labels are the leaves of a Huffman tree.
Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016); "FastText.zip" (2016).
Shapes: N rows; D = 16 numbers a row; L labels; T slots of a hash table.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.curation.lid_kernels import NUM_HASHES, Bytes, Floats, Numbers, fill_runs, fill_words, likeliest, mean_row

_MAGIC, _VERSION = 793_712_314, 12
_HIERARCHICAL, _SUPERVISED = 1, 3
_NUM_CENTROIDS = 256


class ModelFormatError(ValueError):
    """The file is no model of the kind that is read here."""


@dataclass(frozen=True)
class Model:
    """A model that names languages."""

    labels: list[str]
    rows: Floats
    """Of the words, then of the runs, (N, D)."""
    words: tuple[Numbers, Bytes, Numbers]
    """By hash: a word's number and one, 0 for none (T,); their letters in a row, and where each begins (words + 1,)."""
    runs: tuple[Numbers, Numbers]
    """By hash: number of a run of characters and one, 0 for none (T,); its row (T,)."""
    lengths: tuple[int, int]
    """Shortest and longest run."""
    nodes: Floats
    """Rows of the inner nodes of the tree, the root last, (L - 1, D)."""
    children: Numbers
    """See `_build_tree`."""

    def predict(self, text: bytes) -> tuple[str, float]:
        """Label and probability of the likeliest language of a text in UTF-8."""
        buffer = np.frombuffer(text, np.uint8)
        mean_D = mean_row(buffer, self.rows, *self.words, *self.runs, *self.lengths)
        label, probability = likeliest(mean_D, self.nodes, self.children)
        return self.labels[label], float(probability)


def load_model(path: Path) -> Model:
    """Read a model. Raises ModelFormatError."""
    content = path.read_bytes()
    try:
        return _parse(_Reader(content))
    except (struct.error, IndexError, ValueError) as error:
        raise ModelFormatError(f"{path} is no quantised fastText model with hierarchical softmax: {error}") from error


class _Reader:
    """Takes numbers off the front."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, form: str) -> Any:
        values = struct.unpack_from(f"<{form}", self.content, self.at)
        self.at += struct.calcsize(f"<{form}")
        return values if len(values) > 1 else values[0]

    def word(self) -> bytes:
        end = self.content.index(b"\0", self.at)
        word, self.at = self.content[self.at : end], end + 1
        return word

    def array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        values = np.frombuffer(self.content, dtype, count, self.at)
        self.at += values.nbytes
        return values


def _parse(reader: _Reader) -> Model:
    if reader.take("ii") != (_MAGIC, _VERSION):
        raise ValueError("it does not begin like one")
    dim, _, _, _, _, word_ngrams, loss, kind, num_hashes, shortest, longest, _ = reader.take("12i")
    reader.take("d")
    if (word_ngrams, loss, kind, num_hashes) != (1, _HIERARCHICAL, _SUPERVISED, NUM_HASHES):
        raise ValueError("it has another architecture")
    size, num_words, _, _, num_runs = reader.take("iiiqq")
    entries = [(reader.word(), *reader.take("qb")) for _ in range(size)]
    runs_R2 = reader.array("<i4", 2 * max(num_runs, 0)).reshape(-1, 2)
    rows_ND = _read_quantised(reader)
    if reader.take("?"):
        raise ValueError("its output is quantised too")
    num_labels, _ = reader.take("qq")
    nodes_LD = reader.array("<f4", num_labels * dim).reshape(num_labels, dim)
    counts = [count for _, count, _ in entries[num_words:]]
    return Model(
        labels=[word.decode().removeprefix("__label__") for word, _, _ in entries[num_words:]],
        rows=rows_ND,
        words=_index_words([word for word, _, _ in entries[:num_words]]),
        runs=_index_runs(runs_R2),
        lengths=(shortest, longest),
        nodes=np.ascontiguousarray(nodes_LD[: num_labels - 1]),
        children=_build_tree(counts),
    )


def _read_quantised(reader: _Reader) -> Floats:
    """The rows (N, D) from their codes: a centroid for each pair of numbers, times the row's norm."""
    if not reader.take("?"):
        raise ValueError("its input is not quantised")
    has_norms, num_rows, dim, num_codes = reader.take("?"), *reader.take("qq"), reader.take("i")
    codes_NQ = reader.array("u1", num_codes).reshape(num_rows, -1)
    centroids = _read_centroids(reader, codes_NQ.shape[1], dim)
    rows_ND = np.concatenate([part[codes_NQ[:, q]] for q, part in enumerate(centroids)], axis=1)
    if has_norms:
        norm_codes_N = reader.array("u1", num_rows)
        rows_ND = rows_ND * _read_centroids(reader, 1, 1)[0][norm_codes_N]
    return np.ascontiguousarray(rows_ND, dtype=np.float32)


def _read_centroids(reader: _Reader, num_parts: int, dim: int) -> list[Floats]:
    """Centroids (256, numbers of the part) of each part of a row."""
    found_dim, found_parts, width, last_width = reader.take("4i")
    if (found_dim, found_parts) != (dim, num_parts):
        raise ValueError("its codes and its centroids differ")
    widths = [width] * (num_parts - 1) + [last_width]
    return [reader.array("<f4", _NUM_CENTROIDS * w).reshape(_NUM_CENTROIDS, w) for w in widths]


def _index_words(words: list[bytes]) -> tuple[Numbers, Bytes, Numbers]:
    letters = np.frombuffer(b"".join(words), np.uint8)
    starts = np.cumsum([0, *map(len, words)]).astype(np.int32)
    return fill_words(_empty_table(len(words)), letters, starts), letters, starts


def _index_runs(runs_R2: Numbers) -> tuple[Numbers, Numbers]:
    table = _empty_table(len(runs_R2))
    return fill_runs(table, np.zeros_like(table), np.ascontiguousarray(runs_R2))


def _empty_table(num_entries: int) -> Numbers:
    return np.zeros(1 << max(4, (2 * num_entries).bit_length()), np.int32)


def _build_tree(counts: list[int]) -> Numbers:
    """Children of the inner nodes, (labels - 1, 2): a label's number, or number of labels and an inner node's."""
    num_labels = len(counts)
    weights = [*counts, *[10**15] * (num_labels - 1)]
    leaf, node = num_labels - 1, num_labels
    children = np.zeros((num_labels - 1, 2), np.int32)
    for at in range(num_labels - 1):
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[at, side], leaf = leaf, leaf - 1
            else:
                children[at, side], node = node, node + 1
        weights[num_labels + at] = weights[children[at, 0]] + weights[children[at, 1]]
    return children
