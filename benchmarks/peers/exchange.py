"""What passes between the benchmark and a runner: texts, predictions, costs."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.modeling.evaluation import Score, Span, evaluate, micro_score
from services.trainer.engines.interface import Example


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a piece of work took.

    Attributes:
        seconds: On the wall.
        cpu_seconds: Of all threads together: what can be compared on a machine that others use.
    """

    seconds: float
    cpu_seconds: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            seconds=self.seconds + other.seconds, cpu_seconds=self.cpu_seconds + other.cpu_seconds
        )


def write_texts(path: Path, examples: Iterable[Example]) -> None:
    """Write annotated texts as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            row = {"text": example.text, "spans": [list(span) for span in example.spans]}
            file.write(json.dumps(row) + "\n")


def read_texts(path: Path) -> list[Example]:
    """Read what `write_texts` wrote."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Example(text=row["text"], spans=[(start, end, label) for start, end, label in row["spans"]])
        for row in rows
    ]


def read_predictions(path: Path) -> list[list[Span]]:
    """Read a runner's spans, one line of [start, end, label] lists per text."""
    return [
        [(start, end, label) for start, end, label in json.loads(line)]
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def label_scores(
    texts: Sequence[Example], predicted: Sequence[Iterable[Span]], labels: Sequence[str]
) -> dict[str, Score]:
    """Score predictions by label as the trainer scores its own."""
    return evaluate([text.spans for text in texts], predicted, labels).labels


def micro(scores: Mapping[str, Score], labels: Iterable[str]) -> float:
    """Return the F1 of these labels' spans counted together."""
    return micro_score(scores[label] for label in labels).f1


def child_settings(threads: int) -> dict[str, str]:
    """Return the environment of a runner, with so many threads for its numerical libraries."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS")
    # No model hub is asked for anything: the weights are at hand.
    return {**os.environ, **dict.fromkeys(names, str(threads)), "HF_HUB_OFFLINE": "1"}


def run_child(command: Sequence[str | Path], threads: int, log: Path) -> Cost:
    """Run a program to its end, with so many threads for its numerical libraries.

    Raises:
        SystemExit: It failed; the end of its log is the message.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    with log.open("w") as file:
        ended = subprocess.run(
            [str(part) for part in command],
            env=child_settings(threads),
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        raise SystemExit(f"{command[1]} failed:\n{log.read_text()[-3000:]}")
    return Cost(
        seconds=seconds,
        cpu_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )
