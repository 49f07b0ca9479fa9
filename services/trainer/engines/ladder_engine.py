"""The ladder engine: one call from examples to verified adapters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from services.common.modeling.adapter import load_adapter
from services.common.modeling.evaluation import Evaluation, evaluate
from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.states import WordStateReader
from services.trainer.engines.activations import cached_activations
from services.trainer.engines.alignment import AlignmentNotes
from services.trainer.engines.dataset import Split, build_split
from services.trainer.engines.export import export_adapter
from services.trainer.engines.interface import (
    AdapterArtifact,
    Cancelled,
    Example,
    NoTrainingDataError,
    OnEvent,
    ParityReport,
    ShouldStop,
    Stage,
    TrainEvent,
    TrainRequest,
    TrainResult,
)
from services.trainer.engines.ladder_training import LadderTrainer
from services.trainer.engines.learning_curve import OPTION, learning_curve
from services.trainer.engines.run_identity import parity_examples, run_digest
from services.trainer.engines.task_choice import task_of
from services.trainer.engines.training_plan import EpochReport, TrainedLadder
from services.trainer.reports.model import LearningCurvePoint, ScoredText

_MIN_HELD_OUT = 2
# Share of the whole run at which each stage begins; training takes the larger part.
_BEGINS = {
    Stage.PREPARING: 0.0,
    Stage.ACTIVATIONS: 0.02,
    Stage.TRAINING: 0.35,
    Stage.EVALUATING: 0.93,
    Stage.PARITY: 0.97,
}


def train(request: TrainRequest, on_event: OnEvent, should_stop: ShouldStop) -> TrainResult:
    """Train the adapters of a request, evaluate them and compare them with onnxruntime.

    A call with the same request and work folder as one that ended early goes on from its last
    checkpoint and gives the same result as an uninterrupted one.

    Args:
        request: What to train.
        on_event: Told progress, metrics and log lines, from this thread.
        should_stop: Asked often.

    Returns:
        The adapters; check ``parity.passed`` before anything is registered.

    Raises:
        NoTrainingDataError: If there is no label, value or status, or nothing to learn from.
        ManifestError: If the trunk's files differ from its manifest.
        Cancelled: When `should_stop` says so.
    """
    return _Run(request, on_event, should_stop).run()


class _Run:
    def __init__(self, request: TrainRequest, on_event: OnEvent, should_stop: ShouldStop) -> None:
        request = replace(request, labels=sorted(set(request.labels)))
        self._task = task_of(request)
        self._given = {"train": request.train, "dev": request.dev, "test": request.test}
        self._request = replace(
            request,
            train=self._used(request.train),
            dev=self._used(request.dev),
            test=self._used(request.test),
        )
        self._on_event = on_event
        self._should_stop = should_stop
        self._timings: dict[str, float] = {}
        self._notes: list[str] = []
        self._texts: dict[str, Sequence[ScoredText]] = {}
        self._done = 0.0

    def _used(self, examples: Sequence[Example]) -> list[Example]:
        return [example for example in examples if self._task.uses(example)]

    def run(self) -> TrainResult:
        request = self._request
        if request.threads:
            torch.set_num_threads(request.threads)
        with self._stage(Stage.PREPARING, "opening the trunk"):
            trunk = TrunkRunner.open_folder(
                request.trunk_folder, providers=request.providers, threads=request.threads
            )
            reader = WordStateReader(
                trunk, max_length=request.params.max_length, stride=request.params.stride
            )
        with self._stage(Stage.ACTIVATIONS, "running the trunk over all splits"):
            splits = self._splits(reader)
        train_split, decider = self._decider(splits)
        with self._stage(Stage.TRAINING, self._training_line(train_split)):
            trained = self._train(trunk, train_split, decider[1])
        with self._stage(Stage.EVALUATING, "evaluating on the serving path"):
            evaluations = self._evaluate(reader, trained, splits, decider)
        curve = self._learning_curve(reader, train_split, decider, evaluations)
        with self._stage(Stage.PARITY, "comparing torch with onnxruntime"):
            adapters = self._export(trained, trunk.manifest, evaluations)
            parity = self._task.check_parity(
                adapters,
                reader=reader,
                providers=request.providers,
                examples=parity_examples(request),
                threads=request.threads,
            )
        self._finish(parity)
        return TrainResult(
            adapters=adapters,
            evaluations=evaluations,
            best_epochs=trained.best_epochs,
            parity=parity,
            timings=self._timings,
            notes=self._notes,
            texts=self._texts,
            learning_curve=curve,
        )

    def _splits(self, reader: WordStateReader) -> dict[str, Split]:
        request = self._request
        given = {"train": request.train, "dev": request.dev, "test": request.test}
        prepared = {
            name: reader.prepare([example.text for example in examples])
            for name, examples in given.items()
            if examples
        }
        words = {name: sum(len(t.words) for t in texts) for name, texts in prepared.items()}
        if not words.get("train"):
            raise NoTrainingDataError(self._task.nothing)
        total, before = sum(words.values()), 0
        splits = {}
        for name, texts in prepared.items():
            if not words[name]:
                continue

            def progress(share: float, name: str = name, before: int = before) -> None:
                self._progress(Stage.ACTIVATIONS, (before + share * words[name]) / total)

            activations = cached_activations(
                reader,
                texts,
                request.cache_dir,
                max_bytes=request.cache_bytes,
                spill_dir=request.work_dir,
                on_progress=progress,
                should_stop=self._should_stop,
            )
            before += words[name]
            cached = words[name] - activations.computed
            self._say(Stage.ACTIVATIONS, f"{name}: {words[name]} words, {cached} from the cache")
            for remark in activations.remarks:
                self._note(Stage.ACTIVATIONS, f"{name}: {remark}")
            notes = AlignmentNotes()
            splits[name] = build_split(given[name], texts, activations, self._task.tags, notes)
            for sentence in (*notes.sentences(name), *self._task.notes(name, self._given[name])):
                self._note(Stage.ACTIVATIONS, sentence)
        return splits

    def _decider(self, splits: dict[str, Split]) -> tuple[Split, tuple[str, Split | None]]:
        """Return what is trained on, and the split that decides, with its name."""
        train_split = splits["train"]
        if "dev" in splits:
            return train_split, ("dev", splits["dev"])
        count = len(train_split.examples)
        held = round(count * self._request.params.held_out)
        if held < _MIN_HELD_OUT:
            self._note(Stage.TRAINING, "no dev split: trained for a fixed number of epochs")
            return train_split, ("dev", None)
        self._note(Stage.TRAINING, f"no dev split: {held} training texts are held out instead")
        order = np.random.default_rng((self._request.params.seed, 1)).permutation(count).tolist()
        held_out = train_split.subset(sorted(order[:held]))
        return train_split.subset(sorted(order[held:])), ("held_out", held_out)

    def _train(
        self, trunk: TrunkRunner, train_split: Split, dev: Split | None, part: str = ""
    ) -> TrainedLadder:
        request = self._request
        if part:
            # A run of its own, with its own checkpoint, whose passes are not the job's.
            home = request.work_dir / part
            home.mkdir(exist_ok=True)
            request = replace(request, train=train_split.examples, work_dir=home)
        trainer = LadderTrainer(
            task=self._task,
            architecture=self._task.architecture(trunk.manifest, request.params),
            train=train_split,
            dev=dev if dev is not None and dev.words else None,
            params=request.params,
            run_digest=run_digest(request, trunk.manifest.digest),
            work_dir=request.work_dir,
        )
        if trainer.resumed:
            self._say(Stage.TRAINING, f"resumed after epoch {trainer.resumed}")
        if part:
            return trainer.run(lambda _: None, lambda _: None, self._should_stop)
        return trainer.run(
            self._on_epoch,
            lambda share: self._progress(Stage.TRAINING, share),
            self._should_stop,
        )

    def _learning_curve(
        self,
        reader: WordStateReader,
        train_split: Split,
        decider: tuple[str, Split | None],
        evaluations: Mapping[str, Evaluation],
    ) -> Sequence[LearningCurvePoint]:
        name, dev = decider
        if not self._request.options.get(OPTION) or dev is None or name not in evaluations:
            return ()
        started = time.monotonic()

        def measure(part: Split) -> float:
            size = len(part.examples)
            trained = self._train(reader.trunk, part, dev, f"part-{size}")
            artifacts = self._export(trained, reader.trunk.manifest, {})
            micro = self._judge(artifacts, dev, reader.trunk.manifest)[0].micro
            self._say(Stage.EVALUATING, f"learning curve: {size} texts, micro F1 {micro.f1:.4f}")
            return micro.f1

        seed, best = self._request.params.seed, evaluations[name].micro.f1
        curve = learning_curve(train_split, seed, best, measure)
        self._timings[OPTION] = time.monotonic() - started
        return curve

    def _judge(
        self, artifacts: Mapping[str, AdapterArtifact], split: Split, trunk: TrunkManifest
    ) -> tuple[Evaluation, Sequence[ScoredText]]:
        """Return how adapters do on a split, with their bytes read as for the serving bank."""
        weights = [load_adapter(item.manifest, item.weights) for item in artifacts.values()]
        texts = self._task.predict(weights, split, trunk, self._request.providers)
        gold = [text.gold for text in texts]
        found = [[span[:3] for span in text.predicted] for text in texts]
        return evaluate(gold, found, self._task.counted), texts

    def _on_epoch(self, report: EpochReport) -> None:
        self._on_event(report.to_event(self._done))

    def _evaluate(
        self,
        reader: WordStateReader,
        trained: TrainedLadder,
        splits: dict[str, Split],
        decider: tuple[str, Split | None],
    ) -> dict[str, Evaluation]:
        name, dev = decider
        judged = {name: dev, "test": splits.get("test")}
        artifacts = self._export(trained, reader.trunk.manifest, {})
        evaluations = {}
        for split_name, split in judged.items():
            if split is None:
                continue
            if self._should_stop():
                raise Cancelled
            evaluation, texts = self._judge(artifacts, split, reader.trunk.manifest)
            evaluations[split_name], self._texts[split_name] = evaluation, texts
            micro = evaluation.micro
            self._on_event(
                TrainEvent(
                    stage=Stage.EVALUATING,
                    progress=self._done,
                    message=f"{split_name}: micro F1 {micro.f1:.4f} (P {micro.precision:.4f}, "
                    f"R {micro.recall:.4f}, {micro.support} annotated)",
                    metrics={f"{split_name}_micro_f1": micro.f1},
                )
            )
        return evaluations

    def _export(
        self,
        trained: TrainedLadder,
        trunk: TrunkManifest,
        evaluations: Mapping[str, Evaluation],
    ) -> dict[str, AdapterArtifact]:
        return {
            name: export_adapter(
                trained,
                name,
                trunk=trunk,
                params=self._request.params,
                evaluations=evaluations,
                lineage=self._request.lineage,
            )
            for name in self._task.names
        }

    def _training_line(self, train_split: Split) -> str:
        return (
            f"training {self._task.title} on {len(train_split.examples)} texts, "
            f"{train_split.words} words"
        )

    def _finish(self, parity: ParityReport) -> None:
        self._done = 1.0
        verdict = "passed" if parity.passed else f"failed: {parity.reason}"
        self._say(Stage.PARITY, f"parity {verdict} (largest difference {parity.max_abs_diff:.2g})")

    @contextmanager
    def _stage(self, stage: Stage, message: str) -> Iterator[None]:
        if self._should_stop():
            raise Cancelled
        self._progress(stage, 0.0, message)
        started = time.monotonic()
        yield
        self._timings[stage.lower()] = time.monotonic() - started

    def _progress(self, stage: Stage, share: float, message: str = "") -> None:
        stages = list(_BEGINS)
        following = [*_BEGINS.values(), 1.0][stages.index(stage) + 1]
        done = _BEGINS[stage] + share * (following - _BEGINS[stage])
        # A step is too little news for an event of its own.
        if message or done - self._done >= 0.005:
            self._done = max(self._done, done)
            self._on_event(TrainEvent(stage=stage, progress=self._done, message=message))

    def _say(self, stage: Stage, message: str) -> None:
        self._on_event(TrainEvent(stage=stage, progress=self._done, message=message))

    def _note(self, stage: Stage, sentence: str) -> None:
        self._notes.append(sentence)
        self._say(stage, sentence)
