"""The replaced parts of trafilatura against trafilatura as it ships, which runs in a process of its own."""

import json
import random
import subprocess
import sys
from collections import Counter

import pytest
from lxml.etree import XPath
from lxml.html import document_fromstring
from trafilatura import external, main_extractor, xpaths

from workers.curation.extractors import _faster
from workers.curation.extractors._xpath import RememberedXPath, Signs, UnknownFormError
from workers.curation.extractors.trafilatura import TrafilaturaExtractor
from workers.specs.curation.extractors import Trafilatura

SETTINGS = [
    Trafilatura(favor_precision=True, deduplicate=True),
    Trafilatura(favor_precision=False, deduplicate=True),
    Trafilatura(favor_precision=True, deduplicate=False),
]
NUM_PAGES = 150
AS_IT_SHIPS = """
import json, sys
from trafilatura import extract
from trafilatura.deduplication import LRUCache
from trafilatura.utils import HTML_PARSER
for line in sys.stdin:
    html, precision, deduplicate = json.loads(line)
    memory = LRUCache(maxsize=4096) if deduplicate else False
    text = extract(html, favor_precision=precision, include_comments=False, deduplicate=memory)
    print(json.dumps(text or ""))
"""
WORDS, NAMES, BLOCKS, INLINE = map(
    str.split,
    [
        "the mill stands at an end of narrow water that turns its wheel and grain from fields is ground by stones",
        "content article main nav menu sidebar footer comment comments share tags post-body entry-content hidden story "
        "page-content teaser bottom related widget author cookie-banner row col x1 x27 infinite-scroll caption border "
        "text link",
        "div div div p p p section article aside ul ol table blockquote pre h1 h2 h3 form header footer nav main",
        "a a b i em span code br img strong sub",
    ],
)


def sentence(rng: random.Random) -> str:
    words = " ".join(rng.choices(WORDS, k=rng.randint(3, 25)))
    return rng.choice(["", words, words.capitalize() + rng.choice([".", ", and so on.", "?", " © 2020", "\n  more"])])


def attributes(rng: random.Random) -> str:
    names = rng.sample(
        ["class", "id", "style", "role", "itemprop", "aria-hidden", "data-component"], k=rng.choice([0, 0, 1, 1, 2])
    )
    values = {"style": "display:none;border:0", "role": "navigation", "itemprop": "articleBody", "aria-hidden": "true"}
    chosen = {name: values.get(name, " ".join(rng.sample(NAMES, k=rng.choice([1, 1, 2])))) for name in names}
    return "".join(f' {name}="{value.title() if rng.random() < 0.1 else value}"' for name, value in chosen.items())


def inline(rng: random.Random) -> str:
    parts = [sentence(rng)]
    for _ in range(rng.choice([0, 0, 1, 2])):
        tag = rng.choice(INLINE)
        target = ' href="/there"' if tag == "a" else ' src="/wheel.png"' if tag == "img" else attributes(rng)
        parts.append(f"<{tag}{target}>" if tag in ("br", "img") else f"<{tag}{target}>{sentence(rng)}</{tag}>")
        parts.append(sentence(rng))
    return " ".join(parts)


def block(rng: random.Random, depth: int) -> str:
    tag = rng.choice(BLOCKS)
    if tag in ("ul", "ol"):
        inner = "".join(f"<li>{inline(rng)}</li>" for _ in range(rng.randint(1, 5)))
    elif tag == "table":
        inner = "".join(f"<tr><td>{inline(rng)}</td><td>{inline(rng)}</td></tr>" for _ in range(rng.randint(1, 4)))
    elif tag in ("p", "pre", "h1", "h2", "h3") or depth == 0:
        inner = inline(rng)
    else:
        inner = "".join(block(rng, depth - 1) + rng.choice(["", "\n", inline(rng)]) for _ in range(rng.randint(1, 6)))
    return f"<{tag}{attributes(rng)}>{inner}</{tag}>"


def page(rng: random.Random) -> str:
    extras = [
        "<script>var a = 'the mill';</script>",
        "<iframe src='https://youtube.com/x'>no</iframe>",
        "<!-- mill -->",
    ]
    parts = [block(rng, rng.randint(0, 3)) for _ in range(rng.choice([1, 2, 4, 8, 16]))] + rng.sample(
        extras, k=rng.choice([0, 1])
    )
    rng.shuffle(parts)
    return f"<html><head><title>A mill</title></head><body{attributes(rng)}>{''.join(parts)}</body></html>"


@pytest.fixture(scope="module")
def pages() -> list[str]:
    seed = random.randrange(1 << 30)
    print("seed", seed)  # shown when a test fails
    rng = random.Random(seed)
    return [page(rng) for _ in range(NUM_PAGES)]


def test_it_is_the_version_that_the_parts_were_made_for() -> None:
    assert _faster.speed_up()


def test_texts_are_those_of_trafilatura_as_it_ships(pages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [(html, s.favor_precision, s.deduplicate) for s in SETTINGS for html in pages]
    lines = "".join(json.dumps(row) + "\n" for row in asked)
    shipped = subprocess.run(
        [sys.executable, "-c", AS_IT_SHIPS], input=lines, capture_output=True, text=True, timeout=120, check=True
    )
    expected = [json.loads(line) for line in shipped.stdout.splitlines()]
    routes: Counter[str] = Counter()

    def count(module: object, name: str) -> None:
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, **kwargs: (routes.update([name]), plain(*args, **kwargs))[1])

    count(external, "justext_rescue")
    count(external, "try_readability")
    count(external, "sanitize_tree")
    count(_faster, "_extract_content")
    count(main_extractor, "recover_wild_text")
    extractors = [TrafilaturaExtractor(settings) for settings in SETTINGS]
    found = [extractor._text(html) for extractor in extractors for html in pages]
    differing = [number for number, (a, b) in enumerate(zip(expected, found, strict=True)) if a != b]
    assert not differing, (asked[differing[0]], expected[differing[0]], found[differing[0]])
    assert sum(map(bool, found)) > NUM_PAGES
    assert all(routes[name] >= 5 for name in routes) and len(routes) == 5, routes


def test_remembered_paths_find_what_lxml_finds(pages: list[str]) -> None:
    signs = Signs()
    remembered = []
    for paths in vars(xpaths).values():
        for path in paths if isinstance(paths, list) else ():
            try:
                remembered.append(RememberedXPath(path.path, signs))
            except UnknownFormError:
                assert path.path.strip().startswith("//")  # metadata, which is not asked for
    plain = [XPath(path.path, namespaces={"re": "http://exslt.org/regular-expressions"}) for path in remembered]
    assert len(plain) > 15
    num_found = 0
    for html in pages:
        tree = document_fromstring(html)
        signs.look(tree)
        for ours, theirs in zip(remembered, plain, strict=True):
            for start in (tree, tree[-1]):
                expected = theirs(start)
                assert ours(start) == expected, (html, ours.path)
                num_found += len(expected)
    assert num_found > 1000


def test_a_long_or_rare_value_is_not_kept() -> None:
    signs = Signs()
    path = RememberedXPath(".//*[self::div or self::p][re:test(@class, 'nav|menu')]", signs)
    for value in ("x" * 500 + " nav", "menu2", "no-such", "Menu"):
        tree = document_fromstring(f"<html><body><div class='{value}'>a</div></body></html>")
        signs.look(tree)
        assert bool(path(tree)) == ("nav" in value or "menu" in value)
    assert not [sign for sign in signs._known if len(sign[0][1]) > 400]
    for unknown in ("//div[@class='x']", ".//div/p[@class]", "(.//p)[2]"):
        with pytest.raises(UnknownFormError):
            RememberedXPath(unknown, signs)
