"""datatrove's FineWeb recipe on WARC files, as its examples/fineweb.py strings it together, on local processes.

Run by `curation_fineweb.py` in datatrove's own environment: `python datatrove_fineweb.py WARCS OUT WORKERS LID_MODEL`.
The kept documents end in OUT/kept/*.jsonl.gz.
"""

import sys
from functools import partial
from pathlib import Path

import datatrove.utils.lid
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
    URLFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig
from tldextract import TLDExtract

TIMEOUT_SECONDS = 20.0
"""Its own is 1 s. On a busy machine a process takes longer for its first page, and each page that is late costs a
process, so that the next one's first page is late too. No page here takes so long by itself."""


def given_model(model: str, *_: object, **__: object) -> str:
    """The language model from a file that is there, in place of the download."""
    return model


def main() -> None:
    warcs, out, workers, model = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    datatrove.utils.lid.cached_asset_path_or_download = partial(given_model, model)
    num_files = len(list(warcs.rglob("*.warc.gz")))
    run = partial(LocalPipelineExecutor, workers=workers, start_method="fork")
    run(pipeline=base_steps(warcs, out), tasks=num_files, logging_dir=f"{out}/logs/base").run()
    config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5)
    read, work = JsonlReader(f"{out}/base"), f"{out}/minhash"
    sign = MinhashDedupSignature(output_folder=f"{work}/signatures", config=config)
    match = MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)
    cluster = MinhashDedupCluster(f"{work}/buckets", f"{work}/remove", config=config)
    run(pipeline=[read, sign], tasks=num_files, logging_dir=f"{out}/logs/sign").run()
    run(pipeline=[match], tasks=config.num_buckets, logging_dir=f"{out}/logs/match").run()
    run(pipeline=[cluster], tasks=1, logging_dir=f"{out}/logs/cluster").run()
    last = [read, MinhashDedupFilter(f"{work}/remove"), PIIFormatter(), JsonlWriter(f"{out}/kept")]
    run(pipeline=last, tasks=num_files, logging_dir=f"{out}/logs/keep").run()


def base_steps(warcs: Path, out: Path) -> list[object]:
    """From pages to filtered documents; dropped ones are kept with their reason."""
    urls = URLFilter(exclusion_writer=dropped(out, "url"))
    urls.tldextractor = TLDExtract(suffix_list_urls=())  # the list in the package: no network
    return [
        WarcReader(str(warcs), recursive=True, glob_pattern="**/*.warc.gz"),
        urls,
        Trafilatura(favour_precision=True, timeout=TIMEOUT_SECONDS),
        LanguageFilter(languages=["en"], exclusion_writer=dropped(out, "language")),
        GopherRepetitionFilter(exclusion_writer=dropped(out, "gopher_repetition")),
        GopherQualityFilter(exclusion_writer=dropped(out, "gopher_quality")),
        C4QualityFilter(filter_no_terminal_punct=False, exclusion_writer=dropped(out, "c4_quality")),
        FineWebQualityFilter(exclusion_writer=dropped(out, "fineweb_quality")),
        JsonlWriter(f"{out}/base"),
    ]


def dropped(out: Path, kind: str) -> JsonlWriter:
    """Where a filter leaves what it drops."""
    return JsonlWriter(f"{out}/dropped/{kind}")


if __name__ == "__main__":
    main()
