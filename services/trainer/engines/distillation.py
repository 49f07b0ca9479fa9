"""Cross-fitted distillation: a label learns its annotations and what other trainings say of them.

The train texts are dealt into folds. For each fold a teacher is trained on the other folds and
asked about this one, which it has never seen: its probabilities tell how sure one can be of a word
from the rest of the data. The adapters that are kept learn the mean of annotation and opinion. They
serve as any others; only the training takes longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.trainer.engines.dataset import Split
from services.trainer.engines.interface import EngineError

OPTION = "distillation_folds"
"""Name of the engine option that asks for it."""

Opinion = Callable[[Split, Split, int], NDArray[np.float32]]
"""Trains on the first split and says what it thinks of the second, float32 [labels, words, 3]; the
fold's number is its name."""


def fold_of_texts(train: Split, folds: int) -> NDArray[np.int64]:
    """Return the fold of each text; copies of a text are in one fold.

    Raises:
        EngineError: There are too few texts.
    """
    number: dict[str, int] = {}
    for example in train.examples:
        number.setdefault(example.text, len(number))
    if len(number) < 2 * folds:
        raise EngineError(
            f"{OPTION} is {folds}, which takes {2 * folds} different train texts at least; there "
            f"are {len(number)}"
        )
    return np.asarray([number[example.text] % folds for example in train.examples])


def with_opinions(train: Split, folds: int, ask: Opinion) -> Split:
    """Return the split with the opinion on each word of teachers that have not seen its text.

    Args:
        train: The training split.
        folds: Number of teachers, at least 2.
        ask: Trains a teacher and asks it.

    Raises:
        EngineError: There are too few texts.
    """
    fold_of = fold_of_texts(train, folds)
    opinions = np.zeros((*train.tags.shape, 3), dtype=np.float32)
    for fold in range(folds):
        rest = np.flatnonzero(fold_of != fold).tolist()
        left_out = np.flatnonzero(fold_of == fold).tolist()
        rows = np.concatenate(
            [np.arange(train.offsets[text], train.offsets[text + 1]) for text in left_out]
        )
        opinions[:, rows] = ask(train.subset(rest), train.subset(left_out), fold)
    return replace(train, opinions=opinions)
