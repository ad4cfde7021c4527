"""Batches out of several sources by weight, through one stage or several.

Whose turn each sequence is hangs on its position in the stage alone (`workers.data.mixture`). Each source is a stream
(`workers.training.stream`) that all stages read on: a stage begins where those before it stopped.

Shapes: S sequences of a batch, K sources of a stage, N sources of the run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workers.data.mixture import TokenSource, Turns
from workers.specs.training.stages import PlannedStage
from workers.training.batches import Ints, Sequences
from workers.training.mixture import Selection, Source, mixture_of
from workers.training.state import Place, TrainerState
from workers.training.stream import Stream


@dataclass(slots=True)
class _Reading:
    """How one stage reads."""

    plan: PlannedStage
    turns: Turns
    streams: Ints
    """Number in the run of each source of the stage."""
    sequence_tokens: int
    batch_sequences: int


class StageOrder:
    """Which part of which source each sequence is; the same interface as `BatchOrder`."""

    def __init__(
        self, plan: Sequence[PlannedStage], sources: Mapping[Selection, Source], num_ranks: int, seed: int
    ) -> None:
        """Raises InputError when a source is shorter than the longest sequence that is read from it."""
        self.unit_tokens = min(stage.batch.sequence_tokens for stage in plan)
        self.sources = list(sources.values())
        self.labels = _labels(self.sources)
        longest = {
            key: max(s.batch.sequence_tokens for s in plan if key in {m.selection for m in mixture_of(s)})
            for key in sources
        }
        self.streams = [
            Stream(source.train, label, self.unit_tokens, longest[key], [seed, number])
            for number, (label, (key, source)) in enumerate(zip(self.labels, sources.items(), strict=True))
        ]
        numbers = {key: number for number, key in enumerate(sources)}
        self._readings = [
            _Reading(
                plan=stage,
                turns=Turns([source.weight for source in mixture_of(stage)]),
                streams=np.array([numbers[source.selection] for source in mixture_of(stage)], dtype=np.int64),
                sequence_tokens=stage.batch.sequence_tokens,
                batch_sequences=stage.batch.sequences * num_ranks,
            )
            for stage in plan
        ]
        self._begun: dict[tuple[int, ...], Ints] = {}

    def begin(self, earlier: tuple[int, ...]) -> Ints:
        """Position of each stream after stages that used so many batches each, in tokens.  -> (N,)"""
        if earlier not in self._begun:
            positions_N = np.zeros(len(self.streams), dtype=np.int64)
            for reading, num_batches in zip(self._readings, earlier, strict=False):
                counts_K = reading.turns.counts(num_batches * reading.batch_sequences)
                positions_N[reading.streams] += counts_K * reading.sequence_tokens
            self._begun = {earlier: positions_N}
        return self._begun[earlier]

    def windows(self, place: Place) -> tuple[Ints, Ints]:
        """Source and position in its stream (in tokens) of each sequence of a batch.  -> (S,), (S,)"""
        reading = self._readings[place.stage]
        start = place.number * reading.batch_sequences
        turns_S, before_S = reading.turns.take(start, start + reading.batch_sequences)
        sources_S = reading.streams[turns_S]
        return sources_S, self.begin(place.earlier)[sources_S] + before_S * reading.sequence_tokens

    def part(self, place: Place, rank: int, num_ranks: int) -> Sequences:
        """The part of the batch at `place` that belongs to process `rank` of `num_ranks`."""
        reading = self._readings[place.stage]
        size = reading.batch_sequences // num_ranks
        sources, positions = (part[rank * size : (rank + 1) * size] for part in self.windows(place))
        rows = [
            self.streams[int(n)].sequence(int(position), reading.sequence_tokens)
            for n, position in zip(sources, positions, strict=True)
        ]
        joined = {
            name: torch.cat([getattr(row, name) for row in rows])
            for name in ("tokens", "targets", "documents", "positions")
        }
        return Sequences(**joined, sources=torch.from_numpy(sources.copy()))

    def epochs(self, state: TrainerState) -> float:
        """How often, on the mean, the stages' data were gone through."""
        return sum(
            num_batches * reading.batch_sequences * reading.sequence_tokens / self._stage_tokens(reading)
            for reading, num_batches in zip(self._readings, state.stage_batches, strict=False)
        )

    def _stage_tokens(self, reading: _Reading) -> int:
        return sum(self._epoch_tokens(reading))

    def seen(self, state: TrainerState) -> Iterator[tuple[TokenSource, Ints]]:
        """Each source with the sorted numbers of its windows of `unit_tokens` that were seen, each once."""
        marks = [np.zeros(stream.num_units, dtype=np.bool_) for stream in self.streams]
        for place in _taken(state):
            for source, position in zip(*self.windows(place), strict=True):
                length = self._readings[place.stage].sequence_tokens
                self.streams[source].mark(marks[source], int(position), length)
        for stream, mark in zip(self.streams, marks, strict=True):
            yield stream.source, np.flatnonzero(mark).astype(np.int64)

    def shares(self, state: TrainerState) -> dict[str, Any]:
        """What was taken of each source, by stage: for a summary. With one stage it is `mixture`, else `stages`."""
        found = [self._stage_shares(state, number) for number in range(len(state.stage_batches))]
        return {"mixture": found[0]["mixture"]} if len(self._readings) == 1 else {"stages": found}

    def _stage_shares(self, state: TrainerState, stage: int) -> dict[str, Any]:
        reading, num_batches = self._readings[stage], state.stage_batches[stage]
        counts_K = reading.turns.counts(num_batches * reading.batch_sequences)
        for number in (n for n in sorted(state.left_out(stage)) if n < num_batches):
            start = number * reading.batch_sequences
            turns_S, _ = reading.turns.take(start, start + reading.batch_sequences)
            counts_K = counts_K - np.bincount(turns_S, minlength=len(counts_K))
        tokens_K = counts_K * reading.sequence_tokens
        mixture = [
            source.model_dump(mode="json") | {"tokens": int(tokens), "epochs": round(int(tokens) / epoch_tokens, 4)}
            for source, tokens, epoch_tokens in zip(
                mixture_of(reading.plan), tokens_K, self._epoch_tokens(reading), strict=True
            )
        ]
        return {"name": reading.plan.name, "tokens": int(tokens_K.sum()), "mixture": mixture}

    def _epoch_tokens(self, reading: _Reading) -> list[int]:
        return [self.streams[n].num_units * self.unit_tokens for n in reading.streams]


def _taken(state: TrainerState) -> Iterator[Place]:
    """Places of all batches that were read, in their order."""
    for stage, num_batches in enumerate(state.stage_batches):
        left_out = state.left_out(stage)
        earlier = tuple(state.stage_batches[:stage])
        yield from (Place(number, stage, earlier) for number in range(num_batches) if number not in left_out)


def _labels(sources: Sequence[Source]) -> tuple[str, ...]:
    """A name for each source; equal ones are numbered."""
    names = [source.spec.label for source in sources]
    return tuple(name if names.count(name) == 1 else f"{name} {number + 1}" for number, name in enumerate(names))
