"""The scorer on real pages: LibreOffice's English help, labelled by its authors' own folders, which no feature sees.

5  guides: explained step by step       3, 2  references: Basic, then dialogs
1  lists of toolbars and file formats   0  contents pages
"""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from workers.curation.corpora import CORPORA, Corpus
from workers.curation.corpora.fetch import fetch_corpus
from workers.curation.corpora.progress import Progress
from workers.curation.document import Document
from workers.curation.extractors.resiliparse import ResiliparseExtractor
from workers.curation.quality.labels import Label
from workers.curation.quality.scorer import load_scorer
from workers.curation.quality.train import train
from workers.curation.readers import list_files, read_file, resolve_input
from workers.reporter import MemoryReporter
from workers.specs.curation import Limits
from workers.specs.curation.extractors import Resiliparse
from workers.specs.curation.inputs import CorpusInput
from workers.specs.curation.quality import QualityTrainingSpec

HELP = Corpus("help-en", "LibreOffice's help in English, 18 MB", ("libreoffice-help-en-us",), ("en",))
PLACE = re.compile(r"/help/en-US/text/(\w+)/(?:(\w+)/)?(\w+)\.html$")

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (shutil.which("apt-get") and shutil.which("dpkg")), reason="fetching needs apt and dpkg"),
]


def author_score(url: str) -> int | None:
    """What the page's place says."""
    place = PLACE.search(url)
    if place is None:
        return None
    app, folder, name = place.groups()
    if folder is None:
        return 0 if name.startswith("main") else None
    if folder == "guide":
        return 5
    if folder in {"00", "02"}:
        return 1
    return 2 if folder == "01" else 3 if app == "sbasic" else None


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> list[Label]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, Progress() as progress:
        patch.setitem(CORPORA, HELP.name, HELP)
        fetch_corpus(HELP, home, progress)
        root = resolve_input(CorpusInput(name=HELP.name), home)
    extractor, found = ResiliparseExtractor(Resiliparse()), []
    for path in list_files(root):
        for record in read_file(Path(path), root, Limits()):
            score = author_score(getattr(record, "url", None) or "")
            document = extractor.extract(record) if score is not None else None
            if isinstance(document, Document):
                found.append(Label(document.text, float(score or 0), document.id))
    return found


def test_the_scorer_beats_the_length_baseline_on_unseen_pages(labels, tmp_path):
    counts = Counter(label.score for label in labels)
    assert len(labels) > 1000 and set(counts) == {0.0, 1.0, 2.0, 3.0, 5.0}, counts
    spec = QualityTrainingSpec.model_validate(
        {
            "labels": {"kind": "file", "path": "/unused"}, "split": {"kind": "heldout", "share": 0.3},
            "features": {"num_buckets_log2": 16}, "num_bootstrap": 500,
        }
    )  # fmt: skip
    summary = train(spec, labels, out=tmp_path / "scorer", reporter=MemoryReporter())
    assert 200 < summary["evaluated_on"] < len(labels) / 2
    baseline = summary["length_baseline"]
    assert summary["spearman"] > 0.6 > baseline["spearman"]
    assert baseline["spearman_gain_low"] > 0.2  # the interval is far from 0
    assert summary["threshold_3"]["f1_low"] > 0.7
    scorer = load_scorer(tmp_path / "scorer")
    guide = "To insert a table, choose Table and then Insert. Choose the number of rows. You can change it later. " * 5
    assert scorer.score(guide) > scorer.score("Toolbars\n\nMenus\n\nShortcut Keys\n\nImport and Export\n\nIndex")
