"""Exploration: runs that launch many runs and compare them. Like pipelines they live in the pool `control`."""

from typing import Any

from prefect import flow

from flows.children import Chain, Run, run_chains, run_child
from flows.hooks import report_end
from flows.job import Job, open_job
from workers.exploration.ablation import Cell, Ranking, rank
from workers.exploration.report import Curated, read_cell, summarize, write_report
from workers.specs.curation import CurationSpec
from workers.specs.events import RunState
from workers.specs.exploration import AblationSpec
from workers.specs.training import TrainingSpec


class AblationError(RuntimeError):
    """The ablation has nothing to compare: its base could not be built."""


@flow(name="ablation", on_crashed=[report_end], on_cancellation=[report_end])
def ablation(run_id: str, attempt: int, spec: dict[str, Any]) -> None:
    """Variants of a curation recipe against the recipe, by small models."""
    with open_job(run_id, attempt) as job:
        wanted = AblationSpec.model_validate(spec)
        curated = _curate(job, wanted)
        cells = _Cells(job, wanted, curated)
        run_chains(job, cells.chains(), wanted.max_parallel)
        ranking = _rank(wanted, cells)
        out = job.work / f"ablation-{attempt}"
        write_report(out, wanted, curated, cells.done, ranking)
        digest = job.publish(out, "other", f"{wanted.name} ablation", {"winner": ranking.winner}).digest
        job.complete({"ablation": digest} | summarize(ranking))


def _curate(job: Job, wanted: AblationSpec) -> dict[str, Curated]:
    """Each arm's dataset. The base is built first: all arms take its tokenizer and hold out what it does.

    Arms with equal recipes (they differ in their mixture) share one dataset. One that fails is told in the ranking.
    """
    first = run_child(job, "curation", wanted.base)
    if first["state"] != RunState.COMPLETED:
        raise AblationError(f"the base's curation (run {first['id']}) ended as {first['state']}: {first['error']}")
    datasets: dict[str, Curated] = {}
    found: dict[str, Curated] = {}

    def build(arm: str, recipe: CurationSpec) -> Chain:
        ended = yield f"curation {arm}", recipe
        datasets[recipe.content_hash()] = _curated(ended)

    recipes = {arm: _comparable(wanted.recipe(arm), arm, first["summary"]["dataset"]) for arm in wanted.arms}
    different: dict[str, Chain] = {}
    for arm, recipe in recipes.items():
        different.setdefault(recipe.content_hash(), build(arm, recipe))
    run_chains(job, different.values(), wanted.max_parallel)
    for arm, recipe in recipes.items():
        found[arm] = datasets[recipe.content_hash()]
    return found


def _comparable(recipe: CurationSpec, arm: str, base: str) -> CurationSpec:
    """The recipe with the base's tokenizer and held-out texts, named apart from the base's own versions."""
    tokenizer = recipe.tokenizer.model_copy(update={"dataset": base})
    name = f"{recipe.name} ablation"
    return recipe.model_copy(update={"name": name, "tokenizer": tokenizer, "heldout_dataset": base})


def _curated(run: Run) -> Curated:
    done = run["state"] == RunState.COMPLETED
    statistics = run["summary"].get("statistics", {}) if done else {}
    return Curated(run["id"], run["state"], run["error"] or "", run["summary"].get("dataset"), statistics)


class _Cells:
    """Trainings and evaluations, a chain of two runs for each arm and seed; seeds in turn, so that pairs fill first."""

    def __init__(self, job: Job, wanted: AblationSpec, curated: dict[str, Curated]) -> None:
        self.job, self.wanted, self.curated = job, wanted, curated
        self.done: list[Cell] = []
        self.metric = ""

    def chains(self) -> list[Chain]:
        return [self._chain(arm, seed) for seed in self.wanted.seeds for arm in self.wanted.arms]

    def _chain(self, arm: str, seed: int) -> Chain:
        cell = Cell(arm, seed, "failed", runs={})
        curated = self.curated[arm]
        if curated.dataset is None:
            cell.state, cell.error = curated.state, f"no dataset: {curated.error}"
        else:
            trained = yield f"training {arm} seed {seed}", self._training(arm, seed, curated.dataset)
            self._note(cell, "training", trained)
            if cell.state == RunState.COMPLETED:
                cell.tokens = trained["summary"]["tokens"]
                origin = {"dataset": curated.dataset, "checkpoint": trained["summary"]["checkpoint"]}
                scored = yield f"evaluation {arm} seed {seed}", self.wanted.evaluation.model_copy(update=origin)
                self._note(cell, "evaluation", scored)
                if cell.state == RunState.COMPLETED:
                    folder = self.job.fetch(scored["summary"]["evaluation"])
                    self.metric = read_cell(cell, scored["summary"]["results"], folder, self.wanted.rank_by)
        self.done.append(cell)
        total = len(self.wanted.arms) * self.wanted.num_seeds
        self.job.reporter.progress("ablation", len(self.done), total, "trainings")

    def _training(self, arm: str, seed: int, dataset: str) -> TrainingSpec:
        mixture = [{"dataset": dataset, **part.model_dump()} for part in self.wanted.mixture(arm)]
        data = {"mixture": mixture} if mixture else {"dataset": dataset}
        return TrainingSpec.model_validate(self.wanted.training.model_dump(mode="json") | data | {"seed": seed})

    def _note(self, cell: Cell, stage: str, run: Run) -> None:
        cell.runs[stage] = run["id"]
        cell.state, cell.error = run["state"], run["error"] or ""


def _rank(wanted: AblationSpec, cells: _Cells) -> Ranking:
    if not any(cell.done for cell in cells.done):
        raise AblationError(f"no training was measured; the first ended so: {cells.done[0].error or 'no reason given'}")
    return rank(wanted.arms, cells.done, cells.metric, wanted.confidence, wanted.evaluation.num_bootstrap)
