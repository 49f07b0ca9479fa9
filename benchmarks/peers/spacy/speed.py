"""Runs a trained pipeline over texts when it is asked to; runs in spaCy's environment.

    python speed.py MODEL texts.jsonl

Once it has said `{"parameters": …}`, the line `speed` runs it over all texts and answers with the
seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import spacy

_BATCH = 256


def say(message: object) -> None:
    """Answer with one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def parameters(nlp: spacy.language.Language) -> int:
    """Return the number of weights of a pipeline, each once however many components share it."""
    found = {
        (node.id, name): node.get_param(name).size
        for _, component in nlp.pipeline
        for node in component.model.walk()  # type: ignore[attr-defined]
        for name in node.param_names
        if node.has_param(name)
    }
    return int(sum(found.values()))


def main() -> None:
    """Run from the command line."""
    nlp = spacy.load(sys.argv[1])
    rows = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    texts = [json.loads(row)["text"] for row in rows]
    for _doc in nlp.pipe(texts[:_BATCH]):
        pass
    say({"parameters": parameters(nlp)})
    for _ in sys.stdin:
        started = time.perf_counter()
        for _doc in nlp.pipe(texts, batch_size=_BATCH):
            pass
        say(time.perf_counter() - started)


if __name__ == "__main__":
    main()
