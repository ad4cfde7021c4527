"""What a worker process makes for the browser once all verdicts are known: samples, and members of clusters."""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from workers.curation.document import Document
from workers.curation.journal import unseal
from workers.curation.pages import Page
from workers.curation.pii import replace_pii
from workers.curation.samples import MAX_CHARS, make_sample
from workers.curation.stages import Story, replay
from workers.curation.statistics import UNKNOWN
from workers.specs.curation import Pii


@dataclass(slots=True, frozen=True)
class Wanted:
    """Pages of a chunk that are to be shown."""

    story: Story
    pages: tuple[int, ...]
    """Numbers in the chunk, for samples."""
    ordinals: tuple[int, ...]
    """Places among those that were given to dedup, for clusters."""
    num_first: int
    """How many entries of the story come before dedup."""
    pii: Pii
    is_lost: bool = False


Shown = tuple[dict[int, bytes], dict[int, dict[str, Any]]]
"""Samples as JSON by page, and members by ordinal."""


def show(batch: list[Wanted]) -> Shown:
    """Samples and members of one chunk; nothing where that ends the process."""
    wanted = batch[0]
    if wanted.is_lost:
        return {}, {}
    done = wanted.story.done
    signed = [page for page in replay(Story(done[: wanted.num_first], ())) if page.is_alive]
    pages = replay(wanted.story)
    finals = _final_documents(wanted.story, pages)
    samples = {}
    for number in wanted.pages:
        page = pages[number]
        document = finals.get(number, page.document)
        samples[number] = orjson.dumps(make_sample(document, document.text, page.drop, wanted.pii))
    return samples, {n: _member(signed[n].document, wanted.pii) for n in wanted.ordinals}


def lost(wanted: Wanted) -> Wanted:
    """What stands in for a chunk that ended its process."""
    return replace(wanted, is_lost=True)


def _final_documents(story: Story, pages: list[Page]) -> dict[int, Document]:
    """The documents that were kept, by page, as they stand in the result."""
    entry = next((entry for link, entry in story.done if link.name == "clean"), None)
    if entry is None:
        return {}
    alive = [number for number, page in enumerate(pages) if page.is_alive]
    lines = unseal(entry).splitlines()
    return {number: Document(**orjson.loads(line)) for number, line in zip(alive, lines, strict=True)}


def _member(document: Document, pii: Pii) -> dict[str, Any]:
    shown = document.text[:MAX_CHARS]
    return {
        "document_id": document.id,
        "source": document.source,
        "url": document.url,
        "language": document.language or UNKNOWN,
        "text": replace_pii(shown, pii, document.language),
        "truncated": len(shown) < len(document.text),
    }
