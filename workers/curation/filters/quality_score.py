"""Scores of a trained scorer: kept with the document as a column and a bucket; below a threshold it is dropped.

FineWeb-Edu, arXiv 2406.17557, section 4; buckets: Nemotron-CC, arXiv 2412.02595.
"""

from bisect import bisect_right
from functools import cache
from pathlib import Path

from workers.curation.document import Document, Drop
from workers.curation.filters._shared import Verdict
from workers.curation.quality.scorer import Scorer, load_scorer
from workers.curation.text import Text
from workers.specs.curation.quality import QualityScore

FIGURE = "quality_score.min_score"


class QualityScoreFilter:
    """Every document gets `quality_score` (two decimals) and `quality_bucket`, also one that is dropped."""

    def __init__(self, spec: QualityScore) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)
        self.scorer = _scorer(_folder(spec.scorer))

    def judge(self, document: Document, text: Text) -> Verdict:
        # What is shown decides: 2.996 counts as 3.00.
        score = round(self.scorer.score(text.text), 2)
        document.metadata["quality_score"] = score
        document.metadata["quality_bucket"] = bisect_right(self.spec.buckets, score)
        document.figures[FIGURE] = score
        if self.spec.min_score is not None and score < self.spec.min_score:
            return Drop(FIGURE, score, self.spec.min_score)
        return text


@cache
def _scorer(folder: Path) -> Scorer:
    return load_scorer(folder)


def _folder(scorer: str) -> Path:
    """Raises ValueError for anything but a folder."""
    folder = Path(scorer)
    if not folder.is_dir():
        hint = (
            "its digest is resolved by the service's run; without the service give the folder"
            if scorer.startswith("sha256:")
            else "`python -m workers.curation.quality SPEC.yaml --out DIR` makes one"
        )
        raise ValueError(f"quality_score: scorer {scorer!r} is no folder on this worker: {hint}")
    return folder


def build(spec: QualityScore) -> QualityScoreFilter:
    """The filter of this spec. Raises ValueError when its scorer is no folder, or none that can be used."""
    return QualityScoreFilter(spec)
