"""What the runs of all engines share: task, evaluation on the serving path, export, parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.common.modeling.adapter import load_adapter
from services.common.modeling.evaluation import Evaluation, evaluate
from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.states import PreparedText, WordStateReader
from services.trainer.engines.activations import Activations, cached_activations
from services.trainer.engines.alignment import AlignmentNotes
from services.trainer.engines.dataset import Split, TextSplit, build_split
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
    TrainRequest,
)
from services.trainer.engines.memory import keep_freed_memory
from services.trainer.engines.run_identity import parity_examples
from services.trainer.engines.run_log import RunLog
from services.trainer.engines.task_choice import task_of
from services.trainer.engines.training_plan import TrainedLadder
from services.trainer.reports.model import ScoredText

_MIN_HELD_OUT = 2


class EngineRun:
    """One run of an engine.

    Attributes:
        task: What is trained.
        request: The request with the examples that the task uses.
        given: All examples, by split.
        log: What is told.
        texts: By split: the texts that were evaluated.
    """

    def __init__(
        self,
        request: TrainRequest,
        on_event: OnEvent,
        should_stop: ShouldStop,
        begins: Mapping[Stage, float],
    ) -> None:
        """Prepare a run.

        Args:
            request: What to train.
            on_event: Told everything.
            should_stop: Asked often.
            begins: Share of the whole run at which each stage begins, in the order of work.

        Raises:
            NoTrainingDataError: There is no label, value or status.
        """
        request = replace(request, labels=sorted(set(request.labels)))
        self.task = task_of(request)
        self.given = {"train": request.train, "dev": request.dev, "test": request.test}
        self.request = replace(
            request,
            train=self._used(request.train),
            dev=self._used(request.dev),
            test=self._used(request.test),
        )
        self.should_stop = should_stop
        self.log = RunLog(on_event, should_stop, begins)
        self.texts: dict[str, Sequence[ScoredText]] = {}
        keep_freed_memory()
        if request.threads:
            torch.set_num_threads(request.threads)

    def reader(self, trunk: TrunkRunner) -> WordStateReader:
        """Return what reads a trunk in the windows that were asked for."""
        params = self.request.params
        return WordStateReader(trunk, max_length=params.max_length, stride=params.stride)

    def open_trunk(self, folder: Path) -> TrunkRunner:
        """Return a trunk as the request wants it run.

        Raises:
            ManifestError: Its files differ from its manifest.
        """
        request = self.request
        return TrunkRunner.open_folder(folder, providers=request.providers, threads=request.threads)

    def activations(
        self,
        reader: WordStateReader,
        texts: Sequence[PreparedText],
        on_progress: Callable[[float], None],
    ) -> Activations:
        """Return the states of texts, from the shared cache where it has them.

        Raises:
            Cancelled: When asked to stop.
            NoRoomError: Neither the cache nor the job's folder can hold them.
        """
        return cached_activations(
            reader,
            texts,
            self.request.cache_dir,
            max_bytes=self.request.cache_bytes,
            spill_dir=self.request.work_dir,
            on_progress=on_progress,
            should_stop=self.should_stop,
        )

    def cached_splits(self, reader: WordStateReader) -> dict[str, Split]:
        """Return the splits that have words, with what a frozen trunk says about them.

        Raises:
            NoTrainingDataError: The training split has none.
            Cancelled: When asked to stop.
        """
        request, log = self.request, self.log
        given = {"train": request.train, "dev": request.dev, "test": request.test}
        prepared = {
            name: reader.prepare([example.text for example in examples])
            for name, examples in given.items()
            if examples
        }
        words = {name: sum(len(t.words) for t in texts) for name, texts in prepared.items()}
        if not words.get("train"):
            raise NoTrainingDataError(self.task.nothing)
        total, before = sum(words.values()), 0
        splits = {}
        for name, texts in prepared.items():
            if not words[name]:
                continue

            def progress(share: float, name: str = name, before: int = before) -> None:
                log.progress(Stage.ACTIVATIONS, (before + share * words[name]) / total)

            activations = self.activations(reader, texts, progress)
            before += words[name]
            cached = words[name] - activations.computed
            log.say(Stage.ACTIVATIONS, f"{name}: {words[name]} words, {cached} from the cache")
            for remark in activations.remarks:
                log.note(Stage.ACTIVATIONS, f"{name}: {remark}")
            notes = AlignmentNotes()
            splits[name] = build_split(given[name], texts, activations, self.task.tags, notes)
            for sentence in (*notes.sentences(name), *self.task.notes(name, self.given[name])):
                log.note(Stage.ACTIVATIONS, sentence)
        return splits

    def judged_splits(
        self, reader: WordStateReader, examples: Mapping[str, Sequence[Example]]
    ) -> dict[str, Split]:
        """Return the splits that are evaluated and have words, with what a trunk says about them.

        For a trunk that this run made: the training texts are not run through it.

        Raises:
            Cancelled: When asked to stop.
        """
        splits = {}
        for name in ("dev", "held_out", "test"):
            given = examples.get(name, ())
            texts = reader.prepare([example.text for example in given])
            if not any(text.words for text in texts):
                continue
            activations = self.activations(reader, texts, lambda _: None)
            for remark in activations.remarks:
                self.log.note(Stage.ACTIVATIONS, f"{name}: {remark}")
            notes = AlignmentNotes()
            splits[name] = build_split(given, texts, activations, self.task.tags, notes)
        return splits

    def decider(self, splits: dict[str, Split]) -> tuple[Split, tuple[str, Split | None]]:
        """Return what is trained on, and the split that decides, with its name."""
        train_split = splits["train"]
        if "dev" in splits:
            return train_split, ("dev", splits["dev"])
        learned, held = self.held_out(len(train_split.examples))
        if not held:
            return train_split, ("dev", None)
        return train_split.subset(learned), ("held_out", train_split.subset(held))

    def held_out(self, count: int) -> tuple[list[int], list[int]]:
        """Draw which of so many training texts stand in for a missing dev split.

        Returns:
            Those that are trained on and those that are held out; none if they are too few.
        """
        held = round(count * self.request.params.held_out)
        if held < _MIN_HELD_OUT:
            self.log.note(Stage.TRAINING, "no dev split: trained for a fixed number of epochs")
            return list(range(count)), []
        self.log.note(Stage.TRAINING, f"no dev split: {held} training texts are held out instead")
        order = np.random.default_rng((self.request.params.seed, 1)).permutation(count).tolist()
        return sorted(order[held:]), sorted(order[:held])

    def judge(
        self, artifacts: Mapping[str, AdapterArtifact], split: Split, trunk: TrunkManifest
    ) -> tuple[Evaluation, Sequence[ScoredText]]:
        """Return how adapters do on a split, with their bytes read as for the serving bank."""
        weights = [load_adapter(item.manifest, item.weights) for item in artifacts.values()]
        texts = self.task.predict(weights, split, trunk, self.request.providers)
        gold = [text.gold for text in texts]
        found = [[span[:3] for span in text.predicted] for text in texts]
        return evaluate(gold, found, self.task.counted), texts

    def evaluate(
        self,
        artifacts: Mapping[str, AdapterArtifact],
        splits: Mapping[str, Split],
        trunk: TrunkManifest,
    ) -> dict[str, Evaluation]:
        """Return how adapters do on these splits, and keep the texts.

        Raises:
            Cancelled: When asked to stop.
        """
        evaluations = {}
        for name, split in splits.items():
            if self.should_stop():
                raise Cancelled
            evaluations[name], self.texts[name] = self.judge(artifacts, split, trunk)
            micro = evaluations[name].micro
            self.log.say(
                Stage.EVALUATING,
                f"{name}: micro F1 {micro.f1:.4f} (P {micro.precision:.4f}, "
                f"R {micro.recall:.4f}, {micro.support} annotated)",
                {f"{name}_micro_f1": micro.f1},
            )
        return evaluations

    def evaluate_in_fp32(
        self,
        artifacts: Mapping[str, AdapterArtifact],
        trunk: TrunkManifest,
        name: str,
        examples: Sequence[Example],
    ) -> dict[str, Evaluation]:
        """Return how adapters do on a split when they read the request's trunk in fp32.

        It tells what the precision changes while serving, not what training on fp32 would have
        reached.

        Args:
            artifacts: The adapters.
            trunk: What they were trained on.
            name: The split's name.
            examples: Its examples.

        Returns:
            By the split's name; nothing where it has no words, or nobody wants to know.

        Raises:
            ManifestError: The trunk's files differ from its manifest.
            Cancelled: When asked to stop.
        """
        if self.request.fp32_trunk_folder is None:
            return {}
        reader = self.reader(self.open_trunk(self.request.fp32_trunk_folder))
        found = {
            split: self.judge(artifacts, states, trunk)[0]
            for split, states in self.judged_splits(reader, {name: examples}).items()
        }
        for split, evaluation in found.items():
            self.log.say(
                Stage.EVALUATING,
                f"{split}, the same adapters on the trunk in fp32: micro F1 "
                f"{evaluation.micro.f1:.4f}",
            )
        return found

    def export(
        self,
        trained: TrainedLadder,
        trunk: TrunkManifest,
        evaluations: Mapping[str, Evaluation],
        lineage: Mapping[str, Any],
    ) -> dict[str, AdapterArtifact]:
        """Return the adapters by name; `lineage` is joined to the request's."""
        return {
            name: export_adapter(
                trained,
                name,
                trunk=trunk,
                params=self.request.params,
                evaluations=evaluations,
                lineage={**self.request.lineage, **lineage},
            )
            for name in self.task.names
        }

    def check_parity(
        self, adapters: Mapping[str, AdapterArtifact], reader: WordStateReader
    ) -> ParityReport:
        """Compare torch with onnxruntime, and tell the end of the run."""
        parity = self.task.check_parity(
            adapters,
            reader=reader,
            providers=self.request.providers,
            examples=parity_examples(self.request),
            threads=self.request.threads,
        )
        self.log.finish(parity)
        return parity

    def training_line(self, split: TextSplit) -> str:
        """Return what the log says when training begins."""
        return f"training {self.task.title} on {len(split.examples)} texts, {split.words} words"

    def _used(self, examples: Sequence[Example]) -> list[Example]:
        return [example for example in examples if self.task.uses(example)]
