"""The parts of one training process, put together from a spec."""

import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import distributed, nn
from torch.distributed.constants import default_pg_timeout

from workers.model.capabilities import has_fast_bfloat16
from workers.model.checkpoint import describe_model
from workers.model.transformer import Transformer
from workers.monitoring import build_controller
from workers.monitoring.telemetry import Watch
from workers.reporter import Reporter
from workers.specs.events import Intervention
from workers.specs.training import TrainingSpec
from workers.specs.training.stages import PlannedStage
from workers.training.batches import BatchOrder
from workers.training.checkpoint_store import CheckpointStore
from workers.training.checkpoints import Checkpoint, Contents
from workers.training.clipping import Clipper, build_clipper
from workers.training.devices import ComputeType, resolve_dtype
from workers.training.drills import Drills
from workers.training.errors import CheckpointError, InputError
from workers.training.heldout import HeldOutText
from workers.training.initial_weights import build_model
from workers.training.layer_files import LayerFiles
from workers.training.losses import build_losses
from workers.training.objective import Objective
from workers.training.optimizers import OptimizerSet, build_optimizer
from workers.training.pins import Pins
from workers.training.probe import FeatureProbe
from workers.training.publisher import Publisher
from workers.training.randomness import generator_states, restore_generators, seed_generators
from workers.training.saver import Saver
from workers.training.sharding import gather, load_whole, share_out
from workers.training.silence import NoWatch
from workers.training.sources import Folders, open_data
from workers.training.speed import SpeedMeter
from workers.training.stage_order import StageOrder
from workers.training.state import TrainerState, differences, identity, saved_identity
from workers.training.teacher import Teacher, build_teacher, distillation_identity
from workers.training.telemetry import LayerMeter
from workers.training.token_counts import TokenCounts

CONNECT_SECONDS = 90.0


@dataclass
class Engine:
    """Everything that the loop works with."""

    spec: TrainingSpec
    accelerator: Accelerator
    dtype: ComputeType
    model: Transformer
    """The bare model: what is saved."""
    objective: Objective
    teacher: Teacher | None
    """What some losses compare the model with."""
    module: nn.Module
    """The same under its losses, compiled and wrapped for several processes: what is called."""
    optimizers: OptimizerSet
    clipper: Clipper
    order: BatchOrder | StageOrder
    plan: tuple[PlannedStage, ...]
    heldout: HeldOutText
    drills: Drills
    meter: LayerMeter
    speed: SpeedMeter
    watch: Watch
    token_counts: TokenCounts | None
    """None: monitoring is off."""
    state: TrainerState
    store: CheckpointStore
    saver: Saver
    pins: Pins
    publisher: Publisher
    reporter: Reporter
    identity: dict[str, Any]

    @property
    def stage(self) -> PlannedStage:
        """The stage of now."""
        return self.plan[self.state.stage]

    def use_stage(self) -> None:
        """Give the model what the stage of now says of it; again and again if need be."""
        if self.model.spec.rope_theta != self.stage.rope_theta:
            self.model.spec = self.model.spec.model_copy(update={"rope_theta": self.stage.rope_theta})

    def save(self, *, wait: bool = False) -> None:
        """Write a checkpoint of this moment, report it, publish it, and let old ones go. Rank 0 does the work.

        wait: until it is on disk. Raises CheckpointError where `Saver.save` does.
        """
        main = self.accelerator.is_main_process
        contents = self._contents() if main or self.spec.parallel == "fsdp2" else None
        if main and contents:
            self.saver.save(self.store.path(self.state.step, self.state.branch), contents, wait=wait)
        if wait:
            self.accelerator.wait_for_everyone()

    def _contents(self) -> Contents:
        tensors = {
            "model": gather(self.model.state_dict()),
            "losses": gather(self.objective.losses.state_dict()),
            "optimizer": gather(self.optimizers.state_tensors()),
            "random": generator_states(),
        }
        files = {
            "model.json": describe_model(self.model.spec, self.model.vocab_size),
            "trainer.json": json.dumps(self._trainer(), indent=1).encode(),
        }
        return Contents(tensors, files)

    def pin(self, intervention: Intervention, before_step: int) -> None:
        """Keep the checkpoint from before an intervention, for a replay. Rank 0 does the work."""
        if self.accelerator.is_main_process:
            self.saver.join()  # it may be writing the very one
            if checkpoint := self.store.before(before_step):
                self.pins.pin(checkpoint, intervention)

    def load(self, checkpoint: Checkpoint) -> TrainerState:
        """Take up weights, optimizer and generators of a checkpoint; its position is returned.

        Raises InputError when the checkpoint is of another configuration.
        """
        if wrong := differences(saved_identity(checkpoint.trainer), self.identity):
            raise InputError(
                f"checkpoint {checkpoint.folder} is of another configuration: {'; '.join(wrong)}. "
                "Resume with the spec and dataset that it was trained with, or start a new run"
            )
        try:
            load_whole(self.model, checkpoint.tensors("model"))
            load_whole(self.objective.losses, checkpoint.tensors("losses"))
            self.optimizers.load_state_tensors(checkpoint.tensors("optimizer"))
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"checkpoint {checkpoint.folder} does not fit this model: {error}") from error
        self.clipper.load_state_dict(checkpoint.trainer.get("clipping", {}))
        restore_generators(checkpoint.tensors("random"))
        return TrainerState.from_json(checkpoint.trainer["state"])

    def load_controls(self, checkpoint: Checkpoint) -> None:
        """Take up the controller and the drills too: for a resume. A roll-back keeps what they have learnt."""
        self.watch.load_state_dict(checkpoint.trainer["controller"])
        self.drills.finished = set(checkpoint.trainer["finished_drills"])

    def _trainer(self) -> dict[str, Any]:
        return {
            "format": 1,
            "context_tokens": self.stage.batch.sequence_tokens,
            "state": self.state.to_json(),
            "lr_scale": self.watch.lr_scale,
            "clip_scale": self.watch.clip_scale,
            "clipping": self.clipper.state_dict(),
            "controller": self.watch.state_dict(),
            "finished_drills": sorted(self.drills.finished),
            "spec_hash": self.spec.content_hash(),
            "identity": self.identity,
        }


def build_engine(spec: TrainingSpec, dataset: Folders, out: Path, reporter: Reporter, publisher: Publisher) -> Engine:
    """Open the dataset, build model and optimizer from the seed. Raises InputError when they do not fit together."""
    accelerator = build_accelerator(spec)
    device = accelerator.device
    data = open_data(spec, dataset)
    dtype = resolve_dtype(spec, device)
    if dtype == "bfloat16" and not has_fast_bfloat16(device):
        reporter.log(
            "this device only emulates bfloat16 and will be very slow; set dtype to auto or float32", "warning"
        )
    seed_generators(spec.seed)
    model = build_model(spec, data.vocab_size, dataset).to(device)
    teacher = build_teacher(spec, dataset, data.vocab_size, device)
    objective = Objective(model, build_losses(spec, teacher.shape if teacher else None)).to(device)
    module = _wrap(spec, accelerator, objective)
    watch = build_controller(spec.monitoring)
    store = CheckpointStore(out / "checkpoints", spec.checkpointing)
    return Engine(
        spec=spec,
        accelerator=accelerator,
        dtype=dtype,
        model=model,
        objective=objective,
        teacher=teacher,
        module=module,
        plan=spec.plan,
        optimizers=build_optimizer(spec.optimizer, model, objective.losses),
        clipper=build_clipper(spec.clipping),
        order=data.order,
        heldout=HeldOutText(data.heldout, spec),
        drills=Drills(spec.drills, data.vocab_size, spec.seed, data.order),
        speed=SpeedMeter(spec.model, data.vocab_size, device, dtype, accelerator.num_processes),
        meter=LayerMeter(
            objective,
            spec.telemetry,
            accelerator,
            dtype,
            LayerFiles(out / "telemetry"),
            FeatureProbe(objective, data.order, spec.telemetry.probe_every_steps, dtype),
        ),
        watch=watch or NoWatch(),
        token_counts=TokenCounts(data.order, spec.plan, data.vocab_size) if watch else None,
        state=TrainerState(),
        store=store,
        saver=Saver(spec.checkpointing, store, publisher, reporter, pinned=device.type == "cuda"),
        pins=Pins(out / "pinned"),
        publisher=publisher,
        reporter=reporter,
        identity=identity(spec, dataset, dtype, distillation_identity(spec)),
    )


def _wrap(spec: TrainingSpec, accelerator: Accelerator, objective: Objective) -> nn.Module:
    """Compiled where the spec says so, and for several processes: each with all weights, or with a share of them."""
    if spec.parallel == "ddp" or accelerator.num_processes == 1:
        prepared: nn.Module = accelerator.prepare(
            torch.compile(objective, dynamic=False) if spec.compile else objective
        )
        return prepared
    blocks = list(objective.model.blocks)
    if spec.compile:
        for block in blocks:
            block.compile(dynamic=False)  # by block: gathering lies between them
    share_out(objective, blocks, accelerator.device)
    return objective


def _meet() -> None:
    """Connect the processes by gloo, and fail where that takes too long: torchrun then starts all of them anew.

    Each start has addresses of its own: torchrun's store outlives a restart, and a process that is quicker than another
    would read where that one was before and find nobody there. By default they would wait for half an hour, which is
    right for the work itself alone.
    """
    if not distributed.is_initialized():
        timeout = timedelta(seconds=CONNECT_SECONDS)
        shared, rank, num_ranks = next(distributed.rendezvous("env://", timeout=timeout))
        store = distributed.PrefixStore(f"start-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", shared)
        distributed.init_process_group("gloo", store=store, rank=rank, world_size=num_ranks, timeout=timeout)
        distributed.distributed_c10d._set_pg_timeout(default_pg_timeout)


def build_accelerator(spec: TrainingSpec) -> Accelerator:
    """Through accelerate: a GPU for each process where there are enough, else the CPU."""
    enough_gpus = torch.cuda.is_available() and torch.cuda.device_count() >= spec.resources.num_processes
    if spec.resources.num_processes > 1 and "RANK" in os.environ and not enough_gpus:
        _meet()
    accelerator = Accelerator(cpu=not enough_gpus, mixed_precision="no")
    if accelerator.num_processes != spec.resources.num_processes:
        raise InputError(
            f"{accelerator.num_processes} processes are running, resources.num_processes says "
            f"{spec.resources.num_processes}"
        )
    return accelerator
