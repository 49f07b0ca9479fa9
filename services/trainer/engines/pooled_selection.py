"""How well pooled adapters do on a split, and the thresholds fitted on it. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.class_decoding import class_probabilities
from services.common.modeling.evaluation import Score, macro_f1, micro_score
from services.trainer.engines.selection import LabelChoice
from services.trainer.engines.task import Judged

DEFAULT_THRESHOLD = 0.5
"""Of a value in a run without dev split."""

UNKNOWN = -1
"""Target of an answer that is none of the classes: whatever is answered is wrong."""

_THRESHOLDS: NDArray[np.float32] = np.arange(0.05, 0.951, 0.05, dtype=np.float32)
_KERNEL = np.asarray([1, 2, 3, 2, 1]) / 9
# Items of all values together that count in the curve of each value: a value with few examples in
# dev follows the curve of all, one with many its own.
_SHARED = 20.0


def judge_single(
    logits: NDArray[np.float32],
    targets: NDArray[np.int64],
    classes: Sequence[str],
    support: NDArray[np.int64],
    *,
    smoothed: bool = False,
) -> Judged:
    """Judge answers of exactly one class.

    Args:
        logits: [answers, classes].
        targets: The right class of each answer, or ``UNKNOWN``.
        classes: Names of the classes.
        support: Right answers of each class that there are at all, [classes]; more than in
            `targets` where some could not be asked.
        smoothed: Whether labels were smoothed in training. Then epochs are compared by the mean
            probability of the right class, which hangs less on close calls than the share of right
            answers. Without, it would only grow with an overfitted network's confidence.
    """
    found = np.argmax(logits, axis=1) if len(logits) else np.zeros(0, dtype=np.int64)
    scores = {
        name: Score(
            correct=int(((found == index) & (targets == index)).sum()),
            predicted=int((found == index).sum()),
            support=int(support[index]),
        )
        for index, name in enumerate(classes)
    }
    known = targets != UNKNOWN
    chances = class_probabilities(logits[known], "single")
    right = chances[np.arange(int(known.sum())), targets[known]]
    loss = float(-np.log(np.maximum(right, 1e-9)).mean()) if len(right) else 0.0
    level = micro_score(scores.values()).f1
    if smoothed:
        level = float(right.mean()) if len(right) else 0.0
    return _judged(scores, loss, (), level=level)


def judge_multiple(
    logits: NDArray[np.float32], targets: NDArray[np.float32], classes: Sequence[str]
) -> Judged:
    """Judge answers of any number of classes, and fit a threshold per class.

    The curve of each class's F1 over the thresholds is mixed with that of all classes, the more so
    the fewer examples the class has, then smoothed with its neighbours; of equals the threshold
    closest to ``DEFAULT_THRESHOLD`` is taken.

    Args:
        logits: [answers, classes].
        targets: 1 for the right classes, [answers, classes].
        classes: Names of the classes.
    """
    chances = class_probabilities(logits, "multiple")
    found = chances[None] >= _THRESHOLDS[:, None, None]
    correct = (found & (targets > 0)).sum(axis=1)
    predicted = found.sum(axis=1)
    support = (targets > 0).sum(axis=0)
    total = predicted.sum(axis=1) + support.sum()
    shared = 2.0 * correct.sum(axis=1) / np.maximum(total, 1)
    curves = (2.0 * correct + _SHARED * shared[:, None]) / (predicted + support + _SHARED)
    reach = len(_KERNEL) // 2
    distance = np.abs(_THRESHOLDS - DEFAULT_THRESHOLD)
    best = []
    for column in range(len(classes)):
        padded = np.pad(curves[:, column], reach, mode="edge")
        smooth = np.round(np.convolve(padded, _KERNEL, mode="valid"), 9)
        best.append(min(range(len(smooth)), key=lambda i: (-smooth[i], float(distance[i]))))
    scores = {
        name: Score(
            correct=int(correct[best[index], index]),
            predicted=int(predicted[best[index], index]),
            support=int(support[index]),
        )
        for index, name in enumerate(classes)
    }
    right = np.where(targets > 0, chances, 1.0 - chances)
    loss = float(-np.log(np.maximum(right, 1e-9)).sum(axis=1).mean()) if len(right) else 0.0
    thresholds = tuple(round(float(_THRESHOLDS[i]), 4) for i in best)
    return _judged(scores, loss, thresholds, level=micro_score(scores.values()).f1)


def _judged(
    scores: dict[str, Score], loss: float, thresholds: tuple[float, ...], *, level: float
) -> Judged:
    choice = LabelChoice(
        bias=0.0,
        score=micro_score(scores.values()),
        level=level,
        tie=macro_f1(scores.values()),
        loss=loss,
        thresholds=thresholds,
    )
    return Judged(choices=[choice], scores=scores)
