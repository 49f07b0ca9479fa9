"""Writes the spans that a trained pipeline finds; runs in spaCy's environment.

python predict.py MODEL texts.jsonl predictions.jsonl
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import spacy


def main() -> None:
    """Run from the command line."""
    nlp = spacy.load(sys.argv[1])
    rows = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    texts = [json.loads(row)["text"] for row in rows]
    with Path(sys.argv[3]).open("w", encoding="utf-8") as file:
        for doc in nlp.pipe(texts):
            spans = [[span.start_char, span.end_char, span.label_] for span in doc.ents]
            file.write(json.dumps(spans) + "\n")


if __name__ == "__main__":
    main()
