"""The training loop: batch, gradient, judgement, update, judgement, report, checkpoint."""

import time
from pathlib import Path

from accelerate.utils import broadcast_object_list

from workers.monitoring.telemetry import Decision, Telemetry
from workers.training.checkpoints import open_checkpoint
from workers.training.controls import Controls
from workers.training.engine import Engine
from workers.training.errors import TrainingStopped
from workers.training.levers import Levers
from workers.training.schedules import scheduled_lr
from workers.training.state import Place
from workers.training.steps import apply_update, compute_gradient, gradients, measure_gradients
from workers.training.telemetry import total_norm

HISTORY_STEPS = 4096
Shown = dict[str, float]


class Loop:
    """Runs an engine from where its state stands to the last step."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.controls = Controls(engine, self.go_back, self._carry_out)
        self.levers = Levers(engine)
        self._checkpoint_asked = False
        self.batch_of_step: dict[int, Place] = {}

    def run(self) -> None:
        """Train to the end. Raises TrainingStopped when a person or the controller ends it early."""
        engine = self.engine
        while engine.state.step < engine.spec.num_steps:
            engine.saver.check()
            self.controls.obey()
            self._enter_stage()
            if engine.state.step < engine.spec.num_steps and self._step():
                self._close_step()

    def _enter_stage(self) -> None:
        """Go on to the next stage when the one of now has done its steps."""
        engine, state = self.engine, self.engine.state
        while state.step >= engine.stage.end_step and engine.stage is not engine.plan[-1]:
            state.begin_stage()
            engine.watch.stage_changed(state.step)
            stage = engine.stage
            engine.reporter.event(
                "stage",
                f"stage {stage.number + 1} of {len(engine.plan)}, {stage.name}: {stage.num_steps:,} steps of "
                f"{stage.tokens_per_step:,} tokens",
                step=state.step,
                stage=stage.name,
                sequence_tokens=stage.batch.sequence_tokens,
                rope_theta=stage.rope_theta,
                lr=stage.lr,
            )
        engine.use_stage()

    def _step(self) -> bool:
        """One step. False when it led back to a checkpoint instead."""
        engine, state, meter = self.engine, self.engine.state, self.engine.meter
        self.levers.apply()
        began, step = time.perf_counter(), state.step
        place = self._take_batch()
        engine.drills.disturb(step, engine.model, engine.optimizers)
        losses = compute_gradient(engine, place)
        loss = losses["loss"]
        engine.drills.spoil(step, gradients(engine))
        norms_P = measure_gradients(engine)
        norm, lr, scheduled = total_norm(norms_P), self._lr(step), scheduled_lr(engine.stage, step)
        meter.begin(state, norms_P)
        scalars = {name: value for name, value in losses.items() if name != "loss"} | meter.for_controller
        telemetry = Telemetry(step, loss, norm, lr, layers=meter.layers, scheduled_lr=scheduled, scalars=scalars)
        decision = engine.watch.before_update(telemetry)
        if not self._follow(decision, place):
            return False
        shown: Shown = {**losses, "grad_norm": norm, "lr": lr}
        if decision.discard_update:
            engine.optimizers.zero_grad()
        else:
            lr = shown["lr"] = self._lr(step)
            clipped, updates_P = apply_update(engine, norm, lr)
            weighed = meter.finish(updates_P, weigh=engine.token_counts is not None)
            shown["update_norm"] = total_norm(updates_P)
            shown["clip_norm"], shown["clipped_share"] = clipped
            self.levers.after_update()
            shown |= engine.optimizers.telemetry()
            kept_share = clipped.norm / norm if norm else 1.0
            scalars = {"clipped_share": clipped.share, "kept_share": kept_share, **weighed}
            telemetry = Telemetry(step, loss, norm, lr, shown["update_norm"], meter.layers, scheduled, scalars)
            if not self._follow(engine.watch.after_update(telemetry), place):
                return False
        meter.record(step, state.branch)
        self._count(shown | meter.headlines(), time.perf_counter() - began)
        return True

    def _lr(self, step: int) -> float:
        return scheduled_lr(self.engine.stage, step) * self.engine.watch.lr_scale * self.engine.drills.lr_factor(step)

    def _take_batch(self) -> Place:
        place = self.engine.state.take_batch()
        self.batch_of_step[self.engine.state.step] = place
        self.batch_of_step.pop(self.engine.state.step - HISTORY_STEPS, None)
        return place

    def _count(self, shown: Shown, seconds: float) -> None:
        """Count the finished step and report it."""
        engine, state = self.engine, self.engine.state
        tokens = engine.stage.tokens_per_step
        state.tokens += tokens
        state.seconds += seconds
        engine.meter.clock.finish(seconds)
        state.last_loss = shown["loss"]
        state.first_loss = shown["loss"] if state.first_loss is None else state.first_loss
        shown |= engine.speed.measure(tokens, engine.stage.batch.sequence_tokens, seconds)
        shown |= {
            "lr_scale": engine.watch.lr_scale,
            "tokens_per_second": tokens / seconds,
            "tokens": float(state.tokens),
            "flops": engine.speed.flops_until(engine.plan, state.step + 1),
            "epoch": engine.order.epochs(state),
        }
        engine.reporter.metrics(state.step, shown, state.branch)
        state.step += 1
        engine.reporter.progress("train", state.step, engine.spec.num_steps, "steps")

    def _close_step(self) -> None:
        """Held-out loss and checkpoint, when they are due after the step just done."""
        engine, step = self.engine, self.engine.state.step
        last = step == engine.stage.end_step
        if step % engine.spec.heldout.every_steps == 0 or last:
            loss = engine.heldout.loss(engine.objective, engine.accelerator, engine.dtype)
            engine.reporter.metrics(step - 1, {"heldout_loss": loss}, engine.state.branch)
            engine.state.heldout = (step, loss)
        if step % engine.spec.checkpointing.every_steps == 0 or last or self._checkpoint_asked:
            self._checkpoint_asked = False
            engine.save()

    def _follow(self, decision: Decision, place: Place) -> bool:
        """Report and carry out a decision. False when training went back to a checkpoint."""
        engine = self.engine
        self._report(decision)
        if decision.stop:
            engine.optimizers.zero_grad()
            engine.save(wait=True)
            raise TrainingStopped(decision.stop)
        if decision.skip_batches:
            onset = decision.interventions[-1].evidence.get("onset", engine.state.step)
            engine.state.skip(self.batch_of_step.get(int(onset), place), place, decision.skip_batches)
        self._checkpoint_asked |= decision.checkpoint
        if decision.rollback:
            return not self.go_back(decision.rollback_before_step, reset_moments=decision.reset_moments)
        if decision.reset_moments:
            engine.optimizers.forget()
        return True

    def _carry_out(self, decision: Decision) -> None:
        """A decision that a person has approved, between two steps."""
        self._follow(decision, self.engine.state.last_place)

    def _report(self, decision: Decision) -> None:
        engine = self.engine
        for finding in decision.findings:
            engine.reporter.finding(finding)
        for intervention in decision.interventions:
            if intervention.outcome in {"verifying", "proposed"}:
                onset = int(intervention.evidence.get("onset", engine.state.step))
                engine.pin(intervention, decision.rollback_before_step if decision.rollback else onset)
            engine.reporter.intervention(engine.pins.note(intervention))
            if intervention.outcome == "verifying":
                engine.state.num_interventions += 1

    def go_back(self, before_step: int, reset_moments: bool = False) -> bool:
        """Load the newest sound checkpoint of at most `before_step` updates and open a new branch. False: none.

        `reset_moments`: without the optimizer's state.
        """
        engine, left = self.engine, self.engine.state.step
        engine.optimizers.zero_grad()
        engine.saver.settle()
        folder = self._choose(before_step)
        if folder is None:
            engine.reporter.event("warning", f"no checkpoint from before step {before_step} to go back to", step=left)
            for intervention in engine.watch.rolled_back(None):
                engine.reporter.intervention(engine.pins.note(intervention))
            if reset_moments:
                engine.optimizers.forget()
            return False
        engine.state.go_back(engine.load(open_checkpoint(folder)))
        engine.use_stage()
        if reset_moments:
            engine.optimizers.forget()
        for intervention in engine.watch.rolled_back(engine.state.step):
            engine.reporter.intervention(engine.pins.note(intervention))
        engine.reporter.event(
            "rollback",
            f"back from step {left} to step {engine.state.step}",
            step=engine.state.step,
            from_step=left,
            branch=engine.state.branch,
            checkpoint=folder.name,
            skipped=[(start, stop) for _, start, stop in engine.state.skipped[-1:]],
        )
        if engine.accelerator.is_main_process:
            engine.store.drop_after(engine.state.step, engine.publisher.in_use())
        engine.save()
        return True

    def _choose(self, before_step: int) -> Path | None:
        """The checkpoint to go back to, the same for all processes; rank 0 looks."""
        engine = self.engine
        box: list[Path | None] = [None]
        if engine.accelerator.is_main_process:
            checkpoint, damaged = engine.store.newest(before_step)
            for problem in damaged:
                engine.reporter.event("warning", problem, step=engine.state.step)
            box[0] = checkpoint.folder if checkpoint else None
        if engine.accelerator.num_processes > 1:
            broadcast_object_list(box)
        return box[0]
