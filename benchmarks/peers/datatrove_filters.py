"""Runs each of datatrove's FineWeb filters on texts: JSON lines {id, text} in, {filter: [kept, reason, text]} out.

Run by `curation_fineweb.py` in datatrove's own environment: `python datatrove_filters.py TEXTS VERDICTS`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_words


def main() -> None:
    filters = {
        "gopher_repetition": GopherRepetitionFilter(),
        "gopher_quality": GopherQualityFilter(),
        "c4_quality": C4QualityFilter(filter_no_terminal_punct=False),
        "fineweb_quality": FineWebQualityFilter(),
    }
    with Path(sys.argv[1]).open(encoding="utf-8") as texts, Path(sys.argv[2]).open("w", encoding="utf-8") as verdicts:
        for line in texts:
            given = json.loads(line)
            row: dict[str, Any] = {"id": given["id"], "words": split_into_words(given["text"])}
            for kind, filter_ in filters.items():
                row[kind] = judge(filter_, given["text"])
            verdicts.write(json.dumps(row) + "\n")


def judge(filter_: Any, text: str) -> list[Any]:
    """Kept, why not, and the text that is left."""
    document = Document(text=text, id="0")
    verdict = filter_.filter(document)
    kept, reason = verdict if isinstance(verdict, tuple) else (verdict, "")
    return [bool(kept), reason, document.text if kept else ""]


if __name__ == "__main__":
    main()
