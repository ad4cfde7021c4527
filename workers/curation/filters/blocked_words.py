"""Pages full of words that a list names (toxicity lists such as LDNOOBW): words and phrases, at word boundaries.

Both the list and the page are split by the page's own word rule, so a phrase is found across line ends too.
"""

from collections import defaultdict

from workers.curation.document import Document, Drop
from workers.curation.filters._lists import read_list
from workers.curation.filters._shared import Verdict
from workers.curation.text import Span, Text
from workers.specs.curation.filters import BlockedWords

Phrase = tuple[str, ...]


class BlockedWordsFilter:
    """Counts listed words in a document; overlapping phrases count once, the longest first."""

    def __init__(self, spec: BlockedWords) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)
        self.entries = {
            language: list(read_list(f"blocked_words.list_files.{language}", name))
            for language, name in spec.list_files.items()
        }
        self.phrases: dict[str, dict[str, list[Phrase]]] = {}

    def judge(self, document: Document, text: Text) -> Verdict:
        phrases = self._phrases(document.language)
        if not phrases:
            return text
        words = [word.lower() for word in text.words]
        matches = _find(words, phrases)
        num_words = sum(any(map(str.isalnum, word)) for word in words)
        share = sum(length for _, length in matches) / max(1, num_words)
        document.figures["blocked_words.max_share"] = share
        document.figures["blocked_words.max_count"] = float(len(matches))
        if share > self.spec.max_share:
            return Drop("blocked_words.max_share", share, self.spec.max_share, _span(text, matches[0]))
        if self.spec.max_count is not None and len(matches) > self.spec.max_count:
            # the match that went over the bound
            span = _span(text, matches[self.spec.max_count])
            return Drop("blocked_words.max_count", float(len(matches)), float(self.spec.max_count), span)
        return text

    def _phrases(self, language: str) -> dict[str, list[Phrase]]:
        """First word -> phrases, the longest first. Split once a language."""
        if language not in self.phrases:
            found: dict[str, set[Phrase]] = defaultdict(set)
            for entry in (*self.spec.words, *self.entries.get(language, [])):
                phrase = tuple(word.lower() for word in Text(entry.strip(), language).words)
                if phrase:
                    found[phrase[0]].add(phrase)
            self.phrases[language] = {
                first: sorted(phrases, key=lambda phrase: (-len(phrase), phrase)) for first, phrases in found.items()
            }
        return self.phrases[language]


def _find(words: list[str], phrases: dict[str, list[Phrase]]) -> list[tuple[int, int]]:
    """First word and length of each match, left to right, none inside another."""
    matches: list[tuple[int, int]] = []
    free_from = 0
    for at, word in enumerate(words):
        if at < free_from or word not in phrases:
            continue
        for phrase in phrases[word]:
            if tuple(words[at : at + len(phrase)]) == phrase:
                matches.append((at, len(phrase)))
                free_from = at + len(phrase)
                break
    return matches


def _span(text: Text, match: tuple[int, int]) -> Span:
    first, length = match
    return text.word_spans[first][0], text.word_spans[first + length - 1][1]


def build(spec: BlockedWords) -> BlockedWordsFilter:
    """The filter of this spec. Raises ListFileError when a list file is missing."""
    return BlockedWordsFilter(spec)
