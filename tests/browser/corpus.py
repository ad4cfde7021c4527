"""Two versions of a dataset, made by the real curation from made-up pages: what the dataset pages are tested on."""

import random
from collections.abc import Iterator
from pathlib import Path

from workers.curation.pack import pack
from workers.curation.pipeline import curate
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec

NAME = "port-notices"
HIDDEN = "a bell rang, then \u202eevil\u202c spoke"
"""Characters without a shape: they must be seen, and must not turn the line around."""
ARABIC = "هذه صفحة باللغة العربية عن الميناء والسفن التي تصل كل صباح إلى الرصيف القديم."

_PARTS: dict[str, list[list[str]]] = {
    "en": [
        ["the pilot", "an old skipper", "the harbour master", "her daughter", "a fisherman", "the tide clerk"],
        ["checked", "repaired", "forgot to close", "carried", "painted", "measured", "lost", "went back for"],
        ["the heavy gate", "a small boat", "that broken winch", "two bags of salt", "the log book", "an iron ring"],
        ["beside the quay", "at the second flood", "with great care", "before the storm", "after lunch that day"],
    ],
    "de": [
        ["der Lotse", "die Hafenmeisterin", "ein alter Fischer", "ihre Tochter", "der junge Matrose"],
        ["trug", "reparierte", "fand", "strich", "vergaß", "verkaufte", "suchte den ganzen Tag"],
        ["das schwere Tor", "ein kleines Boot", "die alte Winde", "zwei Säcke Salz", "einen eisernen Ring"],
        ["neben dem Kai", "auf dem Markt", "mit großer Sorgfalt", "vor dem Sturm", "hinter der Kirche"],
    ],
    "fr": [
        ["le pilote", "une vieille dame", "le maître du port", "sa fille", "un jeune marin"],
        ["a porté", "a réparé", "a trouvé", "a peint", "a oublié", "a vendu", "cherchait partout"],
        ["la lourde porte", "un petit bateau", "le vieux treuil", "deux sacs de sel", "une lettre pour la mairie"],
        ["près du quai", "sur le marché", "avec grand soin", "avant la tempête", "derrière l'église du village"],
    ],
}


def _sentences(language: str, count: int, rng: random.Random) -> list[str]:
    return [" ".join(rng.choice(part) for part in _PARTS[language]).capitalize() + "." for _ in range(count)]


def _paragraphs(language: str, rng: random.Random) -> str:
    return "\n".join(" ".join(_sentences(language, rng.randint(2, 4), rng)) for _ in range(rng.randint(3, 7)))


def _table(rng: random.Random) -> str:
    sides = ["north", "south", "inner", "outer", "old", "new"]
    berths = [f"{rng.choice(sides).capitalize()} berth, {rng.choice(sides)} wall" for _ in range(rng.randint(12, 17))]
    return "\n".join([*_sentences("en", 5, rng), *berths])


def _copies(rng: random.Random) -> Iterator[str]:
    """Five pages that differ in a word or two."""
    words = " ".join(_sentences("en", 24, rng)).split()
    for number in range(5):
        edited = list(words)
        edited[40 + number] = "newly"
        yield " ".join(edited)


def pages() -> dict[str, str]:
    """Path -> text."""
    rng = random.Random(7)
    found = {f"harbour/{n:03}.txt": _paragraphs("en", rng) for n in range(40)}
    found |= {f"village/{n:03}.txt": _paragraphs("de" if n % 2 else "fr", rng) for n in range(36)}
    found |= {f"notices/{n:03}.txt": _table(rng) for n in range(14)}
    found |= {f"short/{n:03}.txt": "\n".join(_sentences("en", rng.randint(1, 6), rng)) for n in range(16)}
    found |= {f"mirror/{n:03}.txt": text for n, text in enumerate(_copies(rng))}
    twice = _paragraphs("en", rng)
    found |= {"mirror/again-1.txt": twice, "mirror/again-2.txt": twice, "mirror/again-3.txt": twice}
    found["odd/arabic.txt"] = "\n".join([ARABIC] * 6)
    found["odd/hidden.txt"] = f"{HIDDEN}.\nThe pilot and the skipper were at the quay."
    found["odd/long.txt"] = (
        "Once there was a line without end: " + "x" * 3000 + "\n" + " ".join(_sentences("en", 3, rng))
    )
    return found


def _spec(folder: Path, version: int) -> CurationSpec:
    ngrams = {"max_duplicate_ngram_char_fraction": {}, "max_top_ngram_char_fraction": {2: 0.35}}
    repetition = {"kind": "gopher_repetition"} | ngrams
    short, twice = (0.67, 0.01) if version == 1 else (0.8, 0.5)
    fineweb = {"kind": "fineweb_quality", "max_short_line_ratio": short, "max_duplicate_line_char_ratio": twice}
    quality = {"kind": "gopher_quality", "languages": ["en"], "min_words": 50 if version == 1 else 30}
    others = {"kind": "gopher_quality", "languages": ["de", "fr"], "min_words": 20, "min_stop_words": None}
    return CurationSpec.model_validate(
        {
            "kind": "curation",
            "name": NAME,
            "input": {"kind": "folder", "path": str(folder)},
            "language": {"languages": ["en", "de", "fr"], "min_score": 0.5},
            "filters": [
                repetition,
                quality,
                others,
                fineweb,
            ],
            "dedup": {"before_filters": True},
            "tokenizer": {"vocab_size": 600},
            "shard_tokens": 20_000,
            "heldout_share": 0.1,
            "num_processes": 1,
        }
    )  # fmt: skip


def make_versions(work: Path) -> list[tuple[CurationSpec, Path]]:
    """Curate and pack twice, with other thresholds; the specs and the dataset folders, the older first."""
    source = work / "pages"
    for path, text in pages().items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text, encoding="utf-8")
    made = []
    for version in (1, 2):
        spec, reporter = _spec(source, version), MemoryReporter()
        documents, out = work / f"documents-{version}", work / f"dataset-{version}"
        curate(spec, home=work, out=documents, reporter=reporter)
        pack(spec, documents=documents, out=out, reporter=reporter)
        made.append((spec, out))
    return made
