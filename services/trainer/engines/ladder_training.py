"""The training loop of ladders: all labels in one pass, each with its own best epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from services.common.modeling.evaluation import Score
from services.common.modeling.manifest import LadderArchitecture
from services.trainer.engines.adamw import AdamW
from services.trainer.engines.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from services.trainer.engines.dataset import Rows, Split, epoch_batches, pack_rows, text_rows
from services.trainer.engines.interface import Cancelled, ShouldStop
from services.trainer.engines.ladder import Dropout, Ladder
from services.trainer.engines.params import LadderParams
from services.trainer.engines.selection import LabelChoice, choose_bias, label_gold
from services.trainer.engines.training_plan import (
    EpochReport,
    TrainedLadder,
    planned_epochs,
    planned_patience,
)

_EVALUATION_WORDS = 4096
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
        architecture: LadderArchitecture,
        labels: Sequence[str],
        train: Split,
        dev: Split | None,
        params: LadderParams,
        run_digest: str,
        work_dir: Path,
    ) -> None:
        """Prepare a run, or the rest of one that left a checkpoint in `work_dir`.

        Args:
            architecture: Shape of the adapters.
            labels: The labels, in the order of the splits' tags.
            train: What is learned from.
            dev: What decides; None trains for the full number of epochs and fits no bias.
            params: The knobs.
            run_digest: Digest of everything that decides the run.
            work_dir: Where the checkpoint lies.
        """
        self._labels = tuple(labels)
        self._train = train
        self._dev = dev
        self._params = params
        self._run_digest = run_digest
        self._work_dir = work_dir
        self._gap = architecture.context
        self._taps = list(architecture.taps)
        self.epochs = planned_epochs(params, train.words)
        self._patience = planned_patience(params, self.epochs)
        self._ladder = Ladder(architecture, labels, params.seed)
        self._average = Ladder(architecture, labels, params.seed)
        self._kept = Ladder(architecture, labels, params.seed)
        self._optimizer = AdamW(
            dict(self._ladder.named_parameters()), weight_decay=params.weight_decay
        )
        nothing = Score(correct=0, predicted=0, support=0)
        self._best = [
            _Best(choice=LabelChoice(bias=0.0, score=nothing, level=0.0, loss=_NO_LOSS))
            for _ in labels
        ]
        self._gold = label_gold(dev, labels) if dev is not None else []
        self._epoch = 0
        self._step = 0
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
        rows = text_rows(self._train, self._params.batch_words)
        while self._epoch < self.epochs and not all(best.stopped for best in self._best):
            batches = epoch_batches(rows, self._params.batch_words, self._params.seed, self._epoch)
            losses = []
            for index, batch in enumerate(batches):
                if should_stop():
                    raise Cancelled
                losses.append(self._learn(batch))
                on_step((self._epoch + (index + 1) / len(batches)) / self.epochs)
            self._epoch += 1
            choices = self._choose()
            self._save()
            on_epoch(
                EpochReport(
                    epoch=self._epoch,
                    epochs=self.epochs,
                    step=self._step,
                    train_loss=float(np.mean(losses)),
                    choices=dict(zip(self._labels, choices, strict=False)),
                    active=sum(not best.stopped for best in self._best),
                )
            )
        return TrainedLadder(
            ladder=self._kept,
            outside_bias={
                label: best.choice.bias
                for label, best in zip(self._labels, self._best, strict=True)
            },
            best_epochs={
                label: best.epoch for label, best in zip(self._labels, self._best, strict=True)
            },
            epochs=self._epoch,
        )

    def _learn(self, batch: Sequence[Rows]) -> float:
        params = self._params
        states, features, mask, tags = self._tensors(self._train, batch)
        dropout = Dropout(
            taps=params.tap_dropout, hidden=params.dropout, seed=params.seed, step=self._step
        )
        logits = self._ladder(states, features, mask, dropout)
        losses = _label_losses(logits, tags)
        self._ladder.zero_grad(set_to_none=True)
        # A sum over labels: the gradient of each label's weights is that of its own loss.
        losses.sum().backward()  # type: ignore[no-untyped-call]
        self._step += 1
        warmup = min(self._step / _WARMUP_STEPS, 1.0)
        self._optimizer.step(params.learning_rate * warmup)
        self._update_average()
        return float(losses.detach().mean())

    def _update_average(self) -> None:
        # Early steps must not stay in the average: its memory grows with the steps.
        decay = min(self._params.ema, self._step / (self._step + 10.0))
        pairs = zip(self._average.parameters(), self._ladder.parameters(), strict=True)
        with torch.no_grad():
            for average, parameter in pairs:
                average.lerp_(parameter, 1.0 - decay)

    def _tensors(
        self, split: Split, rows: Sequence[Rows]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        packed, source = pack_rows(split, rows, self._gap)
        states = packed.states
        if len(self._taps) != len(states):
            states = states[self._taps]
        # Rows in gaps and words that the trunk never saw are not learned from.
        tags = np.full((len(self._labels), len(source)), -1, dtype=np.int64)
        seen = packed.mask[:, 0] > 0
        tags[:, seen] = split.tags[:, source[seen]]
        arrays = (states, packed.features, packed.mask, tags)
        first, second, third, fourth = (torch.from_numpy(array) for array in arrays)
        return first, second, third, fourth

    def _choose(self) -> list[LabelChoice]:
        """Compare this epoch with each label's best; keep what is better."""
        if self._dev is None:
            for index, best in enumerate(self._best):
                best.epoch = self._epoch
                self._keep(index)
            return []
        logits, losses = self._dev_logits(self._dev)
        ends = self._dev.offsets[1:]
        choices = []
        for index, best in enumerate(self._best):
            choice = choose_bias(logits[index], self._gold[index], ends, float(losses[index]))
            choices.append(choice)
            if best.stopped:
                continue
            if choice.better_than(best.choice):
                best.choice, best.epoch = choice, self._epoch
                self._keep(index)
            elif self._epoch - best.epoch >= self._patience:
                best.stopped = True
        return choices

    def _dev_logits(
        self, dev: Split
    ) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.float64]]]:
        logits = np.zeros((len(self._labels), dev.words, 3), dtype=np.float32)
        losses = np.zeros(len(self._labels))
        batch: list[Rows] = []
        batches = [batch]
        size = 0
        for item in text_rows(dev, _EVALUATION_WORDS):
            if batch and size + item.end - item.start > _EVALUATION_WORDS:
                batch, size = [], 0
                batches.append(batch)
            batch.append(item)
            size += item.end - item.start
        for batch in batches:
            if not batch:
                continue
            states, features, mask, tags = self._tensors(dev, batch)
            with torch.inference_mode():
                found = self._average(states, features, mask)
                weight = sum(item.end - item.start for item in batch) / dev.words
                losses += _label_losses(found, tags).numpy() * weight
            position = 0
            for item in batch:
                count = item.end - item.start
                part = found[:, position : position + count]
                logits[:, item.start : item.end] = part.numpy()
                position += count + self._gap
        return logits, losses

    def _keep(self, index: int) -> None:
        pairs = zip(self._kept.parameters(), self._average.parameters(), strict=True)
        with torch.no_grad():
            for kept, average in pairs:
                kept[index] = average[index]

    def _save(self) -> None:
        tensors: dict[str, torch.Tensor] = dict(self._optimizer.state())
        for prefix, ladder in self._ladders():
            for name, parameter in ladder.named_parameters():
                tensors[f"{prefix}.{name}"] = parameter
        document = {
            "run": self._run_digest,
            "epoch": self._epoch,
            "step": self._step,
            "best": [asdict(best) for best in self._best],
        }
        save_checkpoint(self._work_dir, Checkpoint(tensors=tensors, document=document))

    def _resume(self) -> int:
        """Go on from the checkpoint, if there is one; returns its number of epochs."""
        checkpoint = load_checkpoint(self._work_dir, self._run_digest)
        if checkpoint is None:
            return 0
        for prefix, ladder in self._ladders():
            ladder.load(
                {
                    name: checkpoint.tensors[f"{prefix}.{name}"]
                    for name, _ in ladder.named_parameters()
                }
            )
        self._epoch = int(checkpoint.document["epoch"])
        self._step = int(checkpoint.document["step"])
        self._optimizer.restore(checkpoint.tensors, self._step)
        for best, stored in zip(self._best, checkpoint.document["best"], strict=True):
            choice = stored["choice"]
            best.choice = LabelChoice(**{**choice, "score": Score(**choice["score"])})
            best.epoch, best.stopped = stored["epoch"], stored["stopped"]
        return self._epoch

    def _ladders(self) -> tuple[tuple[str, Ladder], ...]:
        return (("ladder", self._ladder), ("average", self._average), ("kept", self._kept))


def _label_losses(logits: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    """Return each label's mean cross-entropy over its words, [labels]; tag -1 is left out."""
    losses = functional.cross_entropy(
        logits.transpose(1, 2), tags, ignore_index=-1, reduction="none"
    )
    return losses.sum(dim=1) / (tags >= 0).sum(dim=1).clamp(min=1)
