"""`headrace demo`: the main job on real documents, from fetching them to a released model."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import console, print_json

if TYPE_CHECKING:
    from app.commands.client import Client

CORPUS = "debian-docs"


def demo(
    folder: Annotated[Path | None, typer.Option("--input", help="Folder with documents instead of the corpus.")] = None,
    preset: Annotated[str, typer.Option(help="A preset of kind pipeline.")] = "pipeline",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field.")] = None,
) -> None:
    """Curate, train, evaluate and release a small model from real documents; ends with its figures.

    Starts the stack if none runs. The last line is JSON. Exit code 0 only if all of it happened.
    """
    from app.commands.client import connect
    from app.commands.runs import submit
    from app.commands.watching import follow

    begun = time.monotonic()
    _ensure_stack()
    if folder is None:
        _fetch_corpus()
    client = connect()
    run = submit(client, preset=preset, spec=None, changes=changes or [], name="demo", folder=folder)
    console(stderr=True).print(f"run {run['id']}  {client.url}/runs/{run['id']}", markup=False)
    run = follow(client, run["id"])
    _require_completed(client, run)
    figures = gather(client, run) | {"seconds": round(time.monotonic() - begun, 1)}
    from app.commands.demo_table import show

    show(figures)
    print_json(figures)


def _ensure_stack() -> None:
    from app.commands.stack import up
    from app.services.stack_file import is_running
    from app.settings import settings
    from app.stack import home_of

    if not settings().api_url and not is_running(home_of(settings())):
        up()


def _fetch_corpus() -> None:
    from app.commands.corpus import run_module
    from app.settings import settings

    done = run_module(settings().home.expanduser().absolute(), "fetch", CORPUS)
    if done.returncode:  # the module has said why, and names --input
        raise typer.Exit(done.returncode)


def _require_completed(client: "Client", run: dict[str, Any]) -> None:
    from app.commands.client import CommandError

    if run["state"] != "completed":
        why = run["error"] or run["state_reason"] or "no reason given"
        raise CommandError(f"the demo's run ended as {run['state']}: {why}\n  {client.url}/runs/{run['id']}")


def gather(client: "Client", run: dict[str, Any]) -> dict[str, Any]:
    """The figures of a completed pipeline, and its released model downloaded.

    Raises CommandError naming what is missing.
    """
    from app.commands.client import CommandError

    summary = run["summary"]
    missing = [stage for stage in ("curation", "training", "evaluation", "release") if stage not in summary]
    if missing:
        raise CommandError(f"the run completed without the figures of: {', '.join(missing)}")
    training = summary["training"]
    wanted = ("first_loss", "last_loss", "heldout_loss", "unigram_loss", "bigram_loss")
    lost = [key for key in wanted if training.get(key) is None]
    if lost:
        raise CommandError(f"training completed without: {', '.join(lost)}")
    return {
        "run": run["id"],
        **_dataset(client, summary["curation"]["dataset"]),
        "loss": {key.removesuffix("_loss"): training[key] for key in wanted},
        "num_parameters": training.get("num_parameters"),
        "interventions": len(client.call("GET", f"/runs/{training['run_id']}/interventions")),
        **_scores(summary["evaluation"]["results"]),
        "release": _download(client, summary["release"]["run_id"]),
        "urls": _urls(client, run),
    }


def _dataset(client: "Client", digest: str) -> dict[str, Any]:
    statistics = client.call("GET", f"/datasets/versions/{digest}")["statistics"]
    kept = {language: sum(count.values()) for language, count in statistics["documents"].items()}
    return {
        "dataset": digest,
        "documents": {
            "read": statistics["read"],
            "kept": sum(kept.values()),
            "kept_by_language": kept,
            "unreadable": sum(statistics.get("rejects", {}).values()),
            "dropped_by_rule": {rule: sum(count.values()) for rule, count in statistics["dropped"].items()},
        },
        "tokens": {language: sum(count.values()) for language, count in statistics["tokens"].items()},
    }


def _scores(results: list[dict[str, Any]]) -> dict[str, Any]:
    from app.commands.client import CommandError

    by_metric: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_metric.setdefault(result["metric"], []).append(result)
    if not {"bits_per_byte", "accuracy"} <= by_metric.keys():
        raise CommandError("the evaluation has no bits per byte or no benchmark: keep a task of each in the spec")
    keys = ("task", "value", "low", "high", "chance", "num_items")
    benchmarks = [{key: result.get(key) for key in keys} for result in by_metric["accuracy"]]
    return {"bits_per_byte": by_metric["bits_per_byte"][0]["slices"], "benchmarks": benchmarks}


def _download(client: "Client", run_id: str) -> dict[str, Any]:
    """The released model below HOME/releases/NAME, each file checked against its SHA-256."""
    from app.commands.client import CommandError
    from app.commands.releases import download
    from app.settings import settings

    found = client.call("GET", f"/runs/{run_id}/artifacts")
    artifacts = [one for one in (found["items"] if isinstance(found, dict) else found) if one["kind"] == "release"]
    if not artifacts:
        raise CommandError(f"the release run {run_id} stored no model")
    folder = download(client, artifacts[-1], settings().home.expanduser().absolute() / "releases")
    return {"folder": str(folder), "digest": artifacts[-1]["digest"]}


def _urls(client: "Client", run: dict[str, Any]) -> dict[str, str]:
    urls = {"run": f"{client.url}/runs/{run['id']}", "datasets": f"{client.url}/datasets"}
    if run.get("mlflow_url"):
        urls["mlflow"] = run["mlflow_url"]
    return urls


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(demo)
