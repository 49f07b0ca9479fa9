"""The four public sets that quality is measured on, and how each is split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.public_data import examples_of
from services.trainer.engines.interface import Example


@dataclass(frozen=True, kw_only=True)
class QualitySet:
    """One set: what is learned from, what decides, what is measured."""

    name: str
    train: Sequence[Example]
    dev: Sequence[Example]
    test: Sequence[Example]

    @property
    def labels(self) -> list[str]:
        """The labels of the training texts, sorted."""
        return sorted({label for example in self.train for _, _, label in example.spans})

    def limited(self, texts: int) -> QualitySet:
        """Return the set with this many training texts at most (0 for all), evenly spread."""
        if not 0 < texts < len(self.train):
            return self
        chosen = [self.train[index * len(self.train) // texts] for index in range(texts)]
        return QualitySet(name=self.name, train=chosen, dev=self.dev, test=self.test)


def load_set(name: str, data: Path) -> QualitySet:
    """Read a set from the folder that holds all sets.

    Raises:
        SystemExit: For an unknown name, or a folder without the set's files.
    """
    if name not in SETS:
        raise SystemExit(f"unknown set {name!r}; known: {', '.join(SETS)}")
    try:
        return SETS[name](data / name)
    except OSError as error:
        raise SystemExit(f"{name}: {error}; --data names the folder of all sets") from error


def _published(suffix: str) -> Callable[[Path], QualitySet]:
    """Train, dev and test as published, one file each."""

    def read(folder: Path) -> QualitySet:
        train, dev, test = (
            examples_of((folder / f"{split}.{suffix}").read_bytes())
            for split in ("train", "dev", "test")
        )
        return QualitySet(name=folder.name, train=train, dev=dev, test=test)

    return read


def _snips(folder: Path) -> QualitySet:
    """Test as published; a seventh of the published training texts is dev."""
    given = examples_of((folder / "train.jsonl").read_bytes())
    return QualitySet(
        name=folder.name,
        train=[example for example in given if _bucket(example, 7) != 0],
        dev=[example for example in given if _bucket(example, 7) == 0],
        test=examples_of((folder / "test.jsonl").read_bytes()),
    )


def _germeval(folder: Path) -> QualitySet:
    """Only the published dev file is at hand: three fifths train, a fifth dev, a fifth test.

    Outer and nested entities count alike: labels may overlap each other.
    """
    given = examples_of((folder / "NER-de-dev.tsv").read_bytes())
    buckets = [_bucket(example, 5) for example in given]
    train, dev, test = (
        [example for example, bucket in zip(given, buckets, strict=True) if bucket in wanted]
        for wanted in ({0, 1, 2}, {3}, {4})
    )
    return QualitySet(name=folder.name, train=train, dev=dev, test=test)


def _bucket(example: Example, buckets: int) -> int:
    """Sort by content: a text is in the same bucket whatever the order, and so are its copies."""
    digest = hashlib.sha256(example.text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % buckets


SETS: dict[str, Callable[[Path], QualitySet]] = {
    "wnut17": _published("conll"),
    "ncbi_disease": _published("tsv"),
    "snips": _snips,
    "germeval2014": _germeval,
}
"""How each set is read, by the name of its folder."""
