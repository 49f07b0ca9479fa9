"""How sure models are of a text, from the probabilities of their decisions.

A decision is one label of one word (B, I or O), one single-choice control, or one value of a
multiple-choice control. Each decision has three measures, from 0, sure, to 1:

- least confidence: 1 minus the probability of the best class;
- margin: 1 minus the distance of the two best classes;
- entropy: that of all classes, as a share of the largest possible.

Almost all words are O beyond doubt, so a mean over all of them says how long a text is and little
else. Per word the least sure label counts; per text the mean over the `MOST` least sure words (of a
shorter text: all). A multiple-choice control is the mean over its `MOST` least sure values
likewise. Of the labels together and of each control the largest measure is the text's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.choices import ControlChoice
from services.common.modeling.heads import Decoding
from services.inference.domain import Uncertainty

MOST = 5
"""How many of the least sure words count."""

_LEAST = 1e-9


def text_uncertainty(
    tags: Sequence[NDArray[np.float32]], choices: Sequence[tuple[ControlChoice, Decoding]]
) -> Uncertainty:
    """Return how sure the models are of a text.

    Args:
        tags: Probabilities of B, I and O, [labels, words, 3], one array per trunk.
        choices: What was chosen of each control, with the decoding of its adapter.
    """
    found: list[NDArray[np.float64]] = [np.zeros(3)]
    words = [_measures(one) for one in tags if one.size]
    if words:
        # [measures, labels, words]: the least sure label of each word, then the least sure words.
        found.append(_most(np.concatenate(words, axis=1).max(axis=1)))
    for choice, decoding in choices:
        chances = choice.probabilities.astype(np.float64)
        if decoding.scheme == "multiple":
            found.append(_most(_measures(_against_threshold(chances, decoding))))
        elif len(chances) > 1:
            found.append(_measures(chances[None])[:, 0])
    least, margin, entropy = np.stack(found).max(axis=0)
    return Uncertainty(least_confidence=float(least), margin=float(margin), entropy=float(entropy))


def _measures(chances: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return least confidence, margin and entropy, [3, ...], of probabilities [..., classes]."""
    values = np.asarray(chances, dtype=np.float64)
    classes = values.shape[-1]
    ranked = np.sort(values, axis=-1)
    best, second = ranked[..., -1], ranked[..., -2]
    entropy = -(values * np.log(np.maximum(values, _LEAST))).sum(axis=-1) / np.log(classes)
    measures: NDArray[np.float64] = np.stack([1.0 - best, 1.0 - (best - second), entropy])
    return np.clip(measures, 0.0, 1.0)


def _most(measures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the largest ones of each measure, [measures, decisions]."""
    most = min(MOST, measures.shape[1])
    largest = np.sort(measures, axis=1)[:, -most:]
    return np.asarray(largest.mean(axis=1), dtype=np.float64)


def _against_threshold(chances: NDArray[np.float64], decoding: Decoding) -> NDArray[np.float64]:
    """Return the probabilities of "chosen" and "not", moved so that the threshold is one half."""
    limits = np.clip(np.asarray(decoding.thresholds, dtype=np.float64), _LEAST, 1 - _LEAST)
    sure = np.clip(chances, _LEAST, 1 - _LEAST)
    odds = sure / (1 - sure) * (1 - limits) / limits
    chosen = odds / (1 + odds)
    return np.stack([chosen, 1 - chosen], axis=-1)
