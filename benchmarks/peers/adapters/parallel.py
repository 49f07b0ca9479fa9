"""Runs several adapters at once with the `adapters` library; runs in its environment.

    python parallel.py --weights FOLDER --text TEXT --adapters 32 [--threads 2]

As the library's documentation has it: bottleneck adapters (`seq_bn`, Pfeiffer) and a tagging head
each, composed with `Parallel`, evaluated without gradients. The weights are random: they do not
change what a pass costs. Once it has said `{"pieces": …}`, each line N on standard input runs the
first N adapters once over the text, which is tokenised already, and answers with the milliseconds
and those of processor time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import adapters.composition as composition
import torch
from adapters import AutoAdapterModel
from transformers import AutoTokenizer

TAGS = 3


def say(message: object) -> None:
    """Answer with one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--adapters", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = AutoAdapterModel.from_pretrained(arguments.weights)
    names = [f"label{number}" for number in range(arguments.adapters)]
    for name in names:
        model.add_adapter(name, config="seq_bn")
        model.add_tagging_head(name, num_labels=TAGS)
    model.eval()
    inputs = AutoTokenizer.from_pretrained(arguments.weights)(arguments.text, return_tensors="pt")
    say({"pieces": int(inputs["input_ids"].shape[1])})
    for line in sys.stdin:
        chosen = names[: int(line)]
        model.active_adapters = (
            composition.Parallel(*chosen) if len(chosen) > 1 else composition.Stack(chosen[0])
        )
        model.active_head = chosen if len(chosen) > 1 else chosen[0]
        with torch.inference_mode():
            started, cpu = time.perf_counter(), time.process_time()
            model(**inputs)
            say([1000 * (time.perf_counter() - started), 1000 * (time.process_time() - cpu)])


if __name__ == "__main__":
    main()
