"""Made-up documents in English and German, and a folder of them in seven formats."""

import io
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

ENGLISH = {
    "who": [
        "the miller",
        "the baker",
        "an old farmer",
        "her daughter",
        "the young teacher",
        "my neighbour",
        "a stranger",
        "the doctor",
    ],
    "did": ["carried", "opened", "repaired", "found", "painted", "forgot", "sold", "borrowed", "wanted to have"],
    "what": [
        "the heavy gate",
        "a small boat",
        "that broken wheel",
        "two bags of flour",
        "the letter",
        "an iron key",
        "some bread",
    ],
    "where": [
        "beside the river",
        "in the market",
        "with great care",
        "before the storm",
        "after lunch",
        "behind the church",
    ],
}
GERMAN = {
    "who": [
        "der Müller",
        "die Bäckerin",
        "ein alter Bauer",
        "ihre Tochter",
        "der junge Lehrer",
        "mein Nachbar",
        "ein Fremder",
    ],
    "did": ["trug", "öffnete", "reparierte", "fand", "strich", "vergaß", "verkaufte", "suchte"],
    "what": ["das schwere Tor", "ein kleines Boot", "das alte Rad", "zwei Säcke Mehl", "den Brief", "einen Schlüssel"],
    "where": [
        "neben dem Fluss",
        "auf dem Markt",
        "mit großer Sorgfalt",
        "vor dem Sturm",
        "nach dem Essen",
        "hinter der Kirche",
    ],
}


def prose(seed: int, words: dict[str, list[str]], lines: int = 12) -> str:
    """Different sentences of one language, several a line."""
    rng = random.Random(seed)

    def sentence() -> str:
        text = " ".join(rng.choice(words[part]) for part in ("who", "did", "what", "where"))
        return (
            f"{text[0].upper()}{text[1:]}, {rng.choice(words['who'])} {rng.choice(words['did'])} {rng.randrange(999)}."
        )

    return "\n".join(" ".join(sentence() for _ in range(3)) for _ in range(lines))


def page(text: str) -> str:
    body = "".join(f"<p>{line}</p>" for line in text.split("\n"))
    return f"<html><head><meta charset='utf-8'></head><body><main><article>{body}</article></main></body></html>"


def warc(pages: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True)
    for url, html in pages.items():
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
        record = writer.create_warc_record(url, "response", payload=io.BytesIO(html.encode()), http_headers=headers)
        writer.write_record(record)
    return buffer.getvalue()


def write_folder(root: Path) -> Path:
    """Eight good documents, of which two are copies, and four that must go, in seven formats."""
    (root / "a.html").write_text(page(prose(1, ENGLISH)), encoding="utf-8")
    (root / "b.txt").write_text(prose(2, GERMAN) + "\nSchreibt an mueller@muehle.de oder 8.8.8.8.", encoding="utf-8")
    (root / "c.md").write_text(prose(3, ENGLISH), encoding="utf-8")
    (root / "sub").mkdir()
    rows = [
        {"text": prose(4, ENGLISH), "url": "https://example.org/4"},
        {"text": prose(1, ENGLISH).upper().lower()},  # a.html again
        {"text": "Too short, but the best of them."},
        {"text": prose(9, ENGLISH, 1) + "\n" + "\n".join(["The same line comes back again and again here."] * 20)},
    ]
    (root / "sub" / "d.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    near = prose(2, GERMAN).replace("999", "998") + "\nEin Satz mehr."
    pq.write_table(pa.table({"text": [prose(5, GERMAN), near]}), root / "e.parquet")
    foreign = "Příliš žluťoučký kůň úpěl ďábelské ódy a potom šel domů přes starý most u řeky. " * 12
    (root / "f.warc.gz").write_bytes(
        warc({"https://example.org/6": page(prose(6, ENGLISH)), "https://example.cz/": page(foreign)})
    )
    (root / "g.pdf").write_bytes(b"%PDF-1.4\nno such objects\n%%EOF")
    return root
