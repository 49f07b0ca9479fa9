"""Judge given spans with an exported model: ``python decode.py "some text" 5 9 12 20``.

Needs onnxruntime, tokenizers and numpy, and nothing of Spanloop: the modules beside this file are
the rules (words, windows, word features, the words around a span) that training and serving use,
copied when the model was exported.

    model = ExportedModel("folder of the export")
    for one in model.predict("some text", [(5, 9)]):          # code points, half-open
        print(one.start, one.end, one.status, one.probabilities)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.pooled_feeds import span_feeds
from services.common.modeling.span_windows import MAX_SPAN_WORDS, span_words
from services.inference.engine.standalone.graph import ExportedGraph


@dataclass(frozen=True)
class Assertion:
    """The status of a span.

    Attributes:
        start: Where the span begins, in code points.
        end: Where it ends.
        status: The likeliest status.
        probabilities: Of each status; they add up to 1.
    """

    start: int
    end: int
    status: str
    probabilities: dict[str, float]


class ExportedModel:
    """The model of an export's folder."""

    def __init__(self, folder: str | Path) -> None:
        """Open the folder."""
        self._graph = ExportedGraph(folder)
        self.statuses: list[str] = self._graph.config["statuses"]

    def predict(self, text: str, spans: Sequence[tuple[int, int]]) -> list[Assertion]:
        """Return the status of each span of a text of any length.

        Raises:
            ValueError: A span is empty or not within the text.
        """
        return [
            Assertion(
                start,
                end,
                self.statuses[int(np.argmax(row))],
                dict(zip(self.statuses, row.tolist(), strict=True)),
            )
            for (start, end), row in zip(spans, self.probabilities(text, spans), strict=True)
        ]

    def probabilities(self, text: str, spans: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
        """Return the probabilities of the statuses, [spans, statuses]; see ``predict``."""
        for start, end in spans:
            if not 0 <= start < end <= len(text):
                raise ValueError(f"({start}, {end}) is no span of a text of {len(text)} characters")
        encoded = self._graph.tokenizer.encode(text)
        found = [np.zeros((0, len(self.statuses)), dtype=np.float32)]
        extents = []
        for span in spans:
            first, last = span_words(encoded.words, *span)
            extents.append((first, min(last, first + MAX_SPAN_WORDS)))
        for arrays in span_feeds(encoded, extents, self._graph.tokenizer, self._graph.reading):
            found += self._graph.run(["probabilities"], arrays)
        return np.concatenate(found)


def main(text: str, *offsets: str) -> None:
    """Print the statuses of spans of a text as a line of JSON."""
    places = list(map(int, offsets))
    spans = list(zip(places[::2], places[1::2], strict=True))
    found = ExportedModel(Path(__file__).parent).predict(text, spans)
    sys.stdout.write(json.dumps([asdict(one) for one in found]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
