"""The ladder engine: one call from examples to verified adapters."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.evaluation import Evaluation
from services.common.modeling.heads import Head
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.states import WordStateReader
from services.trainer.engines import distillation
from services.trainer.engines.batch import CachedStates
from services.trainer.engines.dataset import Split
from services.trainer.engines.engine_run import EngineRun
from services.trainer.engines.interface import (
    EngineError,
    OnEvent,
    ShouldStop,
    Stage,
    TrainRequest,
    TrainResult,
)
from services.trainer.engines.ladder_training import LadderTrainer
from services.trainer.engines.learning_curve import OPTION, learning_curve
from services.trainer.engines.run_identity import run_digest
from services.trainer.engines.tags_task import TagsLesson
from services.trainer.engines.training_plan import TrainedLadder
from services.trainer.engines.transfer import load_initial
from services.trainer.reports.model import LearningCurvePoint

# Share of the whole run at which each stage begins; training takes the larger part.
_BEGINS = {
    Stage.PREPARING: 0.0,
    Stage.ACTIVATIONS: 0.02,
    Stage.TRAINING: 0.35,
    Stage.EVALUATING: 0.93,
    Stage.PARITY: 0.97,
}
_LINEAGE = {"engine": "ladder"}


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
        EngineError: If an adapter that training starts from does not fit, or an option.
        ManifestError: If the trunk's files differ from its manifest.
        Cancelled: When `should_stop` says so.
    """
    return _Run(request, on_event, should_stop, _BEGINS).run()


class _Run(EngineRun):
    def run(self) -> TrainResult:
        request, log = self.request, self.log
        with log.stage(Stage.PREPARING, "opening the trunk"):
            trunk = self.open_trunk(request.trunk_folder)
            reader = self.reader(trunk)
        with log.stage(Stage.ACTIVATIONS, "running the trunk over all splits"):
            splits = self.cached_splits(reader)
        train_split, decider = self.decider(splits)
        with log.stage(Stage.TRAINING, self.training_line(train_split)):
            lesson = self._with_opinions(trunk, train_split, decider[1])
            trained = self._train(trunk, lesson, decider[1])
        with log.stage(Stage.EVALUATING, "evaluating on the serving path"):
            name, dev = decider
            judged = {name: dev, "test": splits.get("test")}
            artifacts = self.export(trained, trunk.manifest, {}, _LINEAGE)
            evaluations = self.evaluate(
                artifacts,
                {name: split for name, split in judged.items() if split is not None},
                trunk.manifest,
            )
            examples = () if dev is None else dev.examples
            in_fp32 = self.evaluate_in_fp32(artifacts, trunk.manifest, name, examples)
        curve = self._learning_curve(reader, train_split, decider, evaluations)
        with log.stage(Stage.PARITY, "comparing torch with onnxruntime"):
            adapters = self.export(trained, trunk.manifest, evaluations, _LINEAGE)
            parity = self.check_parity(adapters, reader)
        return TrainResult(
            adapters=adapters,
            evaluations=evaluations,
            best_epochs=trained.best_epochs,
            parity=parity,
            timings=log.timings,
            notes=log.notes,
            texts=self.texts,
            learning_curve=curve,
            fp32_evaluations=in_fp32,
        )

    def _train(
        self, trunk: TrunkRunner, train_split: Split, dev: Split | None, part: str = ""
    ) -> TrainedLadder:
        request, log = self.request, self.log
        if part:
            # A run of its own, with its own checkpoint, whose passes are not the job's.
            home = request.work_dir / part
            home.mkdir(parents=True, exist_ok=True)
            request = replace(request, train=train_split.examples, work_dir=home)
        trainer = LadderTrainer(
            task=self.task,
            architecture=self.task.architecture(trunk.manifest, request.params),
            train=train_split,
            dev=dev if dev is not None and dev.words else None,
            params=request.params,
            run_digest=run_digest(request, trunk.manifest.digest),
            work_dir=request.work_dir,
            initial=load_initial(request.initial, trunk.manifest.digest),
            say=lambda sentence: log.say(Stage.TRAINING, sentence),
        )
        if trainer.resumed:
            log.say(Stage.TRAINING, f"resumed after epoch {trainer.resumed}")
        if part:
            return trainer.run(lambda _: None, lambda _: None, self.should_stop)
        # Teachers were trained before.
        folds = self._folds
        return trainer.run(
            log.epoch,
            lambda share: log.progress(Stage.TRAINING, (folds + share) / (folds + 1)),
            self.should_stop,
        )

    @property
    def _folds(self) -> int:
        return int(self.request.options.get(distillation.OPTION, 0))

    def _with_opinions(self, trunk: TrunkRunner, train_split: Split, dev: Split | None) -> Split:
        """Return what is learned from, with the opinions of teachers where they are asked for."""
        folds = self._folds
        if not folds:
            return train_split
        if folds == 1 or self.task.head is not Head.TAGS:
            raise EngineError(
                f"{distillation.OPTION} must be 0 or from 2 on, and 0 but for spans (ner)"
            )
        architecture = self.task.architecture(trunk.manifest, self.request.params)

        def ask(rest: Split, left_out: Split, fold: int) -> NDArray[np.float32]:
            trained = self._train(trunk, rest, dev, f"teacher-{fold}")
            self.log.progress(
                Stage.TRAINING,
                (fold + 1) / (folds + 1),
                f"teacher {fold + 1} of {folds} is trained on {len(rest.examples)} texts and asked "
                f"about {len(left_out.examples)}",
            )
            return TagsLesson(
                left_out,
                CachedStates(),
                architecture,
                self.task.names,
                self.request.params.batch_words,
            ).probabilities(trained.ladder)

        return distillation.with_opinions(train_split, folds, ask)

    def _learning_curve(
        self,
        reader: WordStateReader,
        train_split: Split,
        decider: tuple[str, Split | None],
        evaluations: Mapping[str, Evaluation],
    ) -> Sequence[LearningCurvePoint]:
        name, dev = decider
        if not self.request.options.get(OPTION) or dev is None or name not in evaluations:
            return ()
        started = time.monotonic()
        manifest = reader.trunk.manifest

        def measure(part: Split) -> float:
            size = len(part.examples)
            trained = self._train(reader.trunk, part, dev, f"part-{size}")
            artifacts = self.export(trained, manifest, {}, _LINEAGE)
            micro = self.judge(artifacts, dev, manifest)[0].micro
            line = f"learning curve: {size} texts, micro F1 {micro.f1:.4f}"
            self.log.say(Stage.EVALUATING, line)
            return micro.f1

        seed, best = self.request.params.seed, evaluations[name].micro.f1
        curve = learning_curve(train_split, seed, best, measure)
        self.log.timings[OPTION] = time.monotonic() - started
        return curve
