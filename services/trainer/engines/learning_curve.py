"""The learning curve: what the same training gives on parts of the train split.

With cached activations a part costs its share of the training alone. The parts are drawn once and
contain each other, so that the curve shows more texts and not other texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from services.trainer.engines.dataset import Split
from services.trainer.reports.model import LearningCurvePoint

OPTION = "learning_curve"
"""Name of the engine option that asks for it."""
SHARES = (0.25, 0.5, 0.75)

_FEWEST_TEXTS = 4


def parts(train: Split, seed: int) -> Iterator[Split]:
    """Yield growing parts of a split; those of next to no texts are left out."""
    count = len(train.examples)
    order = np.random.default_rng((seed, 2)).permutation(count).tolist()
    for share in SHARES:
        size = round(share * count)
        if size >= _FEWEST_TEXTS:
            part = train.subset(sorted(order[:size]))
            if part.words:
                yield part


def learning_curve(
    train: Split, seed: int, micro_f1: float, measure: Callable[[Split], float]
) -> list[LearningCurvePoint]:
    """Return the curve; `measure` trains on a part and returns F1 on dev.

    Args:
        train: What the run was trained on.
        seed: Draws the parts.
        micro_f1: What all of it gave.
        measure: Asked for each part, the smallest first.
    """
    points = [
        LearningCurvePoint(texts=len(part.examples), micro_f1=measure(part))
        for part in parts(train, seed)
    ]
    return [*points, LearningCurvePoint(texts=len(train.examples), micro_f1=micro_f1)]
