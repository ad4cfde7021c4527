"""The CLI: quick help, exit codes, specs from presets and files, problems as plain text."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app import cli
from app.commands.client import Client, CommandError
from app.commands.launching import apply_settings, parse_settings, read_spec, use_folder
from app.commands.watching import rows

HEADRACE = str(Path(sys.executable).with_name("headrace"))
HEAVY = {"prefect", "mlflow", "torch", "sqlalchemy", "fastapi", "httpx", "pydantic", "psycopg", "transformers"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HEADRACE_")}
    return subprocess.run([HEADRACE, *arguments], env=clean | environment, capture_output=True, text=True, timeout=60)


def test_help_imports_nothing_heavy():
    code = "import sys; import app.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) & HEAVY == set()
    assert "Start the stack" in run("--help").stdout


def test_wrong_usage_is_2_and_failure_is_1(tmp_path):
    assert run("no-such-command").returncode == 2
    assert run("launch", HEADRACE_API_URL="http://127.0.0.1:1", HEADRACE_API_TOKEN="t").returncode == 2
    done = run("runs", HEADRACE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "headrace up" in done.stderr
    assert "Traceback" not in done.stderr
    assert run("worker", HEADRACE_HOME=str(tmp_path)).returncode == 2
    assert run("status", HEADRACE_HOME=str(tmp_path)).returncode == 1


def test_settings_change_fields_and_list_items():
    spec = {"training": {"num_steps": 1}, "tasks": [{"kind": "a"}, {"kind": "b", "n": 1}]}
    changed = apply_settings(spec, parse_settings(["training.num_steps=100", "tasks.1.n=[2, 3]", "release.name=x"]))
    assert changed["training"]["num_steps"] == 100
    assert changed["tasks"][1] == {"kind": "b", "n": [2, 3]}
    assert changed["release"] == {"name": "x"}
    assert spec["training"]["num_steps"] == 1, "the spec given stays as it was"


@pytest.mark.parametrize("pair", ["num_steps", "=5", "a..b=5", "a={unclosed", "tasks.7.n=1"])
def test_wrong_settings_are_usage_errors(pair):
    with pytest.raises(CommandError) as error:
        apply_settings({"tasks": [{}]}, parse_settings([pair]))
    assert error.value.code == 2
    assert "--set" in str(error.value)


def test_folder_replaces_the_input_whole(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    spec = {"kind": "pipeline", "curation": {"input": {"kind": "corpus", "name": "debian-docs"}}}
    changed = use_folder(spec, tmp_path)
    assert changed["curation"]["input"] == {"kind": "folder", "path": str(tmp_path)}


@pytest.mark.parametrize(
    ("kind", "folder", "words"), [("pipeline", "missing", "no such folder"), ("pipeline", "empty", "holds no file"),
                                  ("training", "full", "reads no documents")]
)  # fmt: skip
def test_wrong_folders_are_usage_errors(tmp_path, kind, folder, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("x")
    with pytest.raises(CommandError, match=words) as error:
        use_folder({"kind": kind}, tmp_path / folder)
    assert error.value.code == 2


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "\x00"])
def test_files_that_hold_no_spec(tmp_path, text):
    (tmp_path / "spec.yaml").write_text(text)
    with pytest.raises(CommandError) as error:
        read_spec(tmp_path / "spec.yaml")
    assert error.value.code == 2


class _Handler(BaseHTTPRequestHandler):
    """Answers what a test put into `replies` for a path: a list of (status, body), the last one for ever."""

    replies: dict[str, list[tuple[int, object]]] = {}
    seen: list[tuple[str, str | None]] = []

    def _answer(self) -> None:
        queue = self.replies[self.path]
        status, body = queue.pop(0) if len(queue) > 1 else queue[0]
        self.seen.append((self.command, self.headers.get("Idempotency-Key")))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server():
    _Handler.replies, _Handler.seen = {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_problem_is_shown_with_its_pointers(server):
    problem = {
        "title": "Wrong spec",
        "status": 422,
        "detail": "2 fields",
        "errors": [{"pointer": "/spec/lr", "message": "> 0"}],
    }
    _Handler.replies["/api/v1/runs"] = [(422, problem)]
    with pytest.raises(CommandError) as error:
        Client(server, "t").call("POST", "/runs", {})
    assert str(error.value) == "Wrong spec: 2 fields\n  /spec/lr: > 0"
    assert error.value.code == 2


def test_launch_is_repeated_with_one_key_when_the_service_is_away(server):
    _Handler.replies["/api/v1/runs"] = [(503, {}), (201, {"id": "1"})]
    assert Client(server, "t").call("POST", "/runs", {}, key="k") == {"id": "1"}
    assert _Handler.seen == [("POST", "k"), ("POST", "k")]


def test_write_without_key_is_never_repeated(server):
    _Handler.replies["/api/v1/runs/1/commands"] = [(503, {"title": "Away"}), (201, {})]
    with pytest.raises(CommandError, match="Away"):
        Client(server, "t").call("POST", "/runs/1/commands", {})
    assert len(_Handler.seen) == 1


def test_progress_of_children_stands_before_the_parents():
    child = {"stage": "training", "state": "running", "state_reason": "", "attempt": 2, "name": "x",
             "headline": {"loss": 2.5}, "children": [],
             "progress": [{"stage": "train", "done": 5, "total": 10, "unit": "steps"}]}  # fmt: skip
    parent = {"stage": None, "state": "running", "state_reason": "", "attempt": 1, "headline": {}, "progress": [],
              "name": "p", "children": [child]}  # fmt: skip
    assert rows(parent) == [("training · train", 5, 10, "steps", "loss 2.500  attempt 2")]


def test_every_command_of_the_folder_is_a_command_of_the_program() -> None:
    folder = Path(cli.__file__).parent / "commands"
    named = {path.stem for path in folder.glob("*.py") if "def register(" in path.read_text(encoding="utf-8")}
    assert named == {module.__name__.rpartition(".")[2] for module in cli.COMMANDS}
