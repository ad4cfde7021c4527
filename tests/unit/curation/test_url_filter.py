"""The URL filter: datatrove's rules, checked against formulas written out here."""

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.filters.url import UrlFilter, build
from workers.curation.text import Text
from workers.specs.curation.filters import Url

HOSTS = ["bad.org", "evil.co.uk", "sub.partly.net", "203.0.113.9"]
URLS = ["https://fine.org/secret", "fine.org/~mallory"]
SPEC = Url(
    blocked_domains=HOSTS,
    blocked_words=["Casino!", "xx-x"],
    soft_words=["live", "girl", "cam"],
    blocked_substrings=["hot-deal"],
)


def judge(spec: Url, url: str | None) -> Drop | None:
    document = Document("0", "s", "", "text/html", url=url)
    built = build_filter(spec)
    assert isinstance(built, UrlFilter)
    drop = built.judge_url(document)
    text = Text("untouched")
    verdict = built.judge(document, text)
    assert verdict == drop if drop else verdict is text
    return drop


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://bad.org", "blocked_domains"),
        ("http://BAD.org:8080/x", "blocked_domains"),
        ("https://a.b.bad.org/", "blocked_domains"),  # below a registered domain
        ("https://www.evil.co.uk/", "blocked_domains"),
        ("https://co.uk/", None),
        ("https://notbad.org/", None),
        ("https://fine.org/bad.org", None),
        ("https://sub.partly.net/", "blocked_domains"),
        ("https://www.sub.partly.net/", None),  # not a registered domain: this host alone, as in datatrove
        ("https://partly.net/", None),
        ("https://203.0.113.9/x", "blocked_domains"),
        ("https://fine.org/casino/night", "blocked_words"),
        ("https://fine.org/Casino", None),  # datatrove finds small letters alone
        ("https://fine.org/casinos", None),
        ("https://fine.org/xxx", "blocked_words"),  # `xx-x` is normalised to `xxx`
        ("https://fine.org/live", None),
        ("https://fine.org/live-live-live", None),  # one word, however often
        ("https://fine.org/live/girl", "max_soft_words"),
        ("https://fine.org/so-HOT_deals", "blocked_substrings"),
        ("http://[broken", None),
        ("no address at all", None),
        ("", None),
        (None, None),
    ],
)
def test_verdicts_and_reasons(url: str | None, rule: str | None) -> None:
    drop = judge(SPEC, url)
    assert (drop.rule if drop else None) == (f"url.{rule}" if rule else None)


def test_soft_words_are_a_figure_with_their_threshold() -> None:
    for bound, dropped in ((1, True), (2, False)):
        document = Document("0", "s", "", "text/html", url="https://fine.org/live/girl")
        drop = UrlFilter(SPEC.model_copy(update={"max_soft_words": bound})).judge_url(document)
        assert document.figures == {"url.max_soft_words": 2.0}
        assert (drop is not None) == dropped
        if drop:
            assert (drop.figure, drop.threshold) == (2.0, 1.0)


def test_case_may_be_ignored() -> None:
    spec = SPEC.model_copy(update={"ignore_case": True})
    drop = judge(spec, "https://fine.org/CASINO-night")
    assert drop is not None
    assert drop.rule == "url.blocked_words"


@pytest.mark.parametrize("pack", [False, True])
def test_lists_from_files(tmp_path: Path, pack: bool) -> None:
    lines = ["# hosts", "", *HOSTS, *URLS]
    content = ("\ufeff" + "\r\n".join(lines)).encode()
    (tmp_path / "list").write_bytes(gzip.compress(content) if pack else content)
    (tmp_path / "hard.txt").write_text("casino\n")
    (tmp_path / "soft.txt").write_text("live\ngirl\n")
    (tmp_path / "parts.txt").write_text("hotdeal\n")
    spec = Url(
        list_files=[str(tmp_path / "list")],
        blocked_word_files=[str(tmp_path / "hard.txt")],
        soft_word_files=[str(tmp_path / "soft.txt")],
        blocked_substring_files=[str(tmp_path / "parts.txt")],
    )
    expected = {
        "https://bad.org/x": "blocked_domains",
        "https://fine.org/secret": "list_files",
        "https://fine.org/secrets": None,
        "http://fine.org/~mallory": "list_files",  # the list names no scheme
        "https://fine.org/casino": "blocked_words",
        "https://fine.org/live-girl": "max_soft_words",
        "https://fine.org/hot/deal": "blocked_substrings",
        "https://fine.org/# hosts": None,
    }
    for url, rule in expected.items():
        drop = judge(spec, url)
        assert (drop.rule if drop else None) == (f"url.{rule}" if rule else None), url


@pytest.mark.parametrize("field", ["list_files", "blocked_word_files", "soft_word_files", "blocked_substring_files"])
def test_missing_or_broken_file_names_field_and_file(tmp_path: Path, field: str) -> None:
    with pytest.raises(ValueError, match=rf"url\.{field}: there is no file .*gone\.txt on this worker"):
        build_filter(Url.model_validate({field: [str(tmp_path / "gone.txt")]}))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"bad.org\n" * 1000)[:-10])
    with pytest.raises(ValueError, match=rf"url\.{field}: .*cut\.gz cannot be read"):
        build_filter(Url.model_validate({field: [str(tmp_path / "cut.gz")]}))


LABELS = st.sampled_from(["bad", "evil", "sub", "partly", "www", "a", "good"])
TAILS = st.lists(
    st.sampled_from(["live", "girl", "cam", "casino", "hot", "deal", "page", "7", "Live", "xxx"]), max_size=5
)


@given(
    labels=st.lists(LABELS, min_size=1, max_size=4),
    suffix=st.sampled_from(["org", "net", "co.uk", "com"]),
    parts=TAILS,
    sign=st.sampled_from("/-_.?=&%~"),
)
@settings(max_examples=300, deadline=None)
def test_verdicts_by_datatroves_formulas(labels: list[str], suffix: str, parts: list[str], sign: str) -> None:
    host = ".".join([*labels, suffix])
    url = f"https://{host}/{sign.join(parts)}"
    words = set(re.split(r"[^a-zA-Z0-9]+", url))
    if f"{labels[-1]}.{suffix}" in HOSTS or host in HOSTS:
        expected = "blocked_domains"
    elif words & {"casino", "xxx"}:
        expected = "blocked_words"
    elif len(words & {"live", "girl", "cam"}) >= 2:
        expected = "max_soft_words"
    elif "hotdeal" in re.sub(r"[^a-zA-Z0-9]+", "", url).lower():
        expected = "blocked_substrings"
    else:
        expected = ""
    drop = judge(SPEC, url)
    assert (drop.rule if drop else "") == (f"url.{expected}" if expected else "")


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_string_is_judged(url: str) -> None:
    assert isinstance(judge(SPEC, url), Drop | None)
    assert isinstance(judge(SPEC, f"https://{url}"), Drop | None)


def test_a_long_list_is_hashed_once_and_its_hashes_are_shared(tmp_path: Path) -> None:
    listed = tmp_path / "hosts.txt"
    listed.write_text("".join(f"h{i}.example\n" for i in range(120_000)) + "x.example/page\n", encoding="utf-8")
    first = build(Url(list_files=[str(listed)]))
    kept = sorted(tmp_path.glob(".hosts.txt.*.npy"))
    assert len(kept) == 2
    before = [path.stat().st_mtime_ns for path in kept]
    again = build(Url(list_files=[str(listed)]))
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.glob(".hosts.txt.*.npy"))] == before
    for filter_ in (first, again):
        assert filter_.judge_url(with_url("https://h77.example/a")) is not None
        assert filter_.judge_url(with_url("https://x.example/page")) is not None
        assert filter_.judge_url(with_url("https://x.example/other")) is None
    listed.write_text("other.example\n", encoding="utf-8")  # a changed list is read anew
    assert build(Url(list_files=[str(listed)])).judge_url(with_url("https://h77.example/a")) is None


def test_damaged_hashes_of_a_list_are_made_anew(tmp_path: Path) -> None:
    listed = tmp_path / "hosts.txt"
    listed.write_text("".join(f"h{i}.example\n" for i in range(120_000)), encoding="utf-8")
    build(Url(list_files=[str(listed)]))
    for path in tmp_path.glob(".hosts.txt.*.npy"):
        path.write_bytes(b"cut off")
    assert build(Url(list_files=[str(listed)])).judge_url(with_url("https://h77.example/a")) is not None
    for path in tmp_path.glob(".hosts.txt.*.npy"):
        assert path.read_bytes().startswith(b"\x93NUMPY")


def with_url(url: str) -> Document:
    return Document(id="0", source="test", text="", media_type="text/html", url=url)
