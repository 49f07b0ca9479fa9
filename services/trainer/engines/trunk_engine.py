"""The engines `lora` and `full`: the trunk learns too, and is exported as a trunk of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from services.common.modeling.manifest import LadderArchitecture, TrunkManifest
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.states import WordStateReader
from services.trainer.engines.alignment import AlignmentNotes
from services.trainer.engines.dataset import TextSplit, build_text_split
from services.trainer.engines.engine_run import EngineRun
from services.trainer.engines.interface import (
    EngineError,
    Example,
    NoTrainingDataError,
    OnEvent,
    ShouldStop,
    Stage,
    TrainRequest,
    TrainResult,
)
from services.trainer.engines.joint_training import JointSettings, JointTrainer
from services.trainer.engines.run_identity import run_digest
from services.trainer.engines.training_plan import TrainedLadder
from services.trainer.engines.trunk_export import PARITY_LIMIT, export_trunk
from services.trainer.engines.trunk_names import TUNED_PREFIX
from services.trainer.engines.trunk_source import TrunkSource, load_trunk
from services.trainer.engines.trunk_twin import with_twin
from services.trainer.engines.tunable_trunk import TunableTrunk

_BEGINS = {
    Stage.PREPARING: 0.0,
    Stage.TRAINING: 0.03,
    Stage.ACTIVATIONS: 0.9,
    Stage.EVALUATING: 0.96,
    Stage.PARITY: 0.98,
}
_PROBE = "The Supplier shall deliver 3 goods to Acme Ltd. in Rotterdam."


def train_lora(request: TrainRequest, on_event: OnEvent, should_stop: ShouldStop) -> TrainResult:
    """Train low-rank changes of the trunk and the adapters; see `train_full`."""
    return _Run(request, on_event, should_stop, "lora").run()


def train_full(request: TrainRequest, on_event: OnEvent, should_stop: ShouldStop) -> TrainResult:
    """Train the trunk and the adapters, export both and evaluate what will be served.

    A call with the same request and work folder as one that ended early goes on from its last
    checkpoint.

    Args:
        request: What to train; ``trunk_source`` and ``trunk_folder`` name the same trunk.
        on_event: Told progress, metrics and log lines, from this thread.
        should_stop: Asked often.

    Returns:
        The adapters and the folder of the trunk that they read.

    Raises:
        NoTrainingDataError: If there is no label, value or status, or nothing to learn from.
        EngineError: If the trunk's weights cannot be had, or an option does not fit it.
        ManifestError: If the trunk's files differ from its manifest.
        Cancelled: When `should_stop` says so.
    """
    return _Run(request, on_event, should_stop, "full").run()


class _Run(EngineRun):
    def __init__(
        self, request: TrainRequest, on_event: OnEvent, should_stop: ShouldStop, engine: str
    ) -> None:
        super().__init__(request, on_event, should_stop, _BEGINS)
        self._engine = engine
        if request.initial:
            raise EngineError(f"the engine {engine} cannot start from other adapters")

    def run(self) -> TrainResult:
        request, log = self.request, self.log
        with log.stage(Stage.PREPARING, f"loading the trunk {request.trunk_source}"):
            base = self.open_trunk(request.trunk_folder)
            trunk = self._trunk(base)
            examples = self._examples()
            splits = self._text_splits(self.reader(base), examples)
        with log.stage(Stage.TRAINING, self.training_line(splits["train"])):
            trained = self._train(trunk, base.manifest, splits)
        with log.stage(Stage.ACTIVATIONS, "exporting the tuned trunk and running it"):
            folder = request.work_dir / "trunk"
            self._export_trunk(trunk, folder)
            del trunk
            tuned = self.open_trunk(folder)
            reader = self.reader(tuned)
            judged = self.judged_splits(reader, examples)
        lineage = {
            "engine": self._engine,
            "options": dict(request.options),
            "base_trunk_digest": base.manifest.digest,
        }
        with log.stage(Stage.EVALUATING, "evaluating on the serving path"):
            artifacts = self.export(trained, tuned.manifest, {}, lineage)
            evaluations = self.evaluate(artifacts, judged, tuned.manifest)
        with log.stage(Stage.PARITY, "comparing torch with onnxruntime"):
            adapters = self.export(trained, tuned.manifest, evaluations, lineage)
            parity = self.check_parity(adapters, reader)
        return TrainResult(
            adapters=adapters,
            evaluations=evaluations,
            best_epochs=trained.best_epochs,
            parity=parity,
            timings=log.timings,
            notes=log.notes,
            texts=self.texts,
            trunk_folder=folder,
        )

    def _export_trunk(self, trunk: TunableTrunk, folder: Path) -> None:
        source = trunk.merged()
        artifact, missing = with_twin(export_trunk(source), source)
        if missing:
            self.log.note(
                Stage.ACTIVATIONS,
                "the version cannot be exported in Hugging Face's layout: the exported trunk "
                f"lacks {missing[0]} and {len(missing) - 1} other weights in torch's form",
            )
        artifact.write(folder)

    def _trunk(self, base: TrunkRunner) -> TunableTrunk:
        request = self.request
        source = load_trunk(request.trunk_source)
        cuda = request.providers[0].startswith("CUDA") and torch.cuda.is_available()
        device = torch.device("cuda" if cuda else "cpu")
        tuned = replace(
            source,
            name=f"{source.name} ({self._engine})",
            source=TUNED_PREFIX + request.trunk_source,
        )
        if self._engine == "full":
            trunk = TunableTrunk.full(
                tuned, base.manifest, base.tokenizer, device, should_stop=self.should_stop
            )
        else:
            trunk = TunableTrunk.lora(
                tuned,
                base.manifest,
                base.tokenizer,
                device,
                options=request.options,
                seed=request.params.seed,
                should_stop=self.should_stop,
            )
        self._check_twins(trunk, base, source)
        count = sum(parameter.numel() for parameter in trunk.parameters.values())
        self.log.say(Stage.PREPARING, f"{count:,} of the trunk's numbers learn, on {device.type}")
        return trunk

    def _check_twins(self, trunk: TunableTrunk, base: TrunkRunner, source: TrunkSource) -> None:
        """Refuse weights that are not those of the trunk that the job names."""
        if base.manifest.precision != "fp32":
            return
        (encoded,) = base.tokenizer.encode_many([_PROBE])
        tokenizer = base.tokenizer
        ids = np.asarray([[*tokenizer.prefix, *encoded.ids.tolist(), *tokenizer.suffix]])
        served = base.run(ids, np.ones_like(ids))
        if not np.abs(served - trunk.run(ids, np.ones_like(ids))).max() <= PARITY_LIMIT:
            raise EngineError(
                f"the weights of {source.source} are not those of the registered trunk "
                f"{base.manifest.digest}: it was changed since; name its folder as trunk_source"
            )

    def _examples(self) -> dict[str, Sequence[Example]]:
        """Return the examples by split; without dev some training texts are held out."""
        request = self.request
        train, test = request.train, request.test
        if request.dev:
            return {"train": train, "dev": request.dev, "test": test}
        learned, held = self.held_out(len(train))
        return {
            "train": [train[index] for index in learned],
            "held_out": [train[index] for index in held],
            "test": test,
        }

    def _text_splits(
        self, reader: WordStateReader, examples: Mapping[str, Sequence[Example]]
    ) -> dict[str, TextSplit]:
        splits = {}
        for name in ("train", "dev", "held_out"):
            given = examples.get(name)
            if not given:
                continue
            notes = AlignmentNotes()
            texts = reader.prepare([example.text for example in given])
            splits[name] = build_text_split(given, texts, self.task.tags, notes)
            remarks = self.task.notes(name, self.given.get(name, given))
            for sentence in (*notes.sentences(name), *remarks):
                self.log.note(Stage.PREPARING, sentence)
        if "train" not in splits or not splits["train"].words:
            raise NoTrainingDataError(self.task.nothing)
        return splits

    def _train(
        self, trunk: TunableTrunk, manifest: TrunkManifest, splits: Mapping[str, TextSplit]
    ) -> TrainedLadder:
        request, log = self.request, self.log
        decider = splits.get("dev", splits.get("held_out"))
        trainer = JointTrainer(
            task=self.task,
            trunk=trunk,
            architecture=self._architecture(manifest),
            train=splits["train"],
            dev=decider if decider is not None and decider.words else None,
            params=request.params,
            settings=JointSettings(
                trunk_learning_rate=float(request.options["trunk_learning_rate"]),
                word_shape=request.options["head"] != "linear",
            ),
            run_digest=run_digest(request, manifest.digest, self._engine),
            work_dir=request.work_dir,
            say=lambda sentence: log.say(Stage.TRAINING, sentence),
        )
        if trainer.resumed:
            log.say(Stage.TRAINING, f"resumed after epoch {trainer.resumed}")
        return trainer.run(
            log.epoch, lambda share: log.progress(Stage.TRAINING, share), self.should_stop
        )

    def _architecture(self, manifest: TrunkManifest) -> LadderArchitecture:
        shape = self.task.architecture(manifest, self.request.params)
        if self.request.options["head"] == "linear":
            return replace(shape, taps=(manifest.taps - 1,), context=0)
        return shape
