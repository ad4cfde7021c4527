"""Training: a dataset version -> checkpoints and a summary. The one entry for flows, tests and the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.reporter import Reporter
from workers.specs.training import TrainingSpec
from workers.training.checkpoint_store import find_checkpoint
from workers.training.checkpoints import Checkpoint
from workers.training.devices import determinism
from workers.training.engine import Engine, build_engine
from workers.training.errors import InputError, OutOfMemoryError
from workers.training.finite import describe_wrong
from workers.training.loop import Loop
from workers.training.memory import keep_freed_memory
from workers.training.out_of_memory import advise, is_out_of_memory
from workers.training.parameter_groups import list_groups, show_groups
from workers.training.processes import train_in_processes
from workers.training.publisher import Publisher
from workers.training.sources import Folders
from workers.training.summary import summarize
from workers.training.teacher_pass import write_missing_logits


def train(
    spec: TrainingSpec,
    *,
    dataset: Folders,
    out: Path,
    reporter: Reporter,
    publish: Callable[[Path, int], None] | None = None,
    resume: Path | None = None,
    first_branch: int = 0,
) -> dict[str, Any]:
    """Train as `spec` says and return the summary (losses in nats per token).

    dataset: a folder of token shards (`workers.data.shards`); for a mixture the folder of each version, by digest.
    out: checkpoints go to `out/checkpoints`, figures by layer to `out/telemetry`.
    publish: called in a thread with each checkpoint's folder and its number of updates.
    resume: a checkpoint's folder, or a folder that holds some: the newest sound one is taken.
    first_branch: lowest branch number that is free; a resume opens a new branch.

    Raises InputError for what does not fit together, CheckpointError for what cannot be read or written,
    OutOfMemoryError with what to lower, TrainingStopped when a person or the controller ended it early, FencedError
    when a newer attempt exists.
    """
    write_missing_logits(spec, dataset, reporter)
    if spec.resources.num_processes > 1:
        return train_in_processes(
            spec,
            dataset=dataset,
            out=out,
            reporter=reporter,
            publish=publish,
            resume=resume,
            first_branch=first_branch,
        )
    return train_here(spec, dataset, out, reporter, publish, resume, first_branch)


def train_here(
    spec: TrainingSpec,
    dataset: Folders,
    out: Path,
    reporter: Reporter,
    publish: Callable[[Path, int], None] | None,
    resume: Path | None,
    first_branch: int,
) -> dict[str, Any]:
    """`train` in this process: the only one, or one of several that were started by torchrun."""
    keep_freed_memory()
    publisher = Publisher(publish, reporter)
    with determinism(spec.deterministic):
        try:
            engine = build_engine(spec, dataset, out, reporter, publisher)
            begin(engine, resume, first_branch)
            try:
                Loop(engine).run()
                engine.saver.finish()
            finally:
                engine.meter.files.flush()
                engine.saver.join()
            summary = summarize(engine)
        except BaseException as error:
            publisher.abandon()
            if is_out_of_memory(error):
                raise OutOfMemoryError(advise(spec, dataset, error)) from error
            raise
        publisher.close()
    reporter.event("summary", "training is done", step=engine.state.step, **summary)
    return summary


def begin(engine: Engine, resume: Path | None, first_branch: int) -> None:
    """Take up a checkpoint or start afresh; either way a checkpoint of the start is there before the first step."""
    spec, reporter = engine.spec, engine.reporter
    engine.state.branch = first_branch
    if engine.accelerator.is_main_process:
        engine.store.drop_unfinished()
    if resume:
        checkpoint, damaged = find_checkpoint(resume)
        for problem in damaged:
            reporter.event("warning", problem)
        _check_finite(engine, checkpoint)
        engine.state = engine.load(checkpoint)
        engine.load_controls(checkpoint)
        engine.state.branch = max(first_branch, engine.state.branch + 1)
        reporter.event(
            "resume",
            f"resumed from {checkpoint.folder.name} at step {engine.state.step}",
            step=engine.state.step,
            branch=engine.state.branch,
        )
    elif engine.accelerator.is_main_process:
        engine.store.begin_afresh(reporter)
    engine.use_stage()
    _show_model(engine)
    num_parameters = spec.model.num_parameters(engine.model.vocab_size)
    reporter.event(
        "stage",
        f"training {num_parameters:,} parameters for {spec.num_steps} steps{_stages_text(spec)}",
        step=engine.state.step,
        stage="train",
        num_parameters=num_parameters,
        dtype=engine.dtype,
        device=str(engine.accelerator.device),
    )
    engine.save(wait=True)


def _check_finite(engine: Engine, checkpoint: Checkpoint) -> None:
    """Weights that are no numbers never become numbers again; a controller can still go back to earlier ones."""
    wrong = describe_wrong(checkpoint.tensors("model"))
    if wrong is None:
        return
    message = f"checkpoint {checkpoint.folder} holds {wrong}"
    if engine.spec.monitoring.mode == "off":
        raise InputError(f"{message}. Resume from an earlier one: give its folder, or move this one away")
    engine.reporter.event("warning", message)


def _show_model(engine: Engine) -> None:
    """What a person should know of the model before the first step."""
    rows = list_groups(engine.optimizers)
    engine.reporter.event("note", f"parameter groups:\n{show_groups(rows)}", step=engine.state.step, groups=rows)
    for warning in engine.spec.warnings:
        engine.reporter.event("warning", warning, step=engine.state.step)


def _stages_text(spec: TrainingSpec) -> str:
    if not spec.stages:
        return f" of {spec.tokens_per_step:,} tokens"
    names = ", ".join(f"{stage.name} {stage.num_steps:,}" for stage in spec.plan)
    return f" and {spec.num_tokens:,} tokens in {len(spec.plan)} stages: {names}"
