"""HTML extraction: pages/s and F1 of ours against datatrove's Trafilatura extractor.

F1 is over the multiset of words (`\\w+`) of each page, averaged over the pages of a gold that is built from templates
(`gold/`) and paragraphs of a fetched corpus in six languages. Pages/s are those of real pages, in one process each,
in turn. Three questions: how fast, how good, and is our trafilatura datatrove's (the share of equal texts when
datatrove runs our version of trafilatura, page by page; as it ships it asks for an older one)?

`python -m workers.curation.corpora fetch debian-docs` and `... fetch office-help` bring the pages.
`python benchmarks/extract.py [--home .headrace] [--pages 600] [--per-template 6] [--rounds 2]`
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import trafilatura
from gold.paragraphs import load_paragraphs
from gold.templates import make_pages
from gold.writer import Page
from peers.venv import DATATROVE, peer_python

from workers.curation.corpora import corpus_folder
from workers.curation.document import Document, RawRecord
from workers.curation.extractors import build_extractor
from workers.curation.extractors._shared import decode_html
from workers.curation.readers import list_files, read_file
from workers.specs.curation import CurationSpec, Limits
from workers.specs.curation.extractors import HtmlExtractor, Resiliparse, Trafilatura

CORPORA = ("office-help", "debian-docs")
SCRIPT = Path(__file__).resolve().parent / "peers" / "datatrove_extract.py"
SETTINGS: dict[str, HtmlExtractor] = {
    "trafilatura": Trafilatura(timeout_seconds=20),
    "resiliparse": Resiliparse(),
}
_WORD = re.compile(r"\w+")
Texts = list[str]
Run = Callable[[Sequence[RawRecord]], Texts]


def main() -> int:
    """Measure, print a table and a JSON line a row; 1 when the work was not equal."""
    options = parse_arguments()
    real = load_real(options.home, options.pages)
    gold = list(make_pages(load_paragraphs(options.home), options.per_template))
    pages = [RawRecord(str(i), f"gold#{i}", "text/html", page.html.encode()) for i, page in enumerate(gold)]
    ships = peer(peer_python("datatrove-extract", DATATROVE))
    ours = {name: extractor(settings) for name, settings in SETTINGS.items()}
    everyone: dict[str, Run] = {**ours, "trafilatura fast": fast, "datatrove": ships}
    print_quality(gold, scores := {name: f1_scores(gold, run(pages)) for name, run in everyone.items()})
    equal, equal_in_order = equal_texts(ours["trafilatura"], real)
    speeds = measure_in_turn(everyone, real, options.rounds)
    means = {name: statistics.mean(values) for name, values in scores.items()}
    rows = []
    for name in SETTINGS:
        row = {
            "name": f"extract_{name}",
            "ours": round(speeds[name], 1),
            "peer": round(speeds["datatrove"], 1),
            "ratio": round(speeds[name] / speeds["datatrove"], 2),
            "f1": round(means[name], 4),
            "peer_f1": round(means["datatrove"], 4),
            "equal_work": round(equal if name == "trafilatura" else min(1.0, means[name] / means["datatrove"]), 4),
        }
        if name == "trafilatura":
            row |= {"equal_in_order": round(equal_in_order, 4), "fast": round(speeds["trafilatura fast"], 1)}
            row |= {"fast_f1": round(means["trafilatura fast"], 4)}
        rows.append(row)
    for row in rows:
        print(json.dumps(row))
    return int(rows[0]["equal_work"] < 0.995 or rows[1]["equal_work"] < 1)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="data folder with the corpora")
    parser.add_argument("--pages", type=int, default=600, help="real pages, spread over the corpora")
    parser.add_argument("--per-template", type=int, default=6, help="gold pages of each template and language")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is timed, in turn")
    return parser.parse_args()


def load_real(home: Path, number: int) -> list[RawRecord]:
    """Real pages, evenly spread over the fetched corpora. Ends with the command to run when there are none."""
    try:
        folders = [corpus_folder(home, name) for name in CORPORA]
    except FileNotFoundError as error:
        sys.exit(str(error))
    found = [
        record
        for folder in folders
        for file in list_files(folder)
        for record in read_file(file, folder, Limits())
        if isinstance(record, RawRecord) and record.media_type == "text/html"
    ]
    return [found[i * len(found) // number] for i in range(min(number, len(found)))]


def extractor(settings: HtmlExtractor) -> Run:
    """Ours, with that spec."""
    built = build_extractor(CurationSpec(html_extractor=settings))

    def run(records: Sequence[RawRecord]) -> Texts:
        found = (built.extract(record) for record in records)
        return [document.text if isinstance(document, Document) else "" for document in found]

    return run


def fast(records: Sequence[RawRecord]) -> Texts:
    """trafilatura without its fallbacks, for the table."""
    return [trafilatura.extract(page, fast=True, include_comments=False) or "" for page in map(decoded, records)]


def peer(python: Path, *arguments: str) -> Run:
    """datatrove's extractor in its environment. Decoding is given to it for nothing."""

    def run(records: Sequence[RawRecord]) -> Texts:
        with tempfile.TemporaryDirectory() as folder:
            pages, texts = Path(folder) / "pages.jsonl", Path(folder) / "texts.jsonl"
            lines = (json.dumps({"id": str(i), "html": decoded(record)}) for i, record in enumerate(records))
            pages.write_text("\n".join(lines) + "\n", "utf-8")
            command = [str(python), str(SCRIPT), str(pages), str(texts), *arguments]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=3600)
            if done.returncode:
                sys.exit(f"datatrove's extractor failed: run {' '.join(command)} to see why")
            run.seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]  # type: ignore[attr-defined]  # its own clock
            rows = {row["id"]: row["text"] for row in map(json.loads, texts.read_text("utf-8").splitlines())}
        return [rows.get(str(i), "") for i in range(len(records))]

    return run


def decoded(record: RawRecord) -> str:
    """The page as a string; empty when it cannot be one."""
    html = decode_html(record)
    return html if isinstance(html, str) else ""


def equal_texts(ours: Run, records: Sequence[RawRecord]) -> tuple[float, float]:
    """Share of pages on which our text is that of datatrove with our trafilatura: page by page, and as a process goes.

    Where lines end in blanks or the text in empty lines does not count.
    """
    python = peer_python("datatrove-fineweb", DATATROVE, [f"trafilatura=={version('trafilatura')}"])
    texts = list(map(normal, ours(records)))
    shares = []
    for arguments in (["--fresh"], []):
        theirs = map(normal, peer(python, *arguments)(records))
        shares.append(sum(map(str.__eq__, texts, theirs)) / len(records))
    return shares[0], shares[1]


def normal(text: str) -> str:
    """Without blanks at line ends and lone surrogates."""
    return "\n".join(map(str.rstrip, text.split("\n"))).strip().encode("utf-8", "ignore").decode()


def measure_in_turn(runs: dict[str, Run], records: Sequence[RawRecord], rounds: int) -> dict[str, float]:
    """Median pages/s of each, timed in turn; the spread is printed."""
    speeds = defaultdict(list)
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(records)
            speeds[name].append(len(records) / getattr(run, "seconds", time.perf_counter() - start))
    for name, values in speeds.items():
        print(f"{name:18} {statistics.median(values):8.1f} pages/s   {min(values):.1f} to {max(values):.1f}")
    return {name: statistics.median(values) for name, values in speeds.items()}


def f1_scores(gold: Sequence[Page], texts: Texts) -> list[float]:
    """F1 of each page by word multiset."""
    scores = []
    for page, text in zip(gold, texts, strict=True):
        found, wanted = Counter(_WORD.findall(text)), Counter(_WORD.findall("\n".join(page.gold)))
        scores.append(2 * (found & wanted).total() / max(1, found.total() + wanted.total()))
    return scores


def print_quality(gold: Sequence[Page], scores: dict[str, list[float]]) -> None:
    """F1 by template, a line each."""
    templates = list(dict.fromkeys(page.template for page in gold))
    print(f"{'F1 by word multiset':18}" + "".join(f"{template:>9}" for template in (*templates, "all")))
    for name, values in scores.items():
        by_template = [
            statistics.mean(value for page, value in zip(gold, values, strict=True) if page.template == template)
            for template in templates
        ]
        print(f"{name:18}" + "".join(f"{value:9.3f}" for value in (*by_template, statistics.mean(values))))


if __name__ == "__main__":
    sys.exit(main())
