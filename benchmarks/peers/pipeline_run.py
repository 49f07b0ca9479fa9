"""Runs transformers' token classification pipeline when it is asked to.

    python -m benchmarks.peers.pipeline_run --texts FILE --test FILE --weights FOLDER --labels 6 \
        [--batch 32] [--threads 2] [--trained]

FOLDER holds an encoder, whose head then has random weights that answer O: its speed counts. With
`--trained` it holds a token classification model, whose predictions count, too. The texts come to
the pipeline sorted by length, which spares it the most padding. Once it has said `{"parameters":
…}`, the line `speed` runs it over all texts and answers with the seconds, and `predict FILE` writes
the spans of the test texts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from benchmarks.peers.exchange import read_texts

# A random head would find a span in every word, which no trained one does.
_OUTSIDE = 8.0


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--texts", "--test", "--weights"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--labels", type=int, required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trained", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tokenizer = AutoTokenizer.from_pretrained(arguments.weights)
    if arguments.trained:
        model = AutoModelForTokenClassification.from_pretrained(arguments.weights)
    else:
        tags = [f"{mark}-L{n}" for n in range(arguments.labels) for mark in "BI"]
        model = AutoModelForTokenClassification.from_pretrained(
            arguments.weights,
            num_labels=1 + len(tags),
            id2label=dict(enumerate(["O", *tags])),
            label2id={tag: n for n, tag in enumerate(["O", *tags])},
        )
        with torch.no_grad():
            model.classifier.bias[0] += _OUTSIDE
    model.eval()
    classify = pipeline(
        "token-classification",
        model=model,
        tokenizer=tokenizer,
        aggregation_strategy="simple",
        batch_size=arguments.batch,
        device=-1,
    )
    texts = sorted((example.text for example in read_texts(arguments.texts)), key=len)
    test = [example.text for example in read_texts(arguments.test)]
    with torch.inference_mode():
        classify(texts[: 2 * arguments.batch])
    _say({"parameters": sum(value.numel() for value in model.parameters())})
    for line in sys.stdin:
        match line.split():
            case ["speed"]:
                started = time.perf_counter()
                with torch.inference_mode():
                    classify(texts)
                _say(time.perf_counter() - started)
            case ["predict", out]:
                with torch.inference_mode():
                    found = classify(test)
                rows = [
                    [[item["start"], item["end"], item["entity_group"]] for item in items]
                    for items in found
                ]
                Path(out).write_text("".join(json.dumps(row) + "\n" for row in rows))
                _say(len(rows))


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
