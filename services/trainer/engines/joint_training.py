"""The training loop of a trunk together with the adapters that read it: one best epoch for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from services.common.modeling.evaluation import Score, micro_score
from services.common.modeling.manifest import LadderArchitecture
from services.trainer.engines.adamw import AdamW
from services.trainer.engines.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from services.trainer.engines.dataset import Rows, TextSplit
from services.trainer.engines.interface import Cancelled, NoTrainingDataError, ShouldStop
from services.trainer.engines.ladder import Dropout
from services.trainer.engines.memory import MemoryGuard
from services.trainer.engines.params import LadderParams
from services.trainer.engines.selection import LabelChoice
from services.trainer.engines.task import Judged, Task, add_gradients
from services.trainer.engines.training_plan import (
    EpochReport,
    TrainedLadder,
    planned_batches,
    planned_epochs,
    planned_patience,
)
from services.trainer.engines.tunable_trunk import TunableTrunk

CHECKPOINT_SECONDS = 20.0
"""Least time between two checkpoints: one is several times the trunk."""

_LADDER_WARMUP_STEPS = 20
# Share of the run in which the trunk's step size grows: the first gradients, through adapters that
# know nothing yet, would only spoil it.
_TRUNK_WARMUP = 0.06
_TRUNK_NORM = 1.0
_TRUNK = "trunk."
_LADDER = "ladder."
_NO_LOSS = 1e9


@dataclass(frozen=True, kw_only=True)
class JointSettings:
    """How the trunk learns, beside the parameters that all engines have.

    Attributes:
        trunk_learning_rate: Step size for the trunk's weights.
        word_shape: Whether the adapters use the word features.
    """

    trunk_learning_rate: float
    word_shape: bool = True


@dataclass(kw_only=True)
class _Best:
    """The best epoch so far, by micro F1 on dev and then by the loss."""

    choices: list[LabelChoice]
    f1: float = -1.0
    loss: float = _NO_LOSS
    epoch: int = 0


class JointTrainer:
    """One run. Call ``run`` once; the trunk is left with the best weights."""

    def __init__(
        self,
        *,
        task: Task,
        trunk: TunableTrunk,
        architecture: LadderArchitecture,
        train: TextSplit,
        dev: TextSplit | None,
        params: LadderParams,
        settings: JointSettings,
        run_digest: str,
        work_dir: Path,
        say: Callable[[str], None],
    ) -> None:
        """Prepare a run, or the rest of one that left a checkpoint in `work_dir`.

        Args:
            task: What is trained.
            trunk: What learns below the adapters.
            architecture: Shape of the adapters.
            train: What is learned from.
            dev: What decides; None trains for the full number of epochs and fits nothing.
            params: The knobs of all engines.
            settings: Those of the trunk.
            run_digest: Digest of everything that decides the run.
            work_dir: Where the checkpoint lies.
            say: Told what a person should know.

        Raises:
            NoTrainingDataError: There is nothing to learn from for this task.
        """
        self._task = task
        self._trunk = trunk
        self._lesson = task.lesson(train, trunk, architecture, params)
        if not self._lesson.items:
            raise NoTrainingDataError(task.nothing)
        exam = None if dev is None else task.lesson(dev, trunk, architecture, params)
        self._exam = exam if exam is not None and exam.items else None
        self._params = params
        self._settings = settings
        self._run_digest = run_digest
        self._work_dir = work_dir
        self.epochs = planned_epochs(params, self._lesson.words, decided=self._exam is not None)
        self._patience = planned_patience(params, self.epochs)
        self._ladder = task.network(architecture, params.seed, self._lesson)
        if not settings.word_shape:
            unused = self._ladder.get_parameter("feature_weight")
            unused.requires_grad = False
            unused.zero_()
        self._ladder.to(trunk.device)
        adapters = dict(self._ladder.named_parameters())
        self._ladder_optimizer = AdamW(adapters, weight_decay=params.weight_decay)
        self._trunk_optimizer = AdamW(trunk.parameters, weight_decay=params.weight_decay)
        self._weights: dict[str, torch.nn.Parameter] = {
            **{_LADDER + name: parameter for name, parameter in adapters.items()},
            **{_TRUNK + name: parameter for name, parameter in trunk.parameters.items()},
        }
        self._average = self._copy() if params.ema else {}
        self._kept = self._copy()
        nothing = Score(correct=0, predicted=0, support=0)
        choice = LabelChoice(bias=0.0, score=nothing, level=0.0, loss=_NO_LOSS)
        self._best = _Best(choices=[choice for _ in task.names])
        self._epoch = 0
        self._step = 0
        self._memory = MemoryGuard(say)
        self._saved_at = time.monotonic()
        self.resumed = self._resume()

    def run(
        self,
        on_epoch: Callable[[EpochReport], None],
        on_step: Callable[[float], None],
        should_stop: ShouldStop,
    ) -> TrainedLadder:
        """Train until dev has not become better for long, or all epochs are done.

        Args:
            on_epoch: Told after each epoch.
            on_step: Told the finished share of the run, 0 to 1, after each step.
            should_stop: Asked before each step.

        Raises:
            Cancelled: When `should_stop` says so; the last checkpoint stays.
        """
        while self._epoch < self.epochs and not self._stopped:
            batches = planned_batches(self._lesson.items, self._params, self._epoch, self._step)
            losses = []
            for index, batch in enumerate(batches):
                if should_stop():
                    raise Cancelled
                share = (self._epoch + index / len(batches)) / self.epochs
                losses.append(self._learn(batch, share))
                on_step((self._epoch + (index + 1) / len(batches)) / self.epochs)
            self._epoch += 1
            judged = self._choose()
            self._save_now_and_then()
            on_epoch(
                EpochReport(
                    epoch=self._epoch,
                    epochs=self.epochs,
                    step=self._step,
                    train_loss=float(np.mean(losses)),
                    choices=dict(zip(self._task.names, judged.choices, strict=False)),
                    scores=judged.scores,
                    active=0 if self._stopped else len(self._task.names),
                )
            )
        self._load(self._kept)
        best = zip(self._task.names, self._best.choices, strict=True)
        return TrainedLadder(
            ladder=self._ladder.cpu(),
            classes=self._task.classes,
            decodings={name: self._task.decoding(choice) for name, choice in best},
            best_epochs=dict.fromkeys(self._task.names, self._best.epoch),
            epochs=self._epoch,
        )

    @property
    def _stopped(self) -> bool:
        return self._exam is not None and self._epoch - self._best.epoch >= self._patience

    def _learn(self, batch: Sequence[Rows], share: float) -> float:
        loss = self._memory.retry(batch, self._gradients)
        self._step += 1
        rate = self._params.rate_at(share)
        self._ladder_optimizer.step(rate * min(self._step / _LADDER_WARMUP_STEPS, 1.0))
        torch.nn.utils.clip_grad_norm_(self._trunk.parameters.values(), _TRUNK_NORM)
        warmup = min((share + 1e-3) / _TRUNK_WARMUP, 1.0)
        falling = rate / self._params.learning_rate
        self._trunk_optimizer.step(self._settings.trunk_learning_rate * falling * warmup)
        decay = self._params.average_decay(self._step)
        with torch.no_grad():
            for name, average in self._average.items():
                average.lerp_(self._weights[name], 1.0 - decay)
        return loss

    def _gradients(self, parts: Sequence[Sequence[Rows]]) -> float:
        """Add up the gradients of a batch's parts; returns the mean loss."""
        params = self._params
        for parameter in self._weights.values():
            parameter.grad = None
        self._trunk.train(training=True)
        # The encoder's own dropout follows from seed and step too, so a resumed run repeats it.
        torch.manual_seed((params.seed << 32) + self._step)
        dropout = Dropout(
            taps=params.tap_dropout, hidden=params.dropout, seed=params.seed, step=self._step
        )
        return add_gradients(self._lesson, self._ladder, parts, dropout)

    def _choose(self) -> Judged:
        """Compare this epoch with the best; keep it if it is better."""
        if self._exam is None:
            self._best.epoch = self._epoch
            self._kept = self._copy(self._average)
            return Judged(choices=[], scores={})
        current = self._copy()
        self._load(self._average)
        self._trunk.train(training=False)
        judged = self._exam.judge(self._ladder)
        f1 = micro_score(judged.scores.values()).f1
        loss = float(np.mean([choice.loss for choice in judged.choices]))
        if (f1, -loss) > (self._best.f1, -self._best.loss):
            choices = list(judged.choices)
            self._best = _Best(choices=choices, f1=f1, loss=loss, epoch=self._epoch)
            self._kept = self._copy()
        self._load(current)
        return judged

    def _copy(self, weights: Mapping[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
        """Return copies of the weights given, or of the current ones."""
        chosen = weights or self._weights
        return {name: tensor.detach().clone() for name, tensor in chosen.items()}

    def _load(self, weights: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in weights.items():
                self._weights[name].copy_(tensor)

    def _save_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._saved_at < CHECKPOINT_SECONDS:
            return
        tensors: dict[str, torch.Tensor] = {}
        for prefix, group in self._groups():
            tensors |= {f"{prefix}/{name}": tensor for name, tensor in group.items()}
        document = {
            "run": self._run_digest,
            "epoch": self._epoch,
            "step": self._step,
            "halvings": self._memory.halvings,
            "best": asdict(self._best),
        }
        save_checkpoint(self._work_dir, Checkpoint(tensors=tensors, document=document))
        self._saved_at = time.monotonic()

    def _resume(self) -> int:
        """Go on from the checkpoint, if there is one; returns its number of epochs."""
        checkpoint = load_checkpoint(self._work_dir, self._run_digest)
        if checkpoint is None:
            return 0
        document = checkpoint.document
        self._epoch, self._step = int(document["epoch"]), int(document["step"])
        self._memory.halvings = int(document["halvings"])
        stored = document["best"]
        choices = [LabelChoice.from_document(choice) for choice in stored["choices"]]
        self._best = _Best(**{**stored, "choices": choices})
        with torch.no_grad():
            for prefix, group in self._groups():
                for name, tensor in group.items():
                    tensor.copy_(checkpoint.tensors[f"{prefix}/{name}"])
        self._ladder_optimizer.resume(self._step)
        self._trunk_optimizer.resume(self._step)
        return self._epoch

    def _groups(self) -> tuple[tuple[str, Mapping[str, torch.Tensor]], ...]:
        return (
            ("weights", self._weights),
            ("average", self._average),
            ("kept", self._kept),
            ("ladder", self._ladder_optimizer.state()),
            ("trunk", self._trunk_optimizer.state()),
        )
