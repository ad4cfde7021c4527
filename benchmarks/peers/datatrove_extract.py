"""datatrove's Trafilatura extractor over pages, in datatrove's own environment.

`PYTHON datatrove_extract.py PAGES.jsonl TEXTS.jsonl [--fresh]`: a page a line (`id`, `html`), a text a line (`id`,
`text`; no line where nothing came out). `--fresh`: trafilatura's memory of repeated segments ends with each page; as it
ships it goes on over all pages of a process. Prints a JSON line with the seconds.
"""

import argparse
import json
import time
from pathlib import Path

import trafilatura.deduplication
from datatrove.data import Document
from datatrove.pipeline.extractors import Trafilatura

TIMEOUT_SECONDS = 20.0
"""Wide, so that a busy machine does not change what is extracted."""


class FreshTrafilatura(Trafilatura):
    """Each page on its own."""

    def extract(self, text: str) -> str:
        """Plain text of a page."""
        trafilatura.deduplication.LRU_TEST.clear()
        return super().extract(text)


def main() -> None:
    """Read, extract, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pages", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.pages.read_text("utf-8").splitlines()]
    documents = [Document(text=row["html"], id=row["id"]) for row in rows]
    extractor = (FreshTrafilatura if options.fresh else Trafilatura)(timeout=TIMEOUT_SECONDS)
    start = time.perf_counter()
    found = [{"id": document.id, "text": document.text} for document in extractor.run(documents)]
    seconds = time.perf_counter() - start
    options.texts.write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
