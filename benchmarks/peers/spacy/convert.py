"""Writes a JSON lines file of texts and spans as spaCy's binary format; runs in its environment.

    python convert.py texts.jsonl texts.spacy

Words are what stands between white space, as in a CoNLL file, which is what `spacy convert` does,
too. Of overlapping spans the longest stays: one model holds one span per word.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin
from spacy.util import filter_spans


def document(nlp: spacy.language.Language, text: str, spans: Sequence[tuple[int, int, str]]) -> Doc:
    """Return an annotated text as a document."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    doc = Doc(
        nlp.vocab,
        words=[text[start:end] for start, end in words],
        spaces=[end < len(text) for _, end in words],
    )
    firsts = {start: index for index, (start, _) in enumerate(words)}
    lasts = {end: index + 1 for index, (_, end) in enumerate(words)}
    doc.ents = filter_spans(
        [
            spacy.tokens.Span(doc, firsts[start], lasts[end], label=label)
            for start, end, label in spans
            if start in firsts and end in lasts
        ]
    )
    return doc


def main() -> None:
    """Run from the command line."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    nlp = spacy.blank("en")
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    DocBin(docs=[document(nlp, row["text"], row["spans"]) for row in rows]).to_disk(target)


if __name__ == "__main__":
    main()
