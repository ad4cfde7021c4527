"""The grid: what imports what, how large things are, and that every plugin has its file, its docs row and a test."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest

from workers.specs.curation.extractors import HtmlExtractor, PdfExtractor
from workers.specs.curation.filters import Filter
from workers.specs.evaluation import Task
from workers.specs.monitoring import Detector
from workers.specs.release import Format
from workers.specs.training.clipping import Clipping
from workers.specs.training.distillation import DistillationTerm
from workers.specs.training.mtp import Mtp
from workers.specs.training.optimizers import Optimizer
from workers.specs.training.schedules import Schedule

ROOT = Path(__file__).parents[2]
SOURCES = [p for top in ("app", "flows", "workers") for p in sorted((ROOT / top).rglob("*.py"))]
SLOTS: dict[str, Any] = {
    "model/mtp": Mtp,
    "curation/extractors": HtmlExtractor | PdfExtractor,
    "curation/filters": Filter,
    "training/clipping": Clipping,
    "training/losses": DistillationTerm,
    "training/optimizers": Optimizer,
    "training/schedules": Schedule,
    "monitoring/detectors": Detector,
    "evaluation/tasks": Task,
    "release": Format,
}


def kinds(union: Any) -> list[str]:
    """The `kind` of each class in a discriminated union."""
    found = []
    for member in get_args(union) if get_origin(union) in (Union, UnionType) else [union]:
        inner = get_args(member)[0] if hasattr(member, "__metadata__") else member
        if get_origin(inner) in (Union, UnionType):
            found += kinds(inner)
        else:
            found.append(inner.model_fields["kind"].default)
    return found


PLUGINS = [(slot, kind) for slot, union in SLOTS.items() for kind in kinds(union)]


def test_the_service_does_not_load_torch() -> None:
    code = "import app.main, sys; print(sorted({'torch', 'prefect', 'mlflow', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import app.cli, sys; heavy = {'torch', 'prefect', 'mlflow', 'transformers', 'sqlalchemy', 'fastapi', 'boto3'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("slot", "kind"), PLUGINS)
def test_every_plugin_has_its_file_its_docs_row_and_a_test(slot: str, kind: str) -> None:
    assert (ROOT / "workers" / slot / f"{kind}.py").is_file(), f"workers/{slot}/{kind}.py is missing"
    assert f"`{kind}`" in (ROOT / "docs/reference/specs.md").read_text(encoding="utf-8")
    camel = "".join(part.capitalize() for part in kind.split("_"))
    tests = [p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py") if p != Path(__file__)]
    assert any(kind in text or camel in text for text in tests), f"no test names {kind}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("*.py")), ids=lambda p: p.name)
def test_flows_stay_thin(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 150, "a file over 150 lines is doing a worker's job"


def test_every_module_says_what_it_is() -> None:
    silent = [p.relative_to(ROOT).as_posix() for p in SOURCES if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert silent == []


def test_no_module_is_called_after_nothing() -> None:
    vague = {"utils.py", "helpers.py", "manager.py", "common.py", "misc.py"}
    assert [p.as_posix() for p in SOURCES if p.name in vague] == []


def test_no_test_imports_a_conftest() -> None:
    # There are several: which one it is hangs on what else was collected. Make it a fixture.
    pattern = re.compile(r"^(from|import) conftest", re.MULTILINE)
    assert [p.name for p in (ROOT / "tests").rglob("*.py") if pattern.search(p.read_text(encoding="utf-8"))] == []


def test_no_two_test_files_share_a_name() -> None:
    """pytest imports them by their bare names, so a run of all tests would end at the second of a pair."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_each_operation_that_writes_is_audited_or_says_why_not() -> None:
    from app.main import create_app
    from app.services.audit import ACTIONS, SILENT
    from app.settings import Settings

    writes = {
        operation["operationId"]
        for methods in create_app(Settings()).openapi()["paths"].values()
        for method, operation in methods.items()
        if method in {"post", "put", "patch", "delete"}
    }
    # A new one: call `audit.record` where it changes something, and add a case to tests/integration/test_audit.py.
    assert writes == ACTIONS.keys() | SILENT.keys()
    assert not ACTIONS.keys() & SILENT.keys()


SHARED_TABLES = {
    "projects", "users", "login_codes", "sessions",  # who may do what
    "workers", "leases", "collected_blobs", "idempotency_keys",  # the machinery
    "metrics", "metric_rollups", "evaluation_items",  # found through their series or evaluation
    "webhooks", "deliveries",  # of administrators of all projects
}  # fmt: skip


def test_each_table_belongs_to_a_project_or_is_shared_on_purpose() -> None:
    from app.models import Base

    # A new one: `project` (see app/models/projects.py) or `run_id` hides its rows from callers of other projects.
    own = {name for name, table in Base.metadata.tables.items() if {"project", "run_id"} & set(table.c.keys())}
    assert set(Base.metadata.tables) - own == SHARED_TABLES


def test_each_id_in_a_path_is_crossed_between_projects() -> None:
    from app.main import create_app
    from app.settings import Settings

    paths = create_app(Settings()).openapi()["paths"]
    ids = {part[1:-1] for path in paths for part in path.split("/") if part.startswith("{")}
    # A new one: say in the fixture `things` how it is made.
    test = (ROOT / "tests/integration/test_projects.py").read_text(encoding="utf-8")
    assert [name for name in sorted(ids) if f'"{name}":' not in test and name != "operation_id"] == []
