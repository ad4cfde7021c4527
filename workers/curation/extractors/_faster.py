"""trafilatura's own text of a page at a fraction of its time: some of its parts are replaced in this process.

Each replacement gives what the part gives that it stands in for; `tests/unit/curation/test_faster_trafilatura.py` holds
them against each other. They were written for one version of trafilatura: any other one is left as it is.

- Expressions remember what they said of attributes (`_xpath`); on most pages most of them then need no look at all.
- Copies of the tree are made when they are needed, which they seldom are.
- readability is asked only where its text can be long enough to be chosen.
- jusText's paragraphs come from one walk (`_justext`), and its stop words are hashed once.
- Elements get their class in C.
"""

import logging
import sys
from collections.abc import Callable
from copy import copy
from functools import cache
from typing import Any

import trafilatura
from lxml.etree import ElementDefaultClassLookup, SubElement, XPath, XPathError, strip_elements, strip_tags, tostring
from lxml.html import HtmlComment, HtmlElement, HtmlEntity, HtmlProcessingInstruction
from trafilatura import core, external, htmlprocessing, main_extractor, readability_lxml, utils, xpaths
from trafilatura.settings import Extractor as Options

from workers.curation.extractors._justext import ParagraphMaker
from workers.curation.extractors._xpath import RememberedXPath, Signs, UnknownFormError

VERSION = "2.3.1"
"""The trafilatura that these parts were held against."""

_LENGTH = XPath("string-length(normalize-space())")
"""Characters of a tree's text; never fewer than trafilatura counts, as it takes more signs for blanks."""
_HAS_TEXT = XPath("boolean(.//p//text())")
_RAW_TEXT_TAGS = ("iframe", "noembed", "noframes", "plaintext", "xmp")
"""What stands in them may grow when readability's result is parsed again."""
_MIN_TEXT_LENGTH = 25
_CLASSES = ElementDefaultClassLookup(
    element=HtmlElement, comment=HtmlComment, pi=HtmlProcessingInstruction, entity=HtmlEntity
)
"""lxml.html's own lookup is Python that runs for each element; its special classes, those of forms, are not used."""
_signs = Signs()
_load_html: Callable[..., Any] = utils.load_html
_prepare_tree: Callable[..., Any] = core._prepare_tree
_extract_content: Callable[..., Any] = main_extractor.extract_content
_log = logging.getLogger(__name__)


@cache
def speed_up() -> bool:
    """Replace the parts, once a process. False when trafilatura is another than the one that they were made for."""
    if trafilatura.__version__ != VERSION:
        _log.warning("trafilatura is %s, not %s: it runs as it is, at half the speed", trafilatura.__version__, VERSION)
        return False
    for paths in vars(xpaths).values():
        if isinstance(paths, list):
            paths[:] = [_remember(path) for path in paths]
    baseline: Any = sys.modules["trafilatura.baseline"]  # the package has a function of this name
    baseline.BASIC_CLEAN_XPATH = _remember(baseline.BASIC_CLEAN_XPATH)
    core.load_html = load_html
    core._prepare_tree, core._extract_and_compare = prepare_tree, extract_and_compare
    main_extractor.delete_by_link_density = delete_by_link_density
    utils.HTML_PARSER.set_element_class_lookup(_CLASSES)
    readability_lxml.fragment_fromstring = new_element
    external.ParagraphMaker = ParagraphMaker
    external.JT_STOPLIST = frozenset(external.jt_stoplist_init())  # unlike a tuple it keeps its hash
    return True


def _remember(path: XPath) -> Any:
    try:
        return RememberedXPath(path.path, _signs)
    except UnknownFormError:
        return path


def load_html(page: Any, max_size: int | None = None) -> Any:
    """`trafilatura.utils.load_html`, and a look at the tree's attributes."""
    tree = _load_html(page, max_size)
    if tree is not None:
        _signs.look(tree)
    return tree


def new_element(html: str) -> Any:
    """`lxml.html.fragment_fromstring` of `<p/>` or `<div/>`: an element in a body, from which it can be dropped."""
    return SubElement(utils.HTML_PARSER.makeelement("body"), html[1:-2])


def prepare_tree(tree: Any, options: Options, url: str | None) -> tuple[Any, Any]:
    """`trafilatura.core._prepare_tree`, whose second copy of the cleaned tree is made when somebody wants it."""
    if options.comments:  # then it is wanted at once
        return _prepare_tree(tree, options, url)

    def clean() -> Any:
        return htmlprocessing.tree_cleaning(copy(tree), options)

    return htmlprocessing.convert_tags(clean(), options, url), clean


def extract_and_compare(cleaned: Any, backup: Any, tree: Any, options: Options) -> tuple[Any, str]:
    """`trafilatura.core._extract_and_compare`, with a backup from `prepare_tree`."""
    body, text = extract_content(cleaned, options)
    if options.fast or (options.focus == "recall" and len(text) > options.min_extracted_size * 10):
        return body, text
    readable, readable_text = try_readability(tree, body, len(text), options)
    if readable is not None:
        body, text = readable, readable_text
    is_unclean = bool(body.xpath(external.SANITIZED_XPATH))
    if is_unclean or len(text) < options.min_extracted_size:
        just, just_text = external.justext_rescue(backup() if callable(backup) else backup, options)
        if just_text and _prefers_justext(is_unclean, body, len(text), len(just_text), options):
            return just, just_text
    return external.sanitize_tree(body, options) if readable is not None else (body, text)


def _prefers_justext(is_unclean: bool, body: Any, length: int, just_length: int, options: Options) -> bool:
    if not is_unclean:
        return length < just_length
    if length > external.JUSTEXT_OVERRIDE_RATIO * just_length:
        return False
    return just_length > length or not options.images or body.find(".//graphic") is None


def try_readability(tree: Any, body: Any, length: int, options: Options) -> tuple[Any, str]:
    """What readability finds and its text where that is to be taken instead of `body` with its text; else None, "".

    Step by step what it can find at most becomes less, until it cannot be chosen any more.
    """
    if not _can_be_chosen(tree, body, length, options):
        return None, ""
    raw = copy(tree)
    if options.focus == "precision":
        raw = htmlprocessing.prune_unwanted_nodes(raw, xpaths.OVERALL_DISCARD_XPATH)
    for element in list(raw.iter("script", "style", "fencedframe")):
        element.drop_tree()
    if not _can_be_chosen(raw, body, length, options):
        return None, ""
    readability_lxml.Document(raw, min_text_length=_MIN_TEXT_LENGTH).remove_unlikely_candidates()
    if not _can_be_chosen(raw, body, length, options):
        return None, ""
    found = external.try_readability(raw)
    text = utils.trim(tostring(found, method="text", encoding="utf-8").decode("utf-8"))
    chosen = external._prefer_readability(body, found, text, length, len(text), options)
    return (found, text) if chosen else (None, "")


def _can_be_chosen(tree: Any, body: Any, length: int, options: Options) -> bool:
    """Can readability find enough in this tree to be preferred to a text of this length?"""
    if not length or options.focus == "recall" or next(tree.iter(*_RAW_TEXT_TAGS), None) is not None:
        return True
    try:
        most = _LENGTH(tree)
    except XPathError:  # a text too long for it
        return True
    if most > 2 * length:
        return True
    is_poor = not _HAS_TEXT(body) or len(body.findall(".//table")) > len(body.findall(".//p"))
    return is_poor and most > 2 * options.min_extracted_size


def extract_content(tree: Any, options: Options) -> tuple[Any, str]:
    """`trafilatura.main_extractor.extract_content`, with no copy of a tree that has no frame: it stays as it is."""
    if any(path(tree) for path in xpaths.BODY_XPATH):
        return _extract_content(tree, options)
    body, text, tags = main_extractor._extract(tree, options)
    body = main_extractor.recover_wild_text(tree, body, options, tags, set())
    text = " ".join(body.itertext()).strip()
    _drop_repeats(body)
    strip_elements(body, "done")
    strip_tags(body, "div")
    for line_break in body.iter("lb"):
        tail = line_break.tail
        if tail and tail.isspace() and not _keeps_spaces(line_break):
            line_break.tail = None
    return body, text


def _drop_repeats(body: Any) -> None:
    """Drop long elements that say what the one before says."""
    before = ""
    for element in list(body):
        text = main_extractor._elem_text(element)
        if text and text == before and len(text) > main_extractor.MIN_DUPLICATE_LENGTH:
            main_extractor.delete_element(element, keep_tail=False)
        else:
            before = text


def _keeps_spaces(element: Any) -> bool:
    return any(ancestor.tag in utils.SPACING_PROTECTED for ancestor in element.iterancestors())


def delete_by_link_density(tree: Any, tag: str, backtracking: bool = False, favor_precision: bool = False) -> Any:
    """`trafilatura.htmlprocessing.delete_by_link_density`, only on what holds a link: the rest is never deleted."""
    around: set[Any] = set()
    for link in tree.iter("ref"):
        for ancestor in link.iterancestors():
            if ancestor in around:
                break
            around.add(ancestor)
    if not around:
        return tree
    max_chars, min_children = (200, 1) if favor_precision else (100, 3)
    condemned = []
    for element in tree.iter(tag):
        if element not in around:
            continue
        is_bad, is_short = htmlprocessing.link_density_test(element, favor_precision)
        if not is_bad and backtracking and is_short and len(element) >= min_children:
            is_bad = len(utils.trim(element.text_content())) < max_chars
        if is_bad and not (tag == "p" and _is_content_of_item(element)):
            condemned.append(element)
    for element in condemned:
        htmlprocessing.delete_element(element)
    return tree


def _is_content_of_item(element: Any) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag in ("item", "td", "th")
