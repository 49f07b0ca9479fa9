"""How long a run is, and what it tells and gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.common.modeling.evaluation import Score, micro_score
from services.common.modeling.heads import Decoding
from services.trainer.engines.dataset import Rows, epoch_batches
from services.trainer.engines.interface import Stage, TrainEvent
from services.trainer.engines.ladder import Ladder
from services.trainer.engines.params import LadderParams
from services.trainer.engines.selection import LabelChoice

_MIN_EPOCHS, _MAX_EPOCHS = 3, 200
# After this part of the longest run a label that gets no better on dev stops.
_PATIENCE_PART, _MIN_PATIENCE = 15, 3
# Without dev nothing stops a run: large data would be learned by heart in the steps that it may
# take where dev decides.
_UNDECIDED = 0.15


def planned_epochs(params: LadderParams, words: int, *, decided: bool = True) -> int:
    """Return the largest number of passes over a training split of so many words.

    Args:
        params: The run's parameters.
        words: The words of the training split.
        decided: Whether a dev split stops each label at its best.
    """
    if params.epochs:
        return params.epochs
    steps = max(math.ceil(words / params.batch_words), 1)
    wanted = params.min_steps * (1.0 if decided else _UNDECIDED)
    return min(max(math.ceil(wanted / steps), _MIN_EPOCHS), _MAX_EPOCHS)


def planned_batches(
    rows: Sequence[Rows], params: LadderParams, epoch: int, step: int
) -> list[list[Rows]]:
    """Return an epoch's batches; `epoch` and `step` count the finished ones."""
    return epoch_batches(rows, lambda index: params.words_at(step + index), params.seed, epoch)


def planned_patience(params: LadderParams, epochs: int) -> int:
    """Return after how many epochs without a better dev score a label stops."""
    return params.patience or max(_MIN_PATIENCE, math.ceil(epochs / _PATIENCE_PART))


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """What is known after an epoch.

    Attributes:
        epoch: Finished epochs.
        epochs: The most that there will be.
        step: Finished optimiser steps.
        train_loss: Mean over the epoch's words and labels.
        choices: Each adapter on dev, this epoch; empty without dev.
        scores: Each label, value or status on dev, this epoch; empty without dev.
        active: Adapters that still train.
    """

    epoch: int
    epochs: int
    step: int
    train_loss: float
    choices: Mapping[str, LabelChoice]
    scores: Mapping[str, Score]
    active: int

    @property
    def micro(self) -> Score:
        """All that was found on dev counted together."""
        return micro_score(self.scores.values())

    def to_event(self, progress: float) -> TrainEvent:
        """Return what is told of the epoch; `progress` is the finished share of the run."""
        metrics: dict[str, float] = {"train_loss": self.train_loss, "epochs": self.epochs}
        line = f"epoch {self.epoch}: loss {self.train_loss:.4f}"
        if self.choices:
            metrics["dev_micro_f1"] = self.micro.f1
            metrics |= {f"dev_f1/{name}": score.f1 for name, score in self.scores.items()}
            metrics |= {f"dev_loss/{name}": c.loss for name, c in self.choices.items()}
            line += f", dev micro F1 {self.micro.f1:.4f}, {self.active} adapters still learning"
        return TrainEvent(
            stage=Stage.TRAINING,
            progress=progress,
            message=line,
            metrics=metrics,
            epoch=self.epoch,
            step=self.step,
        )


@dataclass(frozen=True, kw_only=True)
class TrainedLadder:
    """The kept weights of all adapters, and how each was chosen.

    Attributes:
        ladder: The network with each adapter's best weights; its labels name the adapters.
        classes: Classes of the logits; none for tags.
        decodings: How to read each adapter's logits.
        best_epochs: The epoch of the kept weights per adapter.
        epochs: Epochs that were run.
    """

    ladder: Ladder
    classes: tuple[str, ...]
    decodings: Mapping[str, Decoding]
    best_epochs: Mapping[str, int]
    epochs: int
