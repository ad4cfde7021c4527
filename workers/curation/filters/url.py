"""Pages dropped by their address: the URL filter of FineWeb (datatrove 0.10.1 `URLFilter`).

Hosts are those of the public-suffix list; words are runs of ASCII letters and digits; substrings are looked for in the
address without anything else. A long list is kept as sorted 64-bit hashes: eight bytes an entry, and a wrong hit once
in 10^12 addresses at five million entries.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import xxhash
from tld import get_tld

from workers.curation.document import Document, Drop
from workers.curation.filters._lists import read_list
from workers.curation.filters._shared import Verdict
from workers.curation.text import Text
from workers.specs.curation.filters import Url

_NOT_A_WORD = re.compile(r"[^a-zA-Z0-9]+")
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")


class UrlFilter:
    """Documents without an address pass. Nothing but the address is looked at, so it can judge before extraction."""

    def __init__(self, spec: Url) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)
        entries = [entry for name in spec.list_files for entry in read_list("url.list_files", name)]
        self.hosts = _Hashes(_host_entry(entry) for entry in (*spec.blocked_domains, *entries) if not _is_url(entry))
        self.urls = _Hashes(entry.rstrip() for entry in (*spec.blocked_domains, *entries) if _is_url(entry))
        self.words = _normalized(spec.blocked_words, "url.blocked_word_files", spec.blocked_word_files)
        self.soft_words = _normalized(spec.soft_words, "url.soft_word_files", spec.soft_word_files)
        substrings = _normalized(spec.blocked_substrings, "url.blocked_substring_files", spec.blocked_substring_files)
        self.substrings = re.compile("|".join(sorted(substrings))) if substrings else None

    def judge(self, document: Document, text: Text) -> Verdict:
        return self.judge_url(document) or text

    def judge_url(self, document: Document) -> Drop | None:
        """The drop, or None; in datatrove's order: host, address, words, soft words, substrings."""
        url = document.url
        if not url:
            return None
        return self._judge_address(url) or self._judge_words(document, url)

    def _judge_address(self, url: str) -> Drop | None:
        if self.hosts and self._is_listed(url):
            return Drop("url.blocked_domains", 1.0, 0.0)
        if self.urls and (url in self.urls or _SCHEME.sub("", url) in self.urls):
            return Drop("url.list_files", 1.0, 0.0)
        return None

    def _judge_words(self, document: Document, url: str) -> Drop | None:
        words = set(_NOT_A_WORD.split(url.lower() if self.spec.ignore_case else url))
        if hard := len(self.words & words):
            return Drop("url.blocked_words", float(hard), 0.0)
        if self.soft_words:
            soft = len(self.soft_words & words)
            document.figures["url.max_soft_words"] = float(soft)
            if soft > self.spec.max_soft_words:
                return Drop("url.max_soft_words", float(soft), float(self.spec.max_soft_words))
        if self.substrings and self.substrings.search(_NOT_A_WORD.sub("", url).lower()):
            return Drop("url.blocked_substrings", 1.0, 0.0)
        return None

    def _is_listed(self, url: str) -> bool:
        host = _host(url)
        if host in self.hosts:
            return True
        parents = [host[dot + 1 :] for dot, sign in enumerate(host) if sign == "."]
        listed = [parent for parent in parents if parent in self.hosts]
        return bool(listed) and _registered_domain(host) in listed


class _Hashes:
    """A set of strings as sorted 64-bit hashes."""

    def __init__(self, entries: Iterable[str]) -> None:
        hashes = np.fromiter(map(_hash, entries), dtype=np.uint64)
        self.hashes: npt.NDArray[np.uint64] = np.unique(hashes)

    def __bool__(self) -> bool:
        return bool(len(self.hashes))

    def __contains__(self, entry: str) -> bool:
        wanted = np.uint64(_hash(entry))
        at = int(self.hashes.searchsorted(wanted))
        return at < len(self.hashes) and bool(self.hashes[at] == wanted)


def _hash(entry: str) -> int:
    return int(xxhash.xxh3_64_intdigest(entry.encode("utf-8", "surrogatepass")))


def _normalized(words: list[str], field: str, files: list[str]) -> frozenset[str]:
    """Words in small ASCII letters and digits, as datatrove takes them; those that have none are left out."""
    entries = (*words, *(entry for name in files for entry in read_list(field, name)))
    return frozenset(filter(None, (_NOT_A_WORD.sub("", entry).lower() for entry in entries)))


def _is_url(entry: str) -> bool:
    return "/" in entry


def _host_entry(entry: str) -> str:
    return entry.strip().strip(".").lower()


def _host(url: str) -> str:
    """The host in small letters; empty where the address cannot be parsed."""
    try:
        return (urlsplit(url).hostname or "").strip(".")
    except ValueError:
        return ""


def _registered_domain(host: str) -> str:
    """`a.example.co.uk` -> `example.co.uk`. Below a suffix that is not public, the last two labels."""
    found = get_tld(f"https://{host}", as_object=True, fail_silently=True, search_private=False)
    return found.fld if found else ".".join(host.split(".")[-2:])


def build(spec: Url) -> UrlFilter:
    """The filter of this spec. Raises ListFileError when a list file is missing."""
    return UrlFilter(spec)
