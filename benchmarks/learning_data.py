"""The sets of the active learning benchmark: a pool to annotate from, and what is measured on."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.public_data import examples_of
from services.trainer.engines.interface import Example

DEV_TEXTS = 100
"""Texts that decide when training stops: the same for all strategies, and never in the pool."""


@dataclass(frozen=True, kw_only=True)
class LearningSet:
    """One set.

    Attributes:
        name: Its name.
        model_type: What is learned: ``ner`` or ``classification``.
        pool: Texts with what an annotator would say about them.
        dev: Texts that decide when training stops.
        test: Texts that are measured on.
        labels: The labels, or the values of the one control.
    """

    name: str
    model_type: str
    pool: Sequence[Example]
    dev: Sequence[Example]
    test: Sequence[Example]
    labels: Sequence[str]


def load_set(name: str, folder: Path, *, pool: int, seed: int) -> LearningSet:
    """Read ``wnut17`` (labels of spans) or ``snips`` (intents).

    Args:
        name: The set.
        folder: Holds a folder of that name.
        pool: Texts of the pool, drawn by the seed.
        seed: Of the draws; the dev and test texts are the same for all seeds.

    Raises:
        SystemExit: There is no such set, or its files are not there.
    """
    readers = {"wnut17": _wnut17, "snips": _snips}
    if name not in readers:
        raise SystemExit(f"unknown set {name!r}; known: {', '.join(readers)}")
    try:
        train, dev, test, model_type = readers[name](folder / name)
    except OSError as error:
        raise SystemExit(f"{name}: {error}; --data names the folder of all sets") from error
    if not dev:
        train, dev = train[DEV_TEXTS:], train[:DEV_TEXTS]
    labels = {
        label
        for example in train
        for label in (*example.choices, *(span[2] for span in example.spans))
    }
    return LearningSet(
        name=name,
        model_type=model_type,
        pool=random.Random(seed).sample(train, min(pool, len(train))),  # noqa: S311
        dev=_drawn(dev)[:DEV_TEXTS],
        test=test,
        labels=sorted(labels),
    )


_Read = tuple[Sequence[Example], Sequence[Example], Sequence[Example], str]


def _wnut17(folder: Path) -> _Read:
    train, dev, test = (
        examples_of((folder / f"{split}.conll").read_bytes()) for split in ("train", "dev", "test")
    )
    return _drawn(train), dev, test, "ner"


def _snips(folder: Path) -> _Read:
    def read(split: str) -> list[Example]:
        lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        return [Example(text=one["text"], choices=[one["intent"]]) for one in records]

    return _drawn(read("train")), [], read("test"), "classification"


def _drawn(examples: Sequence[Example]) -> list[Example]:
    return random.Random(0).sample(examples, len(examples))  # noqa: S311
