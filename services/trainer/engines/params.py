"""The knobs of ladder training: defaults, limits and what each trades off."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ParamsError(ValueError):
    """A parameter is unknown, of the wrong type or out of range; the message says which."""


@dataclass(frozen=True, kw_only=True)
class LadderParams:
    """Parameters of one training run. The defaults fit small and large data alike.

    Attributes:
        width: Width of an adapter's running state. Wider learns more and overfits sooner; cost of
            serving grows in proportion.
        context: Neighbour words that each rung sees on either side.
        dropout: Share of the rung's hidden values dropped in training.
        tap_dropout: Share of the trunk's values dropped in training: the main guard against
            learning a training set's names by heart.
        label_smoothing: Share of each right answer of a single choice or assertion that is spread
            evenly over all classes in training; guards against statuses annotated by mistake. If it
            is not 0, epochs are compared by the mean probability of the right class.
        learning_rate: Step size of AdamW.
        learning_rate_decay: Factor by which the step size has fallen, evenly, at the end of the
            run; 1 keeps it.
        weight_decay: Decoupled weight decay of AdamW.
        epochs: Most passes over the training split; 0 derives them from the data, so that small
            data gets `min_steps` steps (at most 200 passes) and large data at least 3 passes.
        min_steps: Optimiser steps of the longest run when `epochs` is 0; `patience` ends most
            runs long before. 15% of it where there is no dev split to decide.
        patience: Passes without a better dev F1 after which a label stops; 0 derives it (a
            fifteenth of the longest run, at least 3).
        ema: Decay of the averaged weights, which are what is kept; 0 switches averaging off.
        batch_words: Words per optimiser step.
        batch_words_start: Words of the first step, which then grow by `batch_growth` with every
            step up to `batch_words`: small steps early learn fast, large ones late are calm. 0:
            every step has `batch_words`.
        batch_growth: Factor of that growth.
        seed: Seed of everything random. Equal seeds, data and trunk give equal adapters.
        max_length: Pieces per window, special tokens included.
        stride: Pieces that neighbouring windows of a long text share.
        held_out: Share of the training texts that stands in for a missing dev split; 0 trains on
            everything for the full number of epochs and fits no bias.
    """

    width: int = 32
    context: int = 2
    dropout: float = 0.3
    tap_dropout: float = 0.4
    label_smoothing: float = 0.0
    learning_rate: float = 2e-3
    learning_rate_decay: float = 1.0
    weight_decay: float = 0.01
    epochs: int = 0
    min_steps: int = 3000
    patience: int = 0
    ema: float = 0.995
    batch_words: int = 640
    batch_words_start: int = 0
    batch_growth: float = 1.001
    seed: int = 0
    max_length: int = 256
    stride: int = 64
    held_out: float = 0.15

    def __post_init__(self) -> None:
        """Refuse values that cannot work.

        Raises:
            ParamsError: Naming the parameter and its limits.
        """
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ParamsError(f"{name} must be between {low:g} and {high:g}, not {value:g}")
        if self.stride > self.max_length // 2:
            raise ParamsError("stride must be at most half of max_length")
        if self.batch_words_start > self.batch_words:
            raise ParamsError("batch_words_start must be at most batch_words")

    def words_at(self, step: int) -> int:
        """Return the words of an optimiser step, counted from 0."""
        if not self.batch_words_start:
            return self.batch_words
        # In logarithms: the power itself would overflow in long runs.
        growth = step * math.log(self.batch_growth)
        if growth >= math.log(self.batch_words / self.batch_words_start):
            return self.batch_words
        return int(self.batch_words_start * math.exp(growth))

    def rate_at(self, share: float) -> float:
        """Return the step size when this share of the run, 0 to 1, is done."""
        return self.learning_rate * (1.0 - (1.0 - self.learning_rate_decay) * share)

    def average_decay(self, step: int) -> float:
        """Return how much of the averaged weights stays after a finished step, counted from 1."""
        # Early steps must not stay in the average: its memory grows with the steps.
        return min(self.ema, step / (step + 10.0))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LadderParams:
        """Read parameters from JSON; missing ones have their defaults.

        Raises:
            ParamsError: For unknown names, wrong types and values out of range.
        """
        defaults = cls().to_document()
        values: dict[str, Any] = {}
        for name, value in document.items():
            if name not in defaults:
                raise ParamsError(
                    f"unknown parameter {name!r}; known: {', '.join(sorted(defaults))}"
                )
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ParamsError(f"{name} must be a number")
            if not math.isfinite(value):
                raise ParamsError(f"{name} must be finite")
            if isinstance(defaults[name], float):
                values[name] = float(value)
            elif value == int(value):
                values[name] = int(value)
            else:
                raise ParamsError(f"{name} must be a whole number")
        return cls(**values)

    def to_document(self) -> dict[str, Any]:
        """Return all parameters as JSON."""
        return dataclasses.asdict(self)


LIMITS: dict[str, tuple[float, float]] = {
    "width": (4, 512),
    "context": (0, 8),
    "dropout": (0.0, 0.9),
    "tap_dropout": (0.0, 0.9),
    "label_smoothing": (0.0, 0.5),
    "learning_rate": (1e-6, 0.1),
    "learning_rate_decay": (0.0, 1.0),
    "weight_decay": (0.0, 1.0),
    "epochs": (0, 1000),
    "min_steps": (1, 100_000),
    "patience": (0, 1000),
    "ema": (0.0, 0.9999),
    "batch_words": (16, 65_536),
    "batch_words_start": (0, 65_536),
    "batch_growth": (1.0, 2.0),
    "seed": (0, 2**31 - 1),
    "max_length": (16, 8192),
    "stride": (0, 4096),
    "held_out": (0.0, 0.5),
}
"""Least and largest value of each parameter."""

DEFAULTS: Mapping[str, LadderParams] = {
    "ner": LadderParams(),
    # One answer per text or span is far less to learn from than one per word. A dev split of a few
    # texts would end a classification's run long before its best: it goes to its end.
    "classification": LadderParams(context=1, tap_dropout=0.5, min_steps=1500, patience=200),
    "assertion": LadderParams(tap_dropout=0.5, label_smoothing=0.1, min_steps=1500),
}
"""The defaults by model type; why is told in docs/adr/0017-pooled-heads.md."""
