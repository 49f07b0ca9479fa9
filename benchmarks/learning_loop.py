"""The loop of active learning in one process: train, judge the pool, rank it, annotate, again.

Training is the ladder engine's, signals are computed by the code of the inference service, and
texts are ranked by that of the annotation service. Only the trunk runs once and for all: what it
says of each text is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning_data import LearningSet
from benchmarks.serving.batches import answers_of, batch_of, segments_of
from services.annotation.suggestions.domain import DEFAULT_MIX, Strategy, StrategyWeight
from services.annotation.suggestions.ranking import Pool, rank
from services.common.modeling.adapter import AdapterWeights, load_adapter
from services.common.modeling.manifest import Head
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.pooled import PooledBank
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.packing import WordInputs
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import PreparedText, Segment, WordStateReader
from services.inference.answers import PartRows, Wish, answer
from services.inference.engine.batch import Ask
from services.inference.engine.part import Part, TextRows, Want
from services.trainer.engines.activations import cached_activations
from services.trainer.engines.interface import TrainRequest, TrainResult
from services.trainer.engines.ladder_engine import train
from services.trainer.engines.params import LadderParams

CPU = ("CPUExecutionProvider",)
_CONTROL = "intent"
_TEXTS_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of a learning curve: so many texts and words annotated give this F1 on test."""

    texts: int
    words: int
    f1: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the loop runs.

    Attributes:
        start: Texts annotated at first, the same for all strategies.
        step: Texts annotated in each round.
        rounds: Trainings.
        params: Of each training.
        seed: Of the first texts, of training and of what strategies draw.
        threads: Of training; 0 for all cores.
    """

    start: int
    step: int
    rounds: int
    params: LadderParams
    seed: int
    threads: int = 0


class KnownStates(WordStateReader):
    """Reads the states of texts that the trunk has seen already."""

    def __init__(self, reader: WordStateReader, texts: Sequence[str], cache: Path) -> None:
        """Run the trunk over the texts, or find them in the cache."""
        super().__init__(reader.trunk, max_length=reader.max_length, stride=reader.stride)
        self.texts = reader.prepare(texts)
        found = cached_activations(
            reader,
            self.texts,
            cache,
            max_bytes=64 * 1024**3,
            spill_dir=cache,
            on_progress=lambda _: None,
            should_stop=lambda: False,
        )
        self._states = found.states
        self._starts = {
            id(text): int(start) for text, start in zip(self.texts, found.offsets, strict=False)
        }

    def read(
        self,
        segments: Sequence[Segment],
        *,
        independent: bool = False,  # noqa: ARG002
    ) -> list[WordInputs]:
        """See `WordStateReader.read`."""
        return [self._inputs(segment) for segment in segments]

    def _inputs(self, segment: Segment) -> WordInputs:
        start = self._starts[id(segment.text)]
        rows = self._states[start + segment.start : start + segment.end]
        words = slice(segment.start, segment.end)
        return WordInputs(
            states=rows.transpose(1, 0, 2).astype(np.float32),
            features=segment.text.features[words],
            present=segment.text.encoded.word_pieces[words, 0] >= 0,
        )


class Loop:
    """The loop over one set; curves of several strategies begin with the same training."""

    def __init__(self, data: LearningSet, trunk_folder: Path, cache: Path, plan: Plan) -> None:
        """Run the trunk over the pool."""
        self._data = data
        self._plan = plan
        self._folder = trunk_folder
        self._cache = cache
        runner = TrunkRunner.open_folder(trunk_folder, providers=CPU, threads=plan.threads)
        self._runtime = BankRuntime(runner.manifest, providers=CPU, threads=plan.threads)
        params = plan.params
        reader = WordStateReader(runner, max_length=params.max_length, stride=params.stride)
        self._states = KnownStates(reader, [example.text for example in data.pool], cache)
        draw = np.random.default_rng(plan.seed)
        self._first = sorted(draw.permutation(len(data.pool))[: plan.start].tolist())
        self._embeddings = self._embed()
        self._trained_first: TrainResult | None = None

    def curve(self, strategy: Strategy, on_point: Callable[[Point], None]) -> list[Point]:
        """Return the learning curve of a strategy."""
        annotated = list(self._first)
        points: list[Point] = []
        for number in range(self._plan.rounds):
            result = self._train(annotated) if number else self._trained_once()
            points.append(
                Point(
                    texts=len(annotated),
                    words=sum(len(self._states.texts[index].words) for index in annotated),
                    f1=result.evaluations["test"].micro.f1,
                )
            )
            on_point(points[-1])
            if number + 1 < self._plan.rounds:
                annotated += self._choose(strategy, annotated, result, number)
        return points

    def _trained_once(self) -> TrainResult:
        if self._trained_first is None:
            self._trained_first = self._train(self._first)
        return self._trained_first

    def _train(self, annotated: Sequence[int]) -> TrainResult:
        data = self._data
        with tempfile.TemporaryDirectory() as work:
            request = TrainRequest(
                # In an order that says nothing about who chose the texts.
                train=[data.pool[index] for index in sorted(annotated)],
                dev=data.dev,
                test=data.test,
                labels=data.labels,
                model_type=data.model_type,
                control=_CONTROL if data.model_type == "classification" else "",
                trunk_folder=self._folder,
                work_dir=Path(work),
                cache_dir=self._cache,
                params=self._plan.params,
                threads=self._plan.threads,
            )
            return train(request, lambda _: None, lambda: False)

    def _choose(
        self, strategy: Strategy, annotated: Sequence[int], result: TrainResult, number: int
    ) -> list[int]:
        """Return what SuggestTasks would suggest."""
        known = set(annotated)
        left = [index for index in range(len(self._data.pool)) if index not in known]
        mix = [StrategyWeight(strategy=strategy, weight=1.0)]
        if strategy is Strategy.MIXED:
            mix = list(DEFAULT_MIX)
        measures = np.zeros((len(left), 3), dtype=np.float32)
        if any(one.strategy.needs_predictions for one in mix):
            measures = self._measure(result, left)
        pool = Pool(
            measures=measures,
            embedded=np.arange(len(left)),
            embeddings=self._embeddings[left],
            centres=self._embeddings[annotated],
        )
        ranked = rank(pool, mix, self._plan.step, seed=self._plan.seed * 1_000 + number)
        return [left[one.index] for one in ranked]

    def _measure(self, result: TrainResult, indices: Sequence[int]) -> NDArray[np.float32]:
        """Return how sure the model is of texts, as inference tells it."""
        weights = [load_adapter(one.manifest, one.weights) for one in result.adapters.values()]
        part = self._part(weights)
        want = Want(
            labels=tuple(range(len(part.labels))), controls=tuple(range(len(part.controls)))
        )
        found = []
        for start in range(0, len(indices), _TEXTS_AT_ONCE):
            texts = [self._states.texts[index] for index in indices[start : start + _TEXTS_AT_ONCE]]
            for text, rows in zip(texts, self._rows(part, texts, want), strict=True):
                said = PartRows(part=part, want=want, prepared=text, rows=rows)
                told = answer(text.encoded.text, [said], Wish(uncertainty=True), ()).uncertainty
                if told is None:
                    raise RuntimeError("no uncertainty was told")
                found.append((told.least_confidence, told.margin, told.entropy))
        return np.asarray(found, dtype=np.float32)

    def _embed(self) -> NDArray[np.float32]:
        part, want = self._part([]), Want(embedding=True)
        found = []
        for start in range(0, len(self._states.texts), _TEXTS_AT_ONCE):
            texts = self._states.texts[start : start + _TEXTS_AT_ONCE]
            for text, rows in zip(texts, self._rows(part, texts, want), strict=True):
                said = PartRows(part=part, want=want, prepared=text, rows=rows)
                told = answer(text.encoded.text, [said], Wish(embedding=True), ()).embedding
                if told is None:
                    raise RuntimeError(f"a text of the pool has no word: {text.encoded.text!r}")
                found.append(np.frombuffer(told.data, dtype="<f2").astype(np.float32))
        return np.stack(found)

    def _part(self, weights: Sequence[AdapterWeights]) -> Part:
        by_head = {
            head: [one for one in weights if one.manifest.architecture.head is head]
            for head in Head
        }
        bank = Bank.stack(self._runtime, by_head[Head.TAGS])
        choices = by_head[Head.CHOICES]
        return Part(
            predictor=TextPredictor(self._states, bank),
            choices=PooledBank.stack(self._runtime, Head.CHOICES, choices) if choices else None,
        )

    def _rows(self, part: Part, texts: Sequence[PreparedText], want: Want) -> list[TextRows]:
        ask = Ask(part=part, want=want)
        rows = [TextRows.empty(text, want) for text in texts]
        work = [
            (place, segment)
            for place, text in enumerate(texts)
            for segment in segments_of(text, ask)
        ]
        answers = answers_of(batch_of([segment for _, segment in work], ask))
        for (place, segment), said in zip(work, answers, strict=True):
            rows[place].add(segment, said)
        return rows
