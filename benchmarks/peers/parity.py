"""Each FineWeb filter on the same text, datatrove's and ours: how often verdict, reason and the text left are equal."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.text import Text
from workers.specs.curation.filters import C4Quality, FinewebQuality, GopherQuality, GopherRepetition

_TIMEOUT_SECONDS = 4 * 3600
FILTERS = (GopherRepetition(), GopherQuality(), C4Quality(), FinewebQuality())
# datatrove's reason -> the field of our spec that sets the limit.
RULES = {
    "dup_para_frac": "max_duplicate_paragraph_fraction",
    "dup_para_char_frac": "max_duplicate_paragraph_char_fraction",
    "dup_line_frac": "max_duplicate_line_fraction",
    "dup_line_char_frac": "max_duplicate_line_char_fraction",
    **{f"top_{n}_gram": f"max_top_ngram_char_fraction.{n}" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"max_duplicate_ngram_char_fraction.{n}" for n in (5, 6, 7, 8, 9, 10)},
    "gopher_short_doc": "min_words",
    "gopher_long_doc": "max_words",
    "gopher_below_avg_threshold": "min_mean_word_length",
    "gopher_above_avg_threshold": "max_mean_word_length",
    "gopher_too_many_hashes": "max_symbol_word_ratio",
    "gopher_too_many_ellipsis": "max_symbol_word_ratio",
    "gopher_too_many_bullets": "max_bullet_line_ratio",
    "gopher_too_many_end_ellipsis": "max_ellipsis_line_ratio",
    "gopher_below_alpha_threshold": "min_alphabetic_word_ratio",
    "gopher_enough_stop_words": "min_stop_words",
    "lorem_ipsum": "drop_lorem_ipsum",
    "curly_bracket": "drop_curly_bracket",
    "too_few_sentences": "min_sentences",
    "line_punct_ratio": "min_line_punctuation_ratio",
    "short_line_ratio": "max_short_line_ratio",
    "char_dup_ratio": "max_duplicate_line_char_ratio",
    "list_ratio": "max_newline_word_ratio",
    "empty": "empty",
    "": "",
}


def compare_filters(texts: list[tuple[str, str]], python: Path, work: Path) -> dict[str, Any]:
    """Share of texts (id, text) with equal words, and by filter with equal verdict, reason and text left.

    Disagreements are written to `disagreements.jsonl` in `work`.
    """
    given, verdicts = work / "texts.jsonl", work / "verdicts.jsonl"
    given.write_text("".join(json.dumps({"id": id_, "text": text}) + "\n" for id_, text in texts), encoding="utf-8")
    script = Path(__file__).resolve().parent / "datatrove_filters.py"
    subprocess.run([str(python), str(script), str(given), str(verdicts)], check=True, timeout=_TIMEOUT_SECONDS)
    equal: Counter[str] = Counter()
    filters = {spec.kind: build_filter(spec) for spec in FILTERS}
    with verdicts.open(encoding="utf-8") as rows, (work / "disagreements.jsonl").open("w", encoding="utf-8") as log:
        for (id_, text), line in zip(texts, rows, strict=True):
            theirs = json.loads(line)
            ours: dict[str, Any] = {"words": Text(text, "en").words}
            ours |= {kind: _judge(filter_, text) for kind, filter_ in filters.items()}
            for kind, verdict in ours.items():
                wanted = theirs[kind]
                if kind != "words":
                    wanted[1] = RULES.get(wanted[1], wanted[1])
                equal[kind] += verdict == wanted
                if verdict != wanted:
                    row = {"id": id_, "filter": kind, "ours": verdict, "datatrove": wanted, "text": text}
                    log.write(json.dumps(row, ensure_ascii=False) + "\n")
    return {kind: equal[kind] / max(1, len(texts)) for kind in ("words", *filters)}


def _judge(filter_: Any, text: str) -> list[Any]:
    """Kept, the rule that dropped it, and the text that is left: as `datatrove_filters.py` gives them."""
    document = Document(id="0", source="", text=text, media_type="text/plain", language="en")
    verdict = filter_.judge(document, Text(text, "en"))
    if isinstance(verdict, Drop):
        return [False, verdict.rule.partition(".")[2], ""]
    return [True, "", verdict.text]
