"""Classify texts with an exported model: ``python decode.py "some text" …``.

Needs onnxruntime, tokenizers and numpy, and nothing of Spanloop: the modules beside this file are
the rules (words, windows, word features, decoding) that training and serving use, copied when the
model was exported.

    model = ExportedModel("folder of the export")
    for choice in model.predict("some text"):
        print(choice.control, choice.chosen, choice.probabilities)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.class_decoding import chosen_classes
from services.common.modeling.heads import Decoding
from services.common.modeling.pooled_feeds import text_feeds
from services.inference.engine.standalone.graph import ExportedGraph


@dataclass(frozen=True)
class Choice:
    """What is chosen of a control.

    Attributes:
        control: Name of the control.
        chosen: Exactly one value of a single choice, any number of a multiple choice.
        probabilities: Of each value; those of a single choice add up to 1.
    """

    control: str
    chosen: tuple[str, ...]
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Control:
    """A control, as ``config.json`` has it."""

    name: str
    values: tuple[str, ...]
    decoding: Decoding


class ExportedModel:
    """The model of an export's folder."""

    def __init__(self, folder: str | Path) -> None:
        """Open the folder."""
        self._graph = ExportedGraph(folder)
        self.controls = [
            Control(
                one["name"],
                tuple(one["values"]),
                Decoding(scheme=one["scheme"], thresholds=tuple(one["thresholds"])),
            )
            for one in self._graph.config["controls"]
        ]

    def predict(self, text: str) -> list[Choice]:
        """Return what is chosen of each control for a text of any length."""
        choices, begin = [], 0
        chances = self.probabilities(text)
        for control in self.controls:
            own = chances[begin : begin + len(control.values)]
            begin += len(control.values)
            choices.append(
                Choice(
                    control.name,
                    tuple(control.values[one] for one in chosen_classes(own, control.decoding)),
                    dict(zip(control.values, own.tolist(), strict=True)),
                )
            )
        return choices

    def probabilities(self, text: str) -> NDArray[np.float32]:
        """Return the probabilities of the values of all controls, one after the other."""
        nothing = np.zeros((1, sum(len(one.values) for one in self.controls)), dtype=np.float32)
        found = value = total = nothing
        encoded = self._graph.tokenizer.encode(text)
        # The runs of a long text add up.
        for arrays in text_feeds(encoded, self._graph.tokenizer, self._graph.reading):
            found, value, total = self._graph.run(
                ["probabilities", "value", "total"],
                {**arrays, "value_before": value, "total_before": total},
            )
        return found.ravel()


def main(texts: Sequence[str]) -> None:
    """Print the choices of each text as a line of JSON."""
    model = ExportedModel(Path(__file__).parent)
    for text in texts:
        sys.stdout.write(json.dumps([asdict(choice) for choice in model.predict(text)]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
