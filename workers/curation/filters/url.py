"""Pages dropped by their address: blocked hosts with their subdomains, and words that stand alone in it."""

import re
from urllib.parse import urlsplit

from workers.curation.document import Document, Drop
from workers.curation.filters._shared import Verdict
from workers.curation.text import Text
from workers.specs.curation.filters import Url

_NOT_A_WORD = re.compile(r"[^a-z0-9]+")


class UrlFilter:
    """Documents without an address pass."""

    def __init__(self, spec: Url) -> None:
        self.languages = frozenset(spec.languages)
        self.domains = {domain.lower().strip(".") for domain in spec.blocked_domains}
        self.words = {word.lower() for word in spec.blocked_words}

    def judge(self, document: Document, text: Text) -> Verdict:
        if not document.url:
            return text
        if self.domains.intersection(_with_parents(document.url)):
            return Drop("url.blocked_domains")
        if self.words.intersection(_NOT_A_WORD.split(document.url.lower())):
            return Drop("url.blocked_words")
        return text


def _with_parents(url: str) -> list[str]:
    """`https://a.b.org/x` -> a.b.org, b.org, org. Addresses that cannot be parsed have none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return []
    labels = host.strip(".").split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


def build(spec: Url) -> UrlFilter:
    """The filter of this spec."""
    return UrlFilter(spec)
