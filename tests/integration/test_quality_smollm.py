"""The packaged teacher: SmolLM2-135M-Instruct as GGUF out of PyPI's wheel (93 MB), loaded and asked."""

import pytest
import torch

from workers.curation.quality.teacher_model import TeacherModel
from workers.model.pretrained import PACKAGED, find_model
from workers.specs.curation.quality import TeacherLabels

pytestmark = pytest.mark.timeout(600)

PROSE = (
    "Photosynthesis is the process by which green plants turn sunlight into food. The leaves take in carbon dioxide "
    "from the air, and the roots bring up water from the soil. Inside the leaf, a green pigment called chlorophyll "
    "catches the light. Oxygen is left over, and the plant gives it back to the air."
)
MENU = "Home\nAbout us\nContact\nLogin\nCart (0)\nPrivacy policy\nSitemap\nNext\nPrevious\nShare\nPrint\nBack to top"


def test_the_packaged_teacher_finds_prose_more_likely_than_a_menu_and_answers_questions(smollm2_package, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.syspath_prepend(smollm2_package)
    assert find_model(PACKAGED).suffix == ".gguf"
    teacher = TeacherModel(TeacherLabels(dataset="/unused", method="perplexity", max_tokens=96))
    (prose,), (menu,) = teacher.judge(PROSE), teacher.judge(MENU)
    # Measured in fp32: -0.85 and about -1.6. Uniform guesses over 49,152 tokens of four bytes would cost -3.9.
    assert -1.2 < prose < -0.5
    assert menu < prose - 0.3
    teacher.spec = TeacherLabels(dataset="/unused", max_tokens=96)
    odds = teacher.judge(PROSE)
    assert len(odds) == 5
    assert all(-10 < one < 10 for one in odds)
