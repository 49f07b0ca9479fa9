"""The training loop of ladders: all adapters in one pass, each with its own best epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.evaluation import Score
from services.common.modeling.manifest import LadderArchitecture
from services.trainer.engines.adamw import AdamW
from services.trainer.engines.batch import CachedStates
from services.trainer.engines.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from services.trainer.engines.dataset import Rows, Split
from services.trainer.engines.interface import Cancelled, NoTrainingDataError, ShouldStop
from services.trainer.engines.ladder import Dropout, Ladder
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
from services.trainer.engines.transfer import start_from

_WARMUP_STEPS = 20
_NO_LOSS = 1e9


@dataclass(kw_only=True)
class _Best:
    """The best of one label so far. Once stopped it never changes, whatever its company does."""

    choice: LabelChoice
    epoch: int = 0
    stopped: bool = False


class LadderTrainer:
    """One run. Call ``run`` once."""

    def __init__(
        self,
        *,
        task: Task,
        architecture: LadderArchitecture,
        train: Split,
        dev: Split | None,
        params: LadderParams,
        run_digest: str,
        work_dir: Path,
        initial: Sequence[AdapterWeights],
        say: Callable[[str], None],
    ) -> None:
        """Prepare a run, or the rest of one that left a checkpoint in `work_dir`.

        Args:
            task: What is trained.
            architecture: Shape of the adapters.
            train: What is learned from.
            dev: What decides; None trains for the full number of epochs and fits nothing.
            params: The knobs.
            run_digest: Digest of everything that decides the run.
            work_dir: Where the checkpoint lies.
            initial: Adapters whose weights are where the training of theirs starts.
            say: Told what a person should know.

        Raises:
            NoTrainingDataError: There is nothing to learn from for this task.
            EngineError: An adapter to start from has another shape.
        """
        self._task = task
        states = CachedStates()
        self._lesson = task.lesson(train, states, architecture, params)
        if not self._lesson.items:
            raise NoTrainingDataError(task.nothing)
        exam = None if dev is None else task.lesson(dev, states, architecture, params)
        self._exam = exam if exam is not None and exam.items else None
        self._params = params
        self._run_digest = run_digest
        self._work_dir = work_dir
        self.epochs = planned_epochs(params, self._lesson.words, decided=self._exam is not None)
        self._patience = planned_patience(params, self.epochs)
        self._ladder = self._network(architecture, initial)
        self._average = self._network(architecture, initial)
        self._kept = self._network(architecture, initial)
        self._optimizer = AdamW(
            dict(self._ladder.named_parameters()), weight_decay=params.weight_decay
        )
        nothing = Score(correct=0, predicted=0, support=0)
        self._best = [
            _Best(choice=LabelChoice(bias=0.0, score=nothing, level=0.0, loss=_NO_LOSS))
            for _ in task.names
        ]
        # Places in the task's names of the adapters that still learn, as the network holds them.
        self._learning = list(range(len(task.names)))
        self._epoch = 0
        self._step = 0
        self._memory = MemoryGuard(say)
        self._started = frozenset(adapter.label for adapter in initial)
        self.resumed = self._resume()

    def run(
        self,
        on_epoch: Callable[[EpochReport], None],
        on_step: Callable[[float], None],
        should_stop: ShouldStop,
    ) -> TrainedLadder:
        """Train until every label has stopped or all epochs are done.

        Args:
            on_epoch: Told after each epoch, once its checkpoint is on disk.
            on_step: Told the finished share of the run, 0 to 1, after each step.
            should_stop: Asked before each step.

        Raises:
            Cancelled: When `should_stop` says so; the last epoch's checkpoint stays.
        """
        rows = self._lesson.items
        if not self._epoch:
            self._judge_start()
        while self._epoch < self.epochs and not all(best.stopped for best in self._best):
            batches = planned_batches(rows, self._params, self._epoch, self._step)
            losses = []
            for index, batch in enumerate(batches):
                if should_stop():
                    raise Cancelled
                share = (self._epoch + index / len(batches)) / self.epochs
                losses.append(self._learn(batch, self._params.rate_at(share)))
                on_step((self._epoch + (index + 1) / len(batches)) / self.epochs)
            self._epoch += 1
            judged = self._choose()
            self._narrow()
            self._save()
            on_epoch(
                EpochReport(
                    epoch=self._epoch,
                    epochs=self.epochs,
                    step=self._step,
                    train_loss=float(np.mean(losses)),
                    choices=dict(zip(self._task.names, judged.choices, strict=False)),
                    scores=judged.scores,
                    active=sum(not best.stopped for best in self._best),
                )
            )
        kept = list(zip(self._task.names, self._best, strict=True))
        return TrainedLadder(
            ladder=self._kept,
            classes=self._task.classes,
            decodings={name: self._task.decoding(best.choice) for name, best in kept},
            best_epochs={name: best.epoch for name, best in kept},
            epochs=self._epoch,
        )

    def _judge_start(self) -> None:
        """Let training that makes an adapter worse than it was at its start change nothing."""
        if self._exam is None or not self._started:
            return
        choices = self._exam.judge(self._average).choices
        for name, best, choice in zip(self._task.names, self._best, choices, strict=True):
            if name in self._started:
                best.choice = choice

    def _network(
        self, architecture: LadderArchitecture, initial: Sequence[AdapterWeights]
    ) -> Ladder:
        ladder = self._task.network(architecture, self._params.seed, self._lesson)
        start_from(ladder, initial, self._task.classes)
        return ladder

    def _learn(self, batch: Sequence[Rows], rate: float) -> float:
        loss = self._memory.retry(batch, self._gradients)
        self._step += 1
        self._optimizer.step(rate * min(self._step / _WARMUP_STEPS, 1.0))
        self._update_average()
        return loss

    def _gradients(self, parts: Sequence[Sequence[Rows]]) -> float:
        """Add up the gradients of a batch's parts; returns the mean loss."""
        params = self._params
        self._ladder.zero_grad(set_to_none=True)
        dropout = Dropout(
            taps=params.tap_dropout, hidden=params.dropout, seed=params.seed, step=self._step
        )
        return add_gradients(self._lesson, self._ladder, parts, dropout)

    def _update_average(self) -> None:
        decay = self._params.average_decay(self._step)
        pairs = zip(self._average.parameters(), self._ladder.parameters(), strict=True)
        with torch.no_grad():
            for average, parameter in pairs:
                average.lerp_(parameter, 1.0 - decay)

    def _choose(self) -> Judged:
        """Compare this epoch with each adapter's best; keep what is better.

        Returns how all do: of those that have stopped, their best.
        """
        if self._exam is None:
            for index, best in enumerate(self._best):
                best.epoch = self._epoch
                self._keep(index, index)
            return Judged(choices=[], scores={})
        judged = self._exam.judge(self._average)
        scores = {**self._stopped_scores(), **judged.scores}
        choices = [best.choice for best in self._best]
        for place, (index, choice) in enumerate(zip(self._learning, judged.choices, strict=True)):
            best = self._best[index]
            choices[index] = choice
            if choice.better_than(best.choice):
                best.choice, best.epoch = choice, self._epoch
                self._keep(index, place)
            elif self._epoch - best.epoch >= self._patience:
                best.stopped = True
        return Judged(choices=choices, scores=scores)

    def _stopped_scores(self) -> dict[str, Score]:
        pairs = zip(self._task.names, self._best, strict=True)
        return {name: best.choice.score for name, best in pairs if best.stopped}

    def _keep(self, index: int, place: int) -> None:
        pairs = zip(self._kept.parameters(), self._average.parameters(), strict=True)
        with torch.no_grad():
            for kept, average in pairs:
                kept[index] = average[place]

    def _narrow(self) -> None:
        """Spend nothing more on adapters that have stopped."""
        learning = [index for index, best in enumerate(self._best) if not best.stopped]
        if not learning or learning == self._learning:
            return
        places = [self._learning.index(index) for index in learning]
        self._ladder.narrow(places)
        self._average.narrow(places)
        self._optimizer.narrow(dict(self._ladder.named_parameters()), places)
        self._lesson = self._lesson.only(places)
        self._exam = None if self._exam is None else self._exam.only(places)
        self._learning = learning

    def _save(self) -> None:
        tensors: dict[str, torch.Tensor] = dict(self._optimizer.state())
        for prefix, ladder in self._ladders():
            for name, parameter in ladder.named_parameters():
                tensors[f"{prefix}.{name}"] = parameter
        document = {
            "run": self._run_digest,
            "epoch": self._epoch,
            "step": self._step,
            "halvings": self._memory.halvings,
            "best": [asdict(best) for best in self._best],
        }
        save_checkpoint(self._work_dir, Checkpoint(tensors=tensors, document=document))

    def _resume(self) -> int:
        """Go on from the checkpoint, if there is one; returns its number of epochs."""
        checkpoint = load_checkpoint(self._work_dir, self._run_digest)
        if checkpoint is None:
            return 0
        for best, stored in zip(self._best, checkpoint.document["best"], strict=True):
            best.choice = LabelChoice.from_document(stored["choice"])
            best.epoch, best.stopped = stored["epoch"], stored["stopped"]
        self._narrow()
        for prefix, ladder in self._ladders():
            ladder.load(
                {
                    name: checkpoint.tensors[f"{prefix}.{name}"]
                    for name, _ in ladder.named_parameters()
                }
            )
        self._epoch = int(checkpoint.document["epoch"])
        self._step = int(checkpoint.document["step"])
        self._memory.halvings = int(checkpoint.document["halvings"])
        self._optimizer.restore(checkpoint.tensors, self._step)
        return self._epoch

    def _ladders(self) -> tuple[tuple[str, Ladder], ...]:
        return (("ladder", self._ladder), ("average", self._average), ("kept", self._kept))
