"""Stages: what each reads and at which rate, nothing lost between them, exact resume, roll-back over a border."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from pydantic import ValidationError

from workers.data.shards import TokenDataset
from workers.model.checkpoint import load_model
from workers.monitoring import build_controller
from workers.monitoring.telemetry import Telemetry
from workers.reporter import MemoryReporter
from workers.specs.events import Command
from workers.specs.training import TrainingSpec
from workers.training.errors import InputError, TrainingStopped
from workers.training.sources import open_data
from workers.training.stage_order import StageOrder
from workers.training.state import Place, TrainerState
from workers.training.stream import Stream
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]
SHORT = {"sequence_tokens": 16, "micro_batch_sequences": 4, "accumulation": 2}
LONG = {"sequence_tokens": 48, "micro_batch_sequences": 2, "accumulation": 1}
STAGES: list[dict[str, Any]] = [
    {"name": "web", "num_steps": 5},
    {"name": "middle", "num_tokens": 500, "batch": SHORT},
    {
        "name": "long",
        "num_steps": 4,
        "batch": LONG,
        "rope_theta": 2e6,
        "lr": 1e-3,
        "schedule": {"kind": "cosine", "warmup_steps": 1},
    },
]


@pytest.fixture
def staged(make_spec: MakeSpec) -> TrainingSpec:
    return make_spec(
        batch=SHORT | {"sequence_tokens": 16}, stages=STAGES, num_steps=13, checkpointing={"every_steps": 2, "keep": 20}
    )


def order_of(spec: TrainingSpec, dataset: Path) -> StageOrder:
    order = open_data(spec, dataset).order
    assert isinstance(order, StageOrder)
    return order


def test_the_plan_fills_everything_in(staged: TrainingSpec) -> None:
    web, middle, long = staged.plan
    assert [(s.first_step, s.num_steps, s.tokens_per_step) for s in staged.plan] == [
        (0, 5, 128),
        (5, 4, 128),
        (9, 4, 96),
    ]
    assert staged.num_steps == 13 and staged.num_tokens == 9 * 128 + 4 * 96
    assert [s.rope_theta for s in staged.plan] == [50_000, 50_000, 2e6]
    # one schedule over the first two, one of its own for the last
    assert [(s.schedule.kind, s.schedule_start, s.schedule_steps) for s in (web, middle)] == [
        ("wsd", 0, 9),
        ("wsd", 5, 9),
    ]
    assert (long.schedule.kind, long.schedule_step(9), long.schedule_steps, long.lr) == ("cosine", 0, 4, 1e-3)
    assert TrainingSpec.model_validate(staged.model_dump(mode="json")) == staged


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": STAGES, "num_steps": 14}, "the stages have 13"),
        ({"stages": [{"name": "a"}]}, "needs num_steps or num_tokens"),
        ({"stages": [{"name": "a", "num_steps": 2, "num_tokens": 9}]}, "not both"),
        ({"stages": [{"name": "a", "num_steps": 2}]}, "of the 2 steps of stage 'a'"),
        (
            {"stages": [*STAGES, {"name": "odd", "num_steps": 9, "batch": {"sequence_tokens": 40}}]},
            "no multiple of the shortest, 16",
        ),
        ({"mixture": [{"weight": 1}, {"weight": 2}]}, "names a source twice"),
    ],
)
def test_plans_that_cannot_be_are_refused(make_spec: MakeSpec, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_spec(**({"batch": SHORT, "num_steps": 600} | changes))


def test_stages_read_one_stream_and_nothing_is_lost(staged: TrainingSpec, dataset: Path) -> None:
    """Every token that the three stages read, in order, is the source's stream from its beginning, without a gap."""
    order, (stream,) = order_of(staged, dataset), order_of(staged, dataset).streams
    positions = []
    for stage, num_batches, length in ((0, 5, 16), (1, 4, 16), (2, 4, 48)):
        for number in range(num_batches):
            earlier = (5, 4)[:stage]
            _, starts = order.windows(Place(number, stage, earlier))
            part = order.part(Place(number, stage, earlier), 0, 1)
            halves = [order.part(Place(number, stage, earlier), rank, 2) for rank in (0, 1)]
            assert torch.equal(part.tokens, torch.cat([half.tokens for half in halves]))
            assert part.tokens.shape == (len(starts), length)
            assert torch.equal(part.tokens[0], stream.sequence(int(starts[0]), length).tokens[0])
            positions += [unit for start in starts for unit in range(int(start), int(start) + length, 16)]
    assert positions == list(range(0, staged.num_tokens, 16))


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_holds_every_token_once_an_epoch_at_any_length(dataset: Path, seed: int) -> None:
    source = TokenDataset(dataset, "train")
    stream = Stream(source, "all", 16, 48, [seed, 0])
    rng, position, starts = np.random.default_rng(seed), 0, []
    while position < 2 * stream.num_units * 16:
        length = 16 * int(rng.integers(1, 9))
        for start, many in stream.pieces(position, length):
            starts += range(start, start + many, 16)
        position += length
    for epoch in (0, 1):
        units = starts[epoch * stream.num_units : (epoch + 1) * stream.num_units]
        assert sorted(units) == list(range(0, stream.num_units * 16, 16))
    assert starts[: stream.num_units] != starts[stream.num_units : 2 * stream.num_units]
    assert source.num_tokens - 1 - stream.num_units * 16 < 16


def test_a_sequence_over_a_border_of_blocks_is_of_separate_documents(dataset: Path) -> None:
    source = TokenDataset(dataset, "train")
    stream = Stream(source, "all", 16, 48, [0, 0])
    (one, many), (other, _) = stream.pieces(32, 48)
    assert many == 16 and other != one + many
    sequence = stream.sequence(32, 48)
    assert sequence.documents[0, 15] != sequence.documents[0, 16]
    assert sequence.targets[0, :16].tolist() == source.window(one + 1, 16)[0].tolist()
    assert sequence.targets[0, 16:].tolist() == source.window(other + 1, 32)[0].tolist()
    with pytest.raises(InputError, match="shorter than one sequence"):
        Stream(source, "all", 16, 32_000, [0, 0])


def run(
    spec: TrainingSpec, dataset: Path, out: Path, reporter: MemoryReporter | None = None, **more: Any
) -> dict[str, Any]:
    return train(spec, dataset=dataset, out=out, reporter=reporter or MemoryReporter(), **more)


def test_a_run_over_borders_and_its_resumes(staged: TrainingSpec, dataset: Path, tmp_path: Path) -> None:
    reporter = MemoryReporter()
    summary = run(staged, dataset, tmp_path / "whole", reporter)
    assert [(s["name"], s["tokens"]) for s in summary["stages"]] == [("web", 640), ("middle", 512), ("long", 384)]
    assert summary["tokens"] == staged.num_tokens == reporter.series("tokens")[-1][1]
    rates = [rate for _, rate in reporter.series("lr")]
    assert rates[:9] == pytest.approx([2.5e-3] + [5e-3] * 7 + [2.5e-3])  # WSD over nine: warm-up 2, decay 2
    assert rates[9:] == pytest.approx([1e-3, 1e-3, 0.775e-3, 0.325e-3])
    assert {4, 8, 12} <= {step for step, _ in reporter.series("heldout_loss")}
    entered = [(event.step, event.data["stage"]) for event in reporter.batch.events if event.kind == "stage"]
    assert entered[1:3] == [(5, "middle"), (9, "long")]
    folders = {int(path.name[5:13]): path for path in (tmp_path / "whole" / "checkpoints").iterdir()}
    assert load_model(folders[9])[1].rope_theta == 50_000 and load_model(folders[13])[1].rope_theta == 2e6
    assert json.loads((folders[13] / "trainer.json").read_text())["context_tokens"] == 48
    expected = safetensors.torch.load_file(folders[13] / "model.safetensors")
    for step in (4, 5, 9, 10):  # before a border, on both, after one
        resumed = run(staged, dataset, tmp_path / str(step), resume=folders[step])
        got = safetensors.torch.load_file(Path(resumed["checkpoint"]) / "model.safetensors")
        assert all(torch.equal(expected[name], got[name]) for name in expected), step
        assert resumed["stages"] == summary["stages"]
        assert resumed["heldout_loss"] == summary["heldout_loss"]
    with pytest.raises(InputError, match="stages is"):
        longer = staged.model_dump(mode="json", exclude={"num_steps"})
        longer["stages"][1]["num_tokens"] = 600
        run(TrainingSpec.model_validate(longer), dataset, tmp_path / "other", resume=folders[4])


def test_a_roll_back_over_a_border_takes_up_the_stage_before(
    staged: TrainingSpec, dataset: Path, tmp_path: Path
) -> None:
    class GoesBack(MemoryReporter):
        def metrics(self, step: int, values: Any, branch: int = 0) -> None:
            super().metrics(step, values, branch)
            if step == 10 and branch == 0 and "loss" in values:
                self.pending.append(Command(id="back", kind="rollback", arguments={"step": 8}))
            if step == 8 and branch == 1 and "loss" in values:
                self.pending.append(Command(id="halt", kind="stop"))

    reporter = GoesBack()
    with pytest.raises(TrainingStopped):
        run(staged, dataset, tmp_path, reporter)
    folders = {path.name: path for path in (tmp_path / "checkpoints").iterdir()}
    assert load_model(folders["step-00000008-branch-001"])[1].rope_theta == 50_000
    losses = reporter.series("loss")
    assert [step for step, _ in losses] == [*range(11), 8]
    assert losses[8][1] == losses[11][1]  # the same batch again
    state = TrainerState.from_json(
        json.loads((folders["step-00000009-branch-001"] / "trainer.json").read_text())["state"]
    )
    assert state.stage_batches == [5, 4]


def test_leaving_batches_out_over_a_border_leaves_out_each_stages_own() -> None:
    state = TrainerState()
    taken = [state.take_batch() for _ in range(4)]
    state.begin_stage()
    taken += [state.take_batch() for _ in range(3)]
    assert [(p.stage, p.number, p.index) for p in taken[3:]] == [(0, 3, 3), (1, 0, 4), (1, 1, 5), (1, 2, 6)]
    state.skip(taken[2], taken[6], 8)
    assert state.skipped == [(0, 2, 4), (1, 0, 6)]
    state.go_back(TrainerState(step=2, stage_batches=[2]))
    again = [state.take_batch() for _ in range(2)]
    state.begin_stage()
    again.append(state.take_batch())
    assert [(p.stage, p.number) for p in again] == [(0, 4), (0, 5), (1, 6)]
    assert again[-1].earlier == (6,)
    assert TrainerState.from_json(json.loads(json.dumps(state.to_json()))) == state
    old = {**state.to_json(), "next_batch": 7, "skipped": [[2, 4]]}
    del old["stage_batches"]
    assert TrainerState.from_json(old).skipped == [(0, 2, 4)]


def test_the_controller_takes_a_new_level_after_a_stage_for_no_spike(make_spec: MakeSpec) -> None:
    def findings(told: bool) -> int:
        controller, found = build_controller(make_spec(monitoring={"mode": "shadow"}).monitoring), 0
        assert controller is not None
        for step in range(120):
            if step == 60 and told:
                controller.stage_changed(step)
            loss = (2.0 if step < 60 else 6.0) + 0.02 * (step % 3)
            found += len(controller.before_update(Telemetry(step, loss, 1.0, 1e-3)).findings)
        return found

    assert findings(told=False) > 0
    assert findings(told=True) == 0
