"""Pages dropped by their address: the URL filter of FineWeb (datatrove 0.10.1 `URLFilter`).

Hosts are those of the public-suffix list; words are runs of ASCII letters and digits; substrings are looked for in the
address without anything else. Long lists are kept as hashes (`_hashes`).
"""

import re
from urllib.parse import urlsplit

from tld import get_tld

from workers.curation.document import Document, Drop
from workers.curation.filters._hashes import HashSet, hash_entries, hash_list
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
        given = hash_entries(spec.blocked_domains)
        lists = [hash_list("url.list_files", name) for name in spec.list_files]
        self.hosts = HashSet(hosts for hosts, _ in (given, *lists))
        self.urls = HashSet(urls for _, urls in (given, *lists))
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


def _normalized(words: list[str], field: str, files: list[str]) -> frozenset[str]:
    """Words in small ASCII letters and digits, as datatrove takes them; those that have none are left out."""
    entries = (*words, *(entry for name in files for entry in read_list(field, name)))
    return frozenset(filter(None, (_NOT_A_WORD.sub("", entry).lower() for entry in entries)))


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
