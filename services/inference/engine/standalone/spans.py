"""Find the spans of texts with an exported model: ``python decode.py "some text" …``.

Needs onnxruntime, tokenizers and numpy, and nothing of Spanloop: the modules beside this file are
the rules (words, windows, word features, decoding) that training and serving use, copied when the
model was exported.

    model = ExportedModel("folder of the export")
    for span in model.predict("some text"):
        print(span.start, span.end, span.label, span.score)   # code points, half-open
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.decoding import decode_tags
from services.common.modeling.tokenisation import Encoded
from services.common.modeling.word_feeds import word_feeds
from services.inference.engine.standalone.graph import ExportedGraph


@dataclass(frozen=True, order=True)
class Span:
    """Code points ``[start, end)`` that carry `label` with a score from 0 to 1."""

    start: int
    end: int
    label: str
    score: float


class ExportedModel:
    """The model of an export's folder."""

    def __init__(self, folder: str | Path) -> None:
        """Open the folder."""
        self._graph = ExportedGraph(folder)
        self.labels: list[str] = self._graph.config["labels"]

    def predict(self, text: str) -> list[Span]:
        """Return the spans of a text of any length by start; those of labels may overlap."""
        encoded = self._graph.tokenizer.encode(text)
        chances = self.probabilities(encoded)
        words = encoded.words
        return sorted(
            Span(words[span.first][0], words[span.last - 1][1], label, span.score)
            for label, spans in zip(self.labels, decode_tags(chances), strict=True)
            for span in spans
        )

    def probabilities(self, encoded: Encoded) -> NDArray[np.float32]:
        """Return the probabilities of B, I and O, [labels, words, 3]."""
        found = np.empty((len(self.labels), len(encoded.words), 3), dtype=np.float32)
        for run in word_feeds(encoded, self._graph.tokenizer, self._graph.reading):
            (rows,) = self._graph.run(["probabilities"], run.arrays)
            found[:, run.begin : run.end] = rows[:, run.begin - run.first : run.end - run.first]
        return found


def main(texts: Sequence[str]) -> None:
    """Print the spans of each text as a line of JSON."""
    model = ExportedModel(Path(__file__).parent)
    for text in texts:
        sys.stdout.write(json.dumps([asdict(span) for span in model.predict(text)]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
