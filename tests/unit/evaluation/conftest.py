"""A tiny model with random weights, a real byte-level BPE tokenizer, held-out text in two languages."""

import json
from pathlib import Path
from pydoc_data.topics import topics

import pytest
import torch

from workers.data.tokenizer import train_tokenizer
from workers.model.checkpoint import save_model
from workers.model.transformer import Transformer
from workers.reporter import MemoryReporter
from workers.specs.training.model import Model

SPEC = Model(d_model=32, num_layers=4, num_heads=4, num_kv_heads=2, d_ffn=64)
FRENCH = (
    "L'eau du moulin arrive par un canal que l'on nomme bief. Quand la vanne est levée, la roue tourne et entraîne la "
    "meule ; quand elle est baissée, tout s'arrête. Le meunier règle le débit selon le grain, la saison et l'heure. "
)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    english = [text.strip() for _, text in sorted(topics.items())][:12]
    french = [FRENCH * 3, FRENCH.replace("moulin", "village") * 4]
    tokenizer = train_tokenizer(iter([*english, *french]), 512)
    tokenizer.save(folder / "tokenizer.json")
    rows = [{"id": f"en-{i}", "language": "en", "text": text} for i, text in enumerate(english)]
    rows += [{"id": f"fr-{i}", "language": "fr", "text": text} for i, text in enumerate(french)]
    (folder / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    save_model(folder, Transformer(SPEC, 512), SPEC, 512)
    (folder / "trainer.json").write_text(json.dumps({"identity": {"batch.sequence_tokens": 64}}))
    return folder


@pytest.fixture
def reporter() -> MemoryReporter:
    return MemoryReporter()
