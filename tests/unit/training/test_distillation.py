"""Distillation in training: the terms, what is trained and saved, logits on disk, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from pydantic import ValidationError
from tokenizers import Tokenizer, models
from torch import Tensor

from workers.data.shards import TokenDataset
from workers.data.teacher_logits import TeacherLogits, logits_folder
from workers.model.attention import document_mask
from workers.model.checkpoint import save_model
from workers.model.trace import Trace
from workers.model.transformer import Transformer
from workers.reporter import MemoryReporter
from workers.specs.events import Command
from workers.specs.training import TrainingSpec
from workers.specs.training.distillation import AttentionTransfer, HiddenStates
from workers.specs.training.model import Model
from workers.training.batches import IGNORED
from workers.training.errors import InputError, TrainingStopped
from workers.training.lesson import FullLogits, Lesson
from workers.training.losses import attention_transfer, hidden_states
from workers.training.objective import Objective
from workers.training.teacher import describe_logits
from workers.training.teacher_model import OwnTeacher, TeacherShape
from workers.training.teacher_pass import main as write_logits
from workers.training.trainer import train

MakeSpec = Callable[..., TrainingSpec]
STUDENT = Model(d_model=32, num_layers=2, num_heads=4, num_kv_heads=2, d_ffn=64)
TEACHER = Model(d_model=48, num_layers=3, num_heads=6, num_kv_heads=2, d_ffn=96)
SHAPE = TeacherShape(num_layers=3, num_heads=6, width=48)
PAIRS = [{"student": 0, "teacher": 1}, {"student": 1, "teacher": 2}]
INNER = [
    {"kind": "distillation", "temperature": 2.0, "chunk_tokens": 50},
    {"kind": "attention_transfer", "layers": PAIRS},
    {"kind": "hidden_states", "weight": 0.3, "layers": PAIRS},
]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A larger model of the same vocabulary, with definite opinions."""
    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(11)
    model = Transformer(TEACHER, 64)
    with torch.no_grad():
        model.embedding.weight.mul_(15)
        for block in model.blocks:
            block.attention.qkv.weight.mul_(10)
    save_model(folder, model, TEACHER, 64)
    return folder


def distilled(make_spec: MakeSpec, teacher: Path, *terms: dict[str, Any], kind: str = "online", **changes: Any) -> Any:
    settings = {"kind": kind, "model": str(teacher)} | changes.pop("settings", {})
    distillation: dict[str, Any] = {"teacher": settings}
    if terms:
        distillation["terms"] = list(terms)
    return make_spec(distillation=distillation, **changes)


def batch() -> tuple[Tensor, Tensor, Tensor]:
    tokens, targets = torch.randint(64, (2, 3, 20)).unbind()
    targets[:, 5:8] = IGNORED
    return tokens, targets, torch.randint(2, (3, 20)).sort(dim=1).values


def direct_map(model: Transformer, layer: int, tokens: Tensor, documents: Tensor) -> Tensor:
    """Attention of one layer in float64, head by head, from its own weights.  -> (B, H, T, T)"""
    seen: dict[str, Tensor] = {}
    attention = model.blocks[layer].attention
    hook = attention.register_forward_hook(lambda _, arguments, out: seen.update(x=arguments[0], table=arguments[1]))
    model.hidden(tokens, documents)
    hook.remove()
    heads = attention.qkv(seen["x"]).double().unflatten(-1, (-1, attention.head_width)).transpose(1, 2)
    half = attention.head_width // 2
    cos, sin = (part.double() for part in seen["table"])
    maps = []
    for head in range(attention.num_heads):
        group = attention.num_heads + head // (attention.num_heads // attention.num_kv_heads)
        q, k = heads[:, head], heads[:, group]
        if attention.has_rotary:
            q, k = (x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin for x in (q, k))
        scores = q @ k.mT / attention.head_width**0.5
        maps.append(scores.masked_fill(~document_mask(documents)[:, 0], float("-inf")).softmax(-1))
    return torch.stack(maps, 1)


def mean_counted(values_BT: Tensor, targets: Tensor) -> float:
    return float(values_BT[targets != IGNORED].mean().detach())


@pytest.mark.parametrize("heads", ["mean", "each"])
def test_attention_transfer_equals_the_formula(heads: str) -> None:
    tokens, targets, documents = batch()
    student, model = Transformer(STUDENT, 64), Transformer(TEACHER, 64)
    with torch.no_grad():
        for block in (*student.blocks, *model.blocks):
            block.attention.qkv.weight.mul_(20)
    theirs = {layer: direct_map(model, layer, tokens, documents) for layer in (1, 2)}
    if heads == "each":
        theirs = {layer: whole[:, :4] for layer, whole in theirs.items()}
    spec = AttentionTransfer(layers=PAIRS, heads=heads)
    loss = attention_transfer.build(spec, STUDENT, TeacherShape(3, 4, 48))
    trace = Trace(attention_layers=loss.attention_layers)
    hidden = student.hidden(tokens, documents, trace=trace)
    lesson = Lesson(FullLogits(hidden, hidden), attention=theirs)
    found = loss.compare(student, hidden, targets, trace, lesson)
    expected = 0.0
    for pair in PAIRS:
        p, q = theirs[pair["teacher"]], direct_map(student, pair["student"], tokens, documents)
        if heads == "mean":
            p, q = p.mean(1, keepdim=True), q.mean(1, keepdim=True)
        expected += mean_counted(torch.where(p > 0, p * (p / q).log(), 0.0).sum(-1).mean(1), targets) / len(PAIRS)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-4)
    assert expected > 0.05
    found.backward()
    assert all(float(block.attention.qkv.weight.grad.abs().max()) > 0 for block in student.blocks)


def test_hidden_states_equal_the_formula_and_train_the_projection() -> None:
    tokens, targets, documents = batch()
    student, model = Transformer(STUDENT, 64), Transformer(TEACHER, 64)
    loss = hidden_states.build(HiddenStates(layers=PAIRS), STUDENT, SHAPE)
    trace, theirs = Trace(hidden_layers={0, 1}), Trace(hidden_layers={1, 2})
    hidden = student.hidden(tokens, documents, trace=trace)
    last = model.hidden(tokens, documents, trace=theirs)
    assert torch.equal(theirs.hidden[2], last)  # of the last layer after the final norm
    found = loss.compare(student, hidden, targets, trace, Lesson(FullLogits(last, last), hidden=theirs.hidden))
    expected = 0.0
    for pair, project in zip(PAIRS, loss.projections, strict=True):
        t = theirs.hidden[pair["teacher"]].double()
        error = trace.hidden[pair["student"]].double() @ project.weight.double().T - t
        expected += mean_counted(error.square().sum(-1) / t.square().sum(-1), targets) / len(PAIRS)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)
    found.backward()
    assert all(float(project.weight.grad.abs().max()) > 0 for project in loss.projections)


def test_a_student_nears_its_teacher_and_only_the_student_learns(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, teacher: Path
) -> None:
    before = (teacher / "model.safetensors").read_bytes()
    reporter = MemoryReporter()
    spec = distilled(make_spec, teacher, *INNER, num_steps=60, optimizer={"kind": "adamw", "lr": 1e-2})
    summary = train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    for name in ("loss/distillation", "loss/attention_transfer", "loss/hidden_states"):
        values = [value for _, value in reporter.series(name)]
        assert len(values) == 60
        assert sum(values[-5:]) < 0.9 * sum(values[:5]), name
    assert (teacher / "model.safetensors").read_bytes() == before
    saved = Path(summary["checkpoint"])
    own = safetensors.torch.load_file(saved / "losses.safetensors")
    assert {tuple(tensor.shape) for tensor in own.values()} == {(48, 32)}
    exported = safetensors.torch.load_file(saved / "model.safetensors")
    assert not any("projection" in name for name in exported)
    assert summary["num_parameters"] == spec.model.num_parameters(64)


def test_the_objective_gives_no_gradient_to_the_teacher(teacher: Path, make_spec: MakeSpec) -> None:
    model = OwnTeacher(teacher, torch.device("cpu:0"))  # as several processes call it
    tokens, targets, documents = batch()
    lesson = model.look(tokens, documents, {1, 2}, {1, 2})
    parts = [*lesson.logits, *lesson.hidden.values(), *lesson.attention.values()]
    assert not any(part.requires_grad for part in (*parts, *model.model.parameters()))
    with pytest.raises(ValueError, match="no lesson"):
        losses = [hidden_states.build(HiddenStates(layers=PAIRS), STUDENT, SHAPE)]
        Objective(Transformer(STUDENT, 64), losses)(tokens, targets, documents, torch.ones(1))


class StopsAt(MemoryReporter):
    """Asks for a stop once a step is reached."""

    def metrics(self, step: int, values: object, branch: int = 0) -> None:
        super().metrics(step, values, branch)
        if step == 6:
            self.pending.append(Command(id="halt", kind="stop"))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resumed_run_equals_an_uninterrupted_one_with_its_projections(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, teacher: Path, optimizer: str
) -> None:
    spec = distilled(make_spec, teacher, *INNER, optimizer={"kind": optimizer, "lr": 5e-3})
    whole = train(spec, dataset=dataset, out=tmp_path / "whole", reporter=MemoryReporter())
    halves = tmp_path / "halves"
    with pytest.raises(TrainingStopped):
        train(spec, dataset=dataset, out=halves, reporter=StopsAt())
    torch.rand(3)
    resumed = train(spec, dataset=dataset, out=halves, reporter=MemoryReporter(), resume=halves)
    for name in ("model", "losses", "optimizer"):
        one, other = (
            safetensors.torch.load_file(Path(summary["checkpoint"]) / f"{name}.safetensors")
            for summary in (whole, resumed)
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(tensor, other[key]) for key, tensor in one.items()), name
    assert any(key.startswith("losses/") and key.endswith("exp_avg") for key in one)


def test_a_run_goes_on_with_its_own_teacher_alone(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, teacher: Path
) -> None:
    spec = distilled(make_spec, teacher, num_steps=4)
    train(spec, dataset=dataset, out=tmp_path / "run", reporter=MemoryReporter())
    other = tmp_path / "other"
    save_model(other, Transformer(TEACHER, 64), TEACHER, 64)
    with pytest.raises(InputError, match="teacher is"):
        train(
            distilled(make_spec, other, num_steps=4),
            dataset=dataset,
            out=tmp_path / "run",
            reporter=MemoryReporter(),
            resume=tmp_path / "run",
        )
    with pytest.raises(InputError, match="distillation is"):
        train(
            make_spec(num_steps=4),
            dataset=dataset,
            out=tmp_path / "run",
            reporter=MemoryReporter(),
            resume=tmp_path / "run",
        )


STAGES = [
    {"name": "short", "num_steps": 4},
    {"name": "long", "num_steps": 4, "batch": {"sequence_tokens": 64, "micro_batch_sequences": 2, "accumulation": 2}},
]


def test_all_tokens_on_disk_teach_as_the_teacher_itself(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, teacher: Path
) -> None:
    seen = {}
    term = {"kind": "distillation", "temperature": 2.0}
    for kind, settings in (("online", {}), ("offline", {"top_k": 64})):
        reporter = MemoryReporter()
        spec = distilled(make_spec, teacher, term, kind=kind, settings=settings)
        train(spec, dataset=dataset, out=tmp_path / kind, reporter=reporter)
        seen[kind] = [v for name in ("loss", "loss/distillation") for _, v in reporter.series(name)]
    assert seen["offline"] == pytest.approx(seen["online"], rel=1e-4)
    spec = distilled(make_spec, teacher, kind="offline", stages=STAGES, num_steps=8, settings={"top_k": 8})
    reporter = MemoryReporter()
    train(spec, dataset=dataset, out=tmp_path / "stages", reporter=reporter)
    assert len(reporter.series("loss/distillation")) == 8


def test_what_is_written_is_what_the_teacher_said_at_each_position(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, teacher: Path
) -> None:
    settings = {"top_k": 5, "context_tokens": 48, "overlap_tokens": 16, "batch_tokens": 100}
    spec = distilled(make_spec, teacher, kind="offline", settings=settings)
    copy = tmp_path / "dataset"
    copy.mkdir()
    for file in dataset.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    spec_file = tmp_path / "spec.yaml"
    spec_file.write_text(spec.model_dump_json())
    assert write_logits([str(spec_file), "--dataset", str(copy)]) == 0
    folder = logits_folder(copy, describe_logits(spec, copy, 64))
    reader, split = TeacherLogits(folder), TokenDataset(copy, "train")
    assert reader.num_tokens == split.num_tokens
    model = OwnTeacher(teacher, torch.device("cpu")).model
    for position in (0, 31, 32, 33, 5000, split.num_tokens - 1):
        begin = max(0, position // 32 * 32 - 16)
        tokens, documents = (torch.from_numpy(part) for part in split.window(begin, position - begin + 1))
        logprobs = model(tokens[None], documents[None])[0, -1].double().log_softmax(-1)
        values, tokens = logprobs.topk(5)
        rows = reader.read(torch.tensor([position]).numpy())
        assert rows.tokens[0].tolist() == tokens.tolist()
        assert rows.logprobs[0].tolist() == pytest.approx(values.tolist(), abs=1e-4)
        assert float(rows.tails[0]) == pytest.approx(float((1 - values.exp().sum()).log()), abs=1e-3)


def test_a_torn_pass_goes_on_after_its_last_whole_shard(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.training.teacher_pass.SHARD_ROWS", 4096)
    copy = tmp_path / "dataset"
    copy.mkdir()
    for file in dataset.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    spec = distilled(make_spec, teacher, kind="offline", num_steps=4, settings={"batch_tokens": 512})

    class Stops(MemoryReporter):
        def progress(self, stage: str, done: float, total: float, unit: str = "") -> None:
            if stage == "teacher" and done > 9000 and not self.pending:
                self.pending.append(Command(id="halt", kind="stop"))

    with pytest.raises(TrainingStopped, match="while the teacher wrote"):
        train(spec, dataset=copy, out=tmp_path / "run", reporter=Stops())
    folder = logits_folder(copy, describe_logits(spec, copy, 64))
    first = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.teacher")}
    assert sorted(first) == ["logits-00000.teacher", "logits-00001.teacher"]
    assert not (folder / "teacher.json").exists()
    train(spec, dataset=copy, out=tmp_path / "run", reporter=MemoryReporter())
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.teacher")}
    assert first.items() < after.items()
    reporter = MemoryReporter()
    train(spec, dataset=copy, out=tmp_path / "again", reporter=reporter)
    assert not any("the teacher goes over" in event.message for event in reporter.batch.events)


def word_tokenizer(folder: Path, words: list[str]) -> None:
    Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token=words[0])).save(
        str(folder / "tokenizer.json")
    )


def test_another_vocabulary_is_refused_before_the_first_step(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, teacher: Path
) -> None:
    larger = tmp_path / "larger"
    save_model(larger, Transformer(TEACHER, 80), TEACHER, 80)
    with pytest.raises(InputError, match="vocabulary of 80 tokens, the dataset one of 64"):
        train(distilled(make_spec, larger), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    same, copy = tmp_path / "same", tmp_path / "dataset"
    save_model(same, Transformer(TEACHER, 64), TEACHER, 64)
    copy.mkdir()
    for file in dataset.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    words = [f"w{number}" for number in range(64)]
    word_tokenizer(copy, words)
    word_tokenizer(same, [*words[:17], "other", *words[18:]])
    reporter = MemoryReporter()
    for kind in ("online", "offline"):
        with pytest.raises(InputError, match="token 17 is 'w17' in the dataset and 'other' for the teacher"):
            train(distilled(make_spec, same, kind=kind), dataset=copy, out=tmp_path / kind, reporter=reporter)
    assert not reporter.series("loss")
    word_tokenizer(same, words)
    train(distilled(make_spec, same, num_steps=3), dataset=copy, out=tmp_path / "fits", reporter=MemoryReporter())


def test_a_teacher_that_has_diverged_is_refused(dataset: Path, tmp_path: Path, make_spec: MakeSpec) -> None:
    model = Transformer(TEACHER, 64)
    with torch.no_grad():
        model.blocks[1].ffn.down.weight[2, :3] = float("nan")
    save_model(tmp_path / "teacher", model, TEACHER, 64)
    for kind in ("online", "offline"):
        with pytest.raises(InputError, match=r"NaN or infinite, in blocks\.1\.ffn\.down\.weight: 3"):
            train(
                distilled(make_spec, tmp_path / "teacher", kind=kind),
                dataset=dataset,
                out=tmp_path / kind,
                reporter=MemoryReporter(),
            )


def test_a_teacher_that_does_not_fit_into_memory_is_refused_unread(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec
) -> None:
    huge = tmp_path / "huge"
    huge.mkdir()
    (huge / "config.json").write_text("{}")
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 20, 1 << 22], "data_offsets": [0, 1 << 44]}}).encode()
    (huge / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match=r"needs about 16,384\.0 GiB and the training beside it .* smaller teacher"):
        train(distilled(make_spec, huge), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    with pytest.raises(InputError, match=r"needs about 16,384\.0 GiB, and .* GiB are free: take a smaller teacher"):
        train(distilled(make_spec, huge, kind="offline"), dataset=dataset, out=tmp_path, reporter=MemoryReporter())


def test_layers_and_heads_that_are_not_there_are_named(
    dataset: Path, tmp_path: Path, make_spec: MakeSpec, teacher: Path
) -> None:
    wrong = [{"student": 1, "teacher": 3}]
    for term, message in (
        ({"kind": "hidden_states", "layers": wrong}, "layer 3 of a teacher whose layers are 0 to 2"),
        ({"kind": "attention_transfer", "layers": wrong}, "layer 3 of a teacher"),
        ({"kind": "attention_transfer", "layers": PAIRS, "heads": "each"}, "has 6 heads and the student 4"),
    ):
        with pytest.raises(InputError, match=message):
            train(distilled(make_spec, teacher, term), dataset=dataset, out=tmp_path, reporter=MemoryReporter())
    with pytest.raises(InputError, match="there is no model"):
        train(distilled(make_spec, tmp_path / "no"), dataset=dataset, out=tmp_path, reporter=MemoryReporter())


def test_specs_that_cannot_be_are_refused(make_spec: MakeSpec, teacher: Path) -> None:
    beyond = {"kind": "hidden_states", "layers": [{"student": 2, "teacher": 0}]}
    for terms, kind, message in (
        ([beyond], "online", "layer 2 of a student whose layers are 0 to 1"),
        (INNER[1:2], "offline", "attention_transfer needs `teacher.kind: online`"),
        ([INNER[0], INNER[0]], "online", "distillation is there twice"),
    ):
        with pytest.raises(ValidationError, match=message):
            distilled(make_spec, teacher, *terms, kind=kind)
