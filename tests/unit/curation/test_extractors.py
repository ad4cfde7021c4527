"""Extractors: the text a person would want, and survival of hostile pages."""

import threading
import time

import pymupdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors import Extractor, build_extractor
from workers.curation.extractors._blocks import main_lines
from workers.curation.extractors._clock import LateError, call_limited
from workers.curation.extractors._layout import Line, drop_running_lines, heal_hyphens
from workers.specs.curation import CurationSpec, Limits
from workers.specs.curation.extractors import Pymupdf, Pypdfium2, Resiliparse, Trafilatura

SENTENCES = [
    "The mill stands at the end of a narrow channel that carries water from the river.",
    "In summer the channel is dry and the miller repairs the wooden wheel with care.",
    "When the rain returns in autumn the stones turn again and the village has flour.",
]
PARAGRAPHS = [f"{sentence} {sentence.replace('the', 'its')}" for sentence in SENTENCES]
NAVIGATION = "<nav><ul><li><a href='/'>Home</a></li><li><a href='/shop'>Shop now</a></li></ul></nav>"
ARTICLE = "<h1>The mill</h1>" + "".join(f"<p>{p}</p>" for p in PARAGRAPHS)
PAGE = f"<html><head><title>T</title></head><body>{NAVIGATION}<article>{ARTICLE}</article></body></html>"
HTML = {"trafilatura": Trafilatura(timeout_seconds=3), "resiliparse": Resiliparse()}
PDF = {"pypdfium2": Pypdfium2(), "pymupdf": Pymupdf()}

# The timer may fire inside a callback of the garbage collector (Hypothesis has one), where Python prints the
# exception and drops it; the timer then fires again.
swallowed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def html_extractor(kind: str) -> Extractor:
    return build_extractor(CurationSpec(html_extractor=HTML[kind]))


def pdf_extractor(kind: str, limits: Limits | None = None) -> Extractor:
    return build_extractor(CurationSpec(pdf_extractor=PDF[kind], limits=limits or Limits()))


def record(content: str | bytes, media_type: str = "text/html", charset: str | None = None) -> RawRecord:
    content = content.encode() if isinstance(content, str) else content
    return RawRecord("id", "a#1", media_type, content, url="https://x.example", charset=charset, metadata={"date": "d"})


def text_of(outcome: Document | Drop | Reject) -> str:
    assert isinstance(outcome, Document), outcome
    return outcome.text


@pytest.mark.parametrize("kind", HTML)
def test_html_main_text_and_origin(kind: str) -> None:
    found = html_extractor(kind).extract(record(PAGE))
    text = text_of(found)
    assert [line for line in text.splitlines() if line in PARAGRAPHS] == PARAGRAPHS
    assert "Shop now" not in text
    assert isinstance(found, Document)
    assert (found.id, found.source, found.url, found.metadata) == ("id", "a#1", "https://x.example", {"date": "d"})


def test_repeated_segments_are_dropped_within_a_page_only() -> None:
    extractor = html_extractor("trafilatura")
    note = (
        "Subscribe to our weekly letter and you will find each story of the valley in your letter box, free of charge."
    )
    parts = "".join(
        f"<h2>Part {i}</h2><p>Part {i}: {PARAGRAPHS[i % 3]} {1800 + i}.</p><p>{note}</p>" for i in range(12)
    )
    repeated = f"<html><body><article>{parts}</article></body></html>"
    assert text_of(extractor.extract(record(repeated))).count(note) <= 3
    texts = {text_of(extractor.extract(record(PAGE))) for _ in range(8)}
    assert len(texts) == 1, "a page's text must not depend on the pages before it"


@pytest.mark.parametrize("kind", HTML)
def test_page_without_text_is_a_drop(kind: str) -> None:
    found = html_extractor(kind).extract(record("<html><body><script>x()</script></body></html>"))
    assert isinstance(found, Drop)
    assert found.rule == f"{kind}.no_text"


@pytest.mark.parametrize("kind", HTML)
@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (PAGE.replace("mill", "Mühle").encode("cp1252"), "iso-8859-1"),
        (PAGE.replace("mill", "Mühle").replace("<title>", '<meta charset="latin1"><title>').encode("cp1252"), None),
        (PAGE.replace("mill", "Mühle").encode("utf-8"), "iso-8859-1"),  # the header is wrong
        (PAGE.replace("mill", "Mühle").encode("utf-16"), None),
        (PAGE.replace("mill", "Mühle").encode("utf-8-sig"), "no-such-charset"),
        (PAGE.replace("mill", "Mühle").encode("cp1252"), None),  # nobody says
    ],
)
def test_charsets(kind: str, content: bytes, charset: str | None) -> None:
    assert "The Mühle stands" in text_of(html_extractor(kind).extract(record(content, charset=charset)))


def body(inner: str) -> str:
    first, last = (f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS[:2])
    return f"<html><body><main><h1>Title of the page</h1>{first}{inner}{last}</main></body></html>"


@pytest.mark.parametrize(
    ("inner", "lines"),
    [
        ("<ul><li>First thing to do.</li><li>second thing</li></ul>", ["- First thing to do.", "- second thing"]),
        ("<UL><LI>First thing to do.</UL>", ["- First thing to do."]),
        ("<ul><li><a href='/a'>Mills</a></li><li><a href='/b'>Rivers</a></li><li>more</li></ul>", []),
        ("<h2>See also</h2><ul><li><a href='/a'>Mills</a></li></ul><h2>Next part</h2>", ["Next part"]),
        ("<h2>Empty part</h2>", ["Empty part"]),
        (
            "<h2>Part</h2><h3>See also</h3><p><a href='/a'>Mills</a></p><p>A sentence of the part.</p>",
            ["Part", "See also", "A sentence of the part."],
        ),
        ("<p>A long sentence <a href='/a'>with a link</a> in it.</p>", ["A long sentence with a link in it."]),
        ("<div>By Anna Berg, 24.12.2019</div>", []),
        ("<p>On 24.12.2019 the mill burned down.</p>", ["On 24.12.2019 the mill burned down."]),
        ("<div>© 2024 The Mill. All rights reserved</div>", []),
        ("<div>Reply</div>", []),
        ("<pre>a = 1\n  b = 2 &lt; 3</pre>", ["a = 1", "  b = 2 < 3"]),
        ("<table><tr><td>oats</td><td>2 kg</td></tr></table>", ["oats\t2 kg"]),
        ("<p>1 &lt; 2 &amp;amp; 3.<br>Next line of it.</p>", ["1 < 2 &amp; 3.", "Next line of it."]),
        ('<a id="x"/><h2>A part</h2><p>Its text is here.</p>', ["A part", "Its text is here."]),
    ],
)
def test_main_content_keeps_lists_and_loses_links(inner: str, lines: list[str]) -> None:
    text = text_of(html_extractor("resiliparse").extract(record(body(inner))))
    assert text.split("\n") == ["Title of the page", PARAGRAPHS[0], *lines, PARAGRAPHS[1]]


@given(st.text(alphabet=st.sampled_from("<>/ahlipreu123 \"'=&;\nx\ue000"), max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_minimal_html_has_lines(html: str) -> None:
    assert all(isinstance(line, str) and line.strip() for line in main_lines(html))


@pytest.mark.parametrize(
    "charset", ["idna", "punycode", "unicode_escape", "raw_unicode_escape", "hex", "utf-7", "\ud800"]
)
def test_charsets_that_are_none_are_passed_over(charset: str) -> None:
    page = PAGE.replace("mill", "M\\ud800hle Mühle")
    for kind in HTML:
        assert "Mühle stands" in text_of(html_extractor(kind).extract(record(page, charset=charset)))
    plain = html_extractor("resiliparse").extract(record(b"just \\ud800 words", "text/plain", charset))
    assert text_of(plain) == "just \\ud800 words"


@pytest.mark.parametrize("kind", HTML)
def test_old_pages_without_end_tags_are_not_deep(kind: str) -> None:
    page = "<html><body><article>" + "".join(f"<p>{p} {i}" for i in range(1200) for p in PARAGRAPHS)
    assert not isinstance(html_extractor(kind).extract(record(page)), Reject)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=60, deadline=None)
def test_random_bytes_are_survived(content: bytes) -> None:
    for media_type in ("text/html", "text/plain", "text/markdown", "application/pdf", "image/png"):
        found = build_extractor(CurationSpec()).extract(record(content, media_type))
        assert isinstance(found, Document | Drop | Reject)
        if isinstance(found, Document):
            found.text.encode()  # no lone surrogates
            assert "\0" not in found.text


@swallowed
def test_time_limit_stops_code_that_catches_everything() -> None:
    def stubborn() -> None:
        while True:
            try:
                sum(range(1000))
            except Exception:
                continue

    start = time.process_time()
    with pytest.raises(LateError) as error:
        call_limited(stubborn, 0.2)
    assert 0.1 < error.value.seconds < 3
    assert time.process_time() - start < 3
    assert call_limited(lambda: 7, 0.2) == 7


def test_time_limit_off_the_main_thread_judges_afterwards() -> None:
    outcomes: list[object] = []

    def work() -> None:
        try:
            call_limited(lambda: sum(range(8_000_000)), 0.01)
        except LateError as error:
            outcomes.append(error.seconds > 0.01)
        outcomes.append(call_limited(lambda: "quick", 5))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcomes == [True, "quick"]


@swallowed
def test_slow_page_is_a_drop_with_its_figure() -> None:
    spec = CurationSpec(html_extractor=Trafilatura(timeout_seconds=0.2))
    page = "<html><body><article>" + "".join(f"<p>{PARAGRAPHS[i % 3]} {i}</p>" for i in range(30_000))
    found = build_extractor(spec).extract(record(page))
    assert isinstance(found, Drop)
    assert (found.rule, found.threshold) == ("trafilatura.timeout_seconds", 0.2)
    assert found.figure is not None
    assert found.figure >= 0.2


def test_text_and_markdown_stay_as_they_are() -> None:
    extractor = build_extractor(CurationSpec())
    markdown = "# Title\n\n* one  \n* two\r\n\x07end"
    assert text_of(extractor.extract(record(markdown, "text/markdown"))) == "# Title\n\n* one\n* two\nend"
    noise = extractor.extract(record(bytes(range(1, 32)) * 50, "text/plain"))
    assert isinstance(noise, Reject)
    assert noise.reason == "undecodable_text"


def make_pdf(pages: list[list[tuple[float, float, str]]], **options: object) -> bytes:
    """A PDF with lines of text at (x, y) from the top, 10 points high."""
    with pymupdf.open() as document:
        for lines in pages:
            page = document.new_page(width=600, height=800)
            for x, y, text in lines:
                page.insert_text((x, y), text, fontsize=10)
        return bytes(document.tobytes(**options))


def column(x: float, y: float, *lines: str) -> list[tuple[float, float, str]]:
    return [(x, y + 12 * index, line) for index, line in enumerate(lines)]


@pytest.mark.parametrize("kind", PDF)
def test_pdf_lines_become_paragraphs(kind: str) -> None:
    lines = column(
        50,
        100,
        "The water of the river runs along the narrow channel that leads to the old wo-",
        "oden wheel, and the wheel turns the heavy stones that grind all of the village's",
        "grain.",
        "In the summer months the bed of the stream lies dry and so the miller repairs it",
        "with great care.",
    )
    content = make_pdf([[*lines, (50, 200, "1. first item"), (50, 212, "2. second item")], [(50, 100, "Next page.")]])
    assert text_of(pdf_extractor(kind).extract(record(content, "application/pdf"))) == (
        "The water of the river runs along the narrow channel that leads to the old wooden wheel, and the wheel turns "
        "the heavy stones that grind all of the village's grain.\n"
        "In the summer months the bed of the stream lies dry and so the miller repairs it with great care.\n"
        "1. first item\n2. second item\n\nNext page."
    )


@pytest.mark.parametrize("kind", PDF)
def test_pdf_columns_are_read_one_after_the_other(kind: str) -> None:
    left = column(50, 100, "left one left one left", "left two left two left", "left three.")
    right = column(330, 100, "right one right one rig", "right two right two rig", "right three.")
    text = text_of(pdf_extractor(kind).extract(record(make_pdf([left + right]), "application/pdf")))
    assert text.index("left three") < text.index("right one")


@pytest.mark.parametrize("kind", PDF)
def test_running_heads_and_feet_are_dropped(kind: str) -> None:
    pages = [
        [
            (50, 40, "The Mill Handbook"),
            *column(50, 100, f"Text of page {n} alone.", "Some.", "More.", f"End {n * 'x'}."),
            (50, 780, f"page {n} / 8"),
        ]
        for n in range(1, 9)
    ]
    text = text_of(pdf_extractor(kind).extract(record(make_pdf(pages), "application/pdf")))
    assert "Handbook" not in text
    assert "/ 8" not in text
    assert all(f"Text of page {n} alone." in text for n in range(1, 9))


@pytest.mark.parametrize("kind", PDF)
def test_bad_pdfs_are_rejects_with_a_reason(kind: str) -> None:
    good = make_pdf([column(50, 100, "A line of text.")])
    locked = make_pdf(
        [column(50, 100, "secret")], encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="user", owner_pw="owner"
    )
    many = make_pdf([column(50, 100, "words " * 15)] * 30)
    extractor = pdf_extractor(kind, Limits(max_document_bytes=1000))
    for content, reason in ((locked, "encrypted_pdf"), (b"%PDF-1.7\n" + b"x" * 500, "broken_pdf"), (many, "too_large")):
        found = extractor.extract(record(content, "application/pdf"))
        assert isinstance(found, Reject)
        assert found.reason == reason
    empty = extractor.extract(record(make_pdf([[]]), "application/pdf"))
    assert isinstance(empty, Drop)
    assert empty.rule == f"{kind}.no_text"
    assert isinstance(extractor.extract(record(good[: len(good) // 2], "application/pdf")), Document | Drop | Reject)


@pytest.mark.parametrize("kind", PDF)
def test_max_pages(kind: str) -> None:
    spec = CurationSpec(pdf_extractor=PDF[kind].model_copy(update={"max_pages": 2}))
    content = make_pdf([column(50, 100, f"Page number {n}.") for n in "abcd"])
    found = build_extractor(spec).extract(record(content, "application/pdf"))
    assert text_of(found) == "Page number a.\n\nPage number b."
    assert isinstance(found, Document)
    assert found.metadata["num_pages"] == 4


@given(content=st.binary(max_size=60), position=st.integers(0, 3000))
@settings(max_examples=40, deadline=None)
def test_damaged_pdfs_are_survived(content: bytes, position: int) -> None:
    good = bytearray(make_pdf([column(50, 100, "A line of text.")]))
    good[position % len(good) : position % len(good) + len(content)] = content
    for kind in PDF:
        found = pdf_extractor(kind).extract(record(bytes(good), "application/pdf"))
        assert isinstance(found, Document | Drop | Reject)


@pytest.mark.parametrize(
    ("text", "healed"),
    [
        ("ver\ufffebunden", "verbunden"),
        ("E\ufffeMail", "E-Mail"),
        ("BUIL\ufffeTIN", "BUILTIN"),
        ("10\ufffe20", "10-20"),
    ],
)
def test_hyphens(text: str, healed: str) -> None:
    assert heal_hyphens(text) == healed


def test_running_lines_need_five_pages() -> None:
    pages = [[Line("Head", 0, 0, 9, 9), Line(f"Own {n * 'x'}", 0, 20, 9, 29)] for n in range(4)]
    assert drop_running_lines(pages) == pages
