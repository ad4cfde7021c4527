"""A real Ray cluster on this machine: the same bytes as local processes, and the same blame for a crash."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from prose import write_folder

from workers.curation.engine import EngineError, build_engine
from workers.curation.engine.ray import ObjectFile, RayActors
from workers.curation.pipeline import curate
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, Dedup, LanguageIdentification
from workers.specs.curation.dedup import LineDedup
from workers.specs.curation.engines import LocalEngine, RayEngine
from workers.specs.curation.extractors import Resiliparse
from workers.specs.curation.filters import GopherQuality
from workers.specs.curation.inputs import FolderInput

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
HERE = Path(__file__).parent
_settings = [0]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100_000_000,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": f"{HERE}:{HERE.parent}", "OMP_NUM_THREADS": "1"}},
    )
    yield
    ray.shutdown()


def set_offset(value: int) -> None:
    _settings[:] = [value]


def work(batch: list[int]) -> list[int]:
    """Adds the offset; a negative item ends the process, 13 is an error."""
    for item in batch:
        if item < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 13:
            raise ValueError("thirteen")
    return [item + _settings[0] for item in batch]


def read_shared(batch: list[Any]) -> bytes:
    file: ObjectFile = batch[0]
    return file.path().read_bytes()


def refuse_to_start() -> None:
    raise RuntimeError("no plugin of that name")


def test_results_come_in_order_and_a_dead_actor_costs_one_item() -> None:
    batches = [[1, 2], [3, -1, 4], [5], [6], *[[i] for i in range(20, 30)]]
    with RayActors("auto", 2, set_offset, (100,)) as actors:
        found = list(actors.map(work, batches, lambda _: 0))
    assert found == [[101, 102], [103, 100, 104], [105], [106], *[[i + 100] for i in range(20, 30)]]


def test_errors_of_the_work_and_files_for_it_go_through(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"shared")
    with RayActors("auto", 1, set_offset, (0,)) as actors:
        assert list(actors.map(read_shared, [[actors.share(tmp_path / "lines")]], lambda item: item)) == [b"shared"]
        with pytest.raises(ValueError, match="thirteen"):
            list(actors.map(work, [[13]], lambda item: item))


def test_actors_that_cannot_begin_say_so() -> None:
    from workers.curation.engine import WorkersEndError

    with (
        pytest.raises(WorkersEndError, match=r"no plugin of that name.*installed on all nodes"),
        RayActors("auto", 1, refuse_to_start, ()) as actors,
    ):
        list(actors.map(work, [[1]], lambda item: item))


def test_the_dataset_is_byte_for_byte_that_of_local_processes(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    root = write_folder(tmp_path / "input")
    for name, engine in (("ray", RayEngine()), ("local", LocalEngine())):
        spec = CurationSpec(
            input=FolderInput(path=str(root)),
            html_extractor=Resiliparse(),
            language=LanguageIdentification(languages=["en", "de"], min_score=0.5),
            filters=[GopherQuality(languages=["en"])],
            dedup=Dedup(before_filters=True, lines=LineDedup(max_documents=1)),
            engine=engine,
            num_processes=1,
        )
        home = tmp_path / name
        curate(spec, home=home, out=home / "out", reporter=MemoryReporter())
    names = sorted(path.name for path in (tmp_path / "ray" / "out").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "local" / "out").iterdir())
    for name in names:
        assert (tmp_path / "ray" / "out" / name).read_bytes() == (tmp_path / "local" / "out" / name).read_bytes(), name


def test_a_cluster_that_does_not_answer_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    spec = CurationSpec(engine=RayEngine(address="ray://127.0.0.1:1"))
    with pytest.raises(EngineError, match=r"no Ray cluster answers at 'ray://127.0.0.1:1' .*ray start --head"):
        build_engine(spec, set_offset, (0,))
