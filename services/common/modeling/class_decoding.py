"""From logits of classes to probabilities, and to the classes that are chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.heads import Decoding


def class_probabilities(logits: NDArray[np.float32], scheme: str) -> NDArray[np.float32]:
    """Return probabilities, [..., classes]: a softmax for ``single``, else each class by itself."""
    values = np.asarray(logits, dtype=np.float32)
    if scheme == "single":
        values = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(values / values.sum(axis=-1, keepdims=True), dtype=np.float32)
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float32)


def chosen_classes(probabilities: NDArray[np.float32], decoding: Decoding) -> tuple[int, ...]:
    """Return the positions of the chosen classes, [classes]; of equally likely ones the first."""
    if decoding.scheme == "single":
        return (int(np.argmax(probabilities)),)
    limits = np.asarray(decoding.thresholds, dtype=np.float32)
    return tuple(int(index) for index in np.flatnonzero(probabilities >= limits))
