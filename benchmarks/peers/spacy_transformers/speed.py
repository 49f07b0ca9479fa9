"""Runs spaCy's pipeline on a transformer when it is asked to; runs in its environment.

    python speed.py --weights FOLDER --texts texts.jsonl --labels 6 [--threads 2]

The components and windows are those of spaCy's own configuration for transformers; the head has
random weights, since its speed counts. Once it has said `{"parameters": …}`, each line runs it over
all texts and answers with the seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import spacy
import torch

_BATCH = 256
_TRANSFORMER = "spacy-transformers.TransformerModel.v3"
_LISTENER = "spacy-transformers.TransformerListener.v1"
_WINDOWS = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96}


def say(message: object) -> None:
    """Answer with one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def pipeline(weights: str, labels: int) -> spacy.language.Language:
    """Return a pipeline of an encoder and an entity recogniser with random weights."""
    nlp = spacy.blank("en")
    model: dict[str, object] = {
        "@architectures": _TRANSFORMER,
        "name": weights,
        "tokenizer_config": {"use_fast": True},
        "get_spans": _WINDOWS,
    }
    nlp.add_pipe("transformer", config={"model": model})
    head: dict[str, object] = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 64,
        "maxout_pieces": 2,
        "use_upper": False,
        "nO": None,
        "tok2vec": {
            "@architectures": _LISTENER,
            "grad_factor": 1.0,
            "pooling": {"@layers": "reduce_mean.v1"},
        },
    }
    ner = nlp.add_pipe("ner", config={"model": head})
    for number in range(labels):
        ner.add_label(f"L{number}")  # type: ignore[attr-defined]
    nlp.initialize()
    return nlp


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--labels", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    nlp = pipeline(arguments.weights, arguments.labels)
    rows = arguments.texts.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(row)["text"] for row in rows]
    for _doc in nlp.pipe(texts[:_BATCH]):
        pass
    model = nlp.get_pipe("transformer").model  # type: ignore[attr-defined]
    encoders = [shim._model for node in model.walk() for shim in node.shims]
    say({"parameters": sum(v.numel() for encoder in encoders for v in encoder.parameters())})
    for _ in sys.stdin:
        started = time.perf_counter()
        for _doc in nlp.pipe(texts, batch_size=_BATCH):
            pass
        say(time.perf_counter() - started)


if __name__ == "__main__":
    main()
