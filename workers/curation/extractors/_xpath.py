"""XPath expressions that remember which attributes they are after.

trafilatura looks for boilerplate with expressions such as `.//*[self::div or self::p][re:test(@class, 'share|nav')]`, a
score of them a page; libxml2 then calls back into Python for each element and each regular expression, which is two
thirds of trafilatura's time. Pages of one site say the same few classes and ids over and over. So what such an
expression says of an element's attributes is worked out once by the expression itself, on an element that has these
attributes alone, and remembered; only elements that may match are then asked one by one. What comes out is the same, in
the same order.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from lxml.etree import Element, XPath

_NAMESPACES = {"re": "http://exslt.org/regular-expressions"}
_ATTRIBUTE = re.compile(r"@([\w-]+)")
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_TAG_TEST = re.compile(r"\*\[((?:\s*(?:or\s+)?self::[\w-]+)+)\s*]")
_CASE = re.compile(r",\s*'([A-Z]+)'\s*,\s*'([a-z]+)'\s*(?=\))")
"""What `translate` puts into lower case."""
_FLAG = re.compile(r",\s*'i'\s*(?=\))")
_COMPARISON = re.compile(r"(?:re:test|contains|starts-with)\((?:[^()]|\([^()]*\))*\)|@[\w-]+\s*=")
_LOOK_AHEAD = re.compile(r"\(\?![^)]*\)")
_TAG = re.compile(r"self::([\w-]+)")
_STEP = re.compile(r"\.//([\w-]+|\*)(\[.*])?", re.DOTALL)
_ONE_DIGIT = str.maketrans("123456789", "000000000")
_MAX_SIGNS = 50_000
_MAX_SIGN_CHARS = 400
"""A longer one is worked out each time it comes, so that memory is bounded: 50,000 of some hundred characters."""

Sign = tuple[tuple[str, str], ...]
"""The attributes of an element that any expression looks at, in their order."""


class UnknownFormError(ValueError):
    """An expression that is none of descendants and tests of themselves."""


class Signs:
    """What the expressions say of attributes; all of them together, so that one look at a page serves them all."""

    def __init__(self) -> None:
        self.page = -1
        """Expressions, a bit each, that some element of the page at hand may match."""
        self._names: set[str] = set()
        self._tests: list[XPath] = []
        self._words: set[str] = set()
        """What attributes are compared with."""
        self._bare: set[str] = set()
        """Attributes that need only be there."""
        self._known: dict[Sign, int] = {}
        self._hints: dict[str, bool] = {}

    def add(self, path: str, test: XPath) -> int:
        """The bit of an expression; `test`: does it match an element, whatever its tag?"""
        masked = _STRING.sub("''", path)
        self._names |= set(_ATTRIBUTE.findall(masked))
        self._bare |= set(_ATTRIBUTE.findall(_COMPARISON.sub("", masked)))
        self._words |= set(_STRING.findall(_FLAG.sub("", _CASE.sub("", path))))
        self._tests.append(test)
        self._known.clear()
        return 1 << (len(self._tests) - 1)

    @cached_property
    def _hint(self) -> re.Pattern[str]:
        """Found in the lower-cased attributes of all elements that match anything."""
        return re.compile("|".join(sorted({_LOOK_AHEAD.sub("", word[1:-1]).lower() for word in self._words})))

    def look(self, tree: Any) -> None:
        """Look at a page: until the next one the expressions are asked of this tree and of what is made from it."""
        self.page = 0
        for element in tree.iter():
            if items := element.items():
                self.page |= self.bits(items)

    def bits(self, items: Sequence[tuple[str, str]]) -> int:
        """Expressions that an element with these attributes may match."""
        names = self._names
        sign = tuple([item for item in items if item[0] in names])
        found = self._known.get(sign)
        return self._learn(sign) if found is None else found

    def _learn(self, sign: Sign) -> int:
        bits = 0
        if any(name in self._bare or self._is_hint(value) for name, value in sign):
            element = Element("any")
            for name, value in sign:
                element.set(name, value)
            bits = sum(1 << number for number, test in enumerate(self._tests) if test(element))
        if sum(len(value) for _, value in sign) <= _MAX_SIGN_CHARS:
            if len(self._known) >= _MAX_SIGNS:
                self._known.clear()
            self._known[sign] = bits
        return bits

    def _is_hint(self, value: str) -> bool:
        """May an attribute of this value matter? No expression asks for digits, so numbered ones are all the same."""
        value = value.lower().translate(_ONE_DIGIT)
        found = self._hints.get(value)
        if found is None:
            found = self._hint.search(value) is not None
            if len(value) <= _MAX_SIGN_CHARS:
                if len(self._hints) >= _MAX_SIGNS:
                    self._hints.clear()
                self._hints[value] = found
        return found


class RememberedXPath:
    """Stands in for an `lxml.etree.XPath` that finds descendants by their tags and attributes."""

    def __init__(self, path: str, signs: Signs) -> None:
        """Raises UnknownFormError for a path of another kind."""
        self.path, self._signs = path, signs
        terms = _split(path.strip())
        is_union_of_firsts = len(terms) > 1 and any(term.startswith("(") for term in terms)
        self._terms = [_Term(term, signs) for term in (terms if is_union_of_firsts else [" | ".join(terms)])]

    def __call__(self, tree: Any) -> list[Any]:
        """The elements below this one that match, in their order."""
        found = self._terms[0].find(tree)
        for term in self._terms[1:]:
            found = found + term.find(tree)
        if len(self._terms) > 1 and len(found) > 1:
            among = set(found)
            return [element for element in tree.iterdescendants() if element in among]
        return found

    def __str__(self) -> str:
        return self.path


class _Term:
    """A path of one step, or a union of such; or the first element of one."""

    def __init__(self, path: str, signs: Signs) -> None:
        self._signs = signs
        self._is_first = path.startswith("(") and path.endswith(")[1]")
        path = path[1:-4].strip() if self._is_first else path
        self._is_first_child = path.endswith("][1]")
        path = path[:-3] if self._is_first_child else path
        parts = _split(path)
        if not all(_STEP.fullmatch(part) for part in parts) or (self._is_first_child and len(parts) > 1):
            raise UnknownFormError(path)
        asking = [part for part in parts if "[" in part]
        self._plain = [part[3:] for part in parts if part not in asking]
        """Tags that match whatever the attributes."""
        self._tags = [*self._plain, *_tags(asking)]
        if "*" in self._tags:
            self._tags = ["*"]
        self._test = _compile(f"self::{part[3:]}" for part in parts)
        self._bit = signs.add(path, _compile(map(_without_tag, asking))) if asking else 0

    def find(self, tree: Any) -> list[Any]:
        if self._signs.page & self._bit:
            found = list(self._matches(tree))
        else:
            found = list(tree.iterdescendants(*self._plain)) if self._plain else []
        if self._is_first:
            return found[:1]
        if not self._is_first_child:
            return found
        firsts = {element.getparent(): element for element in reversed(found)}
        return [element for element in found if firsts[element.getparent()] is element]

    def _matches(self, tree: Any) -> Iterator[Any]:
        bit, bits, test, plain = self._bit, self._signs.bits, self._test, self._plain
        for element in tree.iterdescendants(*self._tags):
            if element.tag in plain or ((items := element.items()) and bits(items) & bit and test(element)):
                yield element


def _split(path: str) -> list[str]:
    """The parts of a union."""
    parts, start, depth = [], 0, 0
    masked = _STRING.sub(lambda match: "'" * len(match[0]), path)
    for at, sign in enumerate(masked):
        depth += (sign in "[(") - (sign in "])")
        if sign == "|" and not depth:
            parts.append(path[start:at].strip())
            start = at + 1
    return [*parts, path[start:].strip()]


def _tags(parts: list[str]) -> list[str]:
    """Tags that elements need to match one of the parts; `*` when one of them takes all."""
    tags: list[str] = []
    for part in parts:
        test = _TAG_TEST.match(part[3:])
        tags += _TAG.findall(test[1]) if test else [part[3:].split("[", 1)[0].strip()]
    return tags


def _without_tag(part: str) -> str:
    """A part for an element of any tag."""
    test = _TAG_TEST.match(part[3:])
    return f"self::*{part[3 + test.end() :] if test else part[part.index('[') :]}"


def _compile(parts: Iterable[str]) -> XPath:
    """Does an element itself match one of these?"""
    return XPath(f"boolean({' | '.join(parts)})", namespaces=_NAMESPACES)
