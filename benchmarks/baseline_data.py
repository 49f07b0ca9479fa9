"""The public sets of statuses and intents, and how each is split into train, dev and test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.trainer.engines.interface import Example

_FOLDS = 20
# One training text in so many is dev where no dev split is published.
_DEV_SHARE = 7
# negex_context's published dev has 187 spans: all of its texts together tell more.
_NEGEX_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class JudgedSet:
    """One set: what is learned from, what decides, what is measured.

    Attributes:
        name: For the figures.
        model_type: ``assertion`` or ``classification``.
        multiple: A text may have several values.
        train: What is learned from.
        dev: What decides when to stop, and on regularisation and thresholds.
        test: What is measured.
    """

    name: str
    model_type: str
    multiple: bool
    train: Sequence[Example]
    dev: Sequence[Example]
    test: Sequence[Example]

    @property
    def values(self) -> list[str]:
        """The values or statuses of the training texts, sorted."""
        chosen = {value for example in self.train for value in example.choices}
        return sorted(chosen | {status for e in self.train for _, _, status in e.assertions})


def load_sets(data: Path, rounds: int) -> list[JudgedSet]:
    """Read all sets below a folder.

    Args:
        data: The folder of all sets.
        rounds: Rounds of NLU++, see `nlupp_folds`.
    """
    negex = data / "negex_context"
    sets = [_negex(negex), *_negex_folds(negex), _snips(data / "snips")]
    for domain in ("banking", "hotels"):
        folder = data / "nlupp" / domain
        folds = [
            _intents(json.loads((folder / f"fold{fold}.json").read_text(encoding="utf-8")))
            for fold in range(_FOLDS)
        ]
        for number in range(rounds):
            train, dev, test = (
                [example for fold in part for example in folds[fold]]
                for part in nlupp_folds(number)
            )
            sets.append(
                JudgedSet(
                    name=f"nlupp-{domain}",
                    model_type="classification",
                    multiple=True,
                    train=train,
                    dev=dev,
                    test=test,
                )
            )
    return sets


def nlupp_folds(number: int) -> tuple[list[int], list[int], list[int]]:
    """Return the folds of train, dev and test in a round.

    The authors' "large" setup measures on two neighbouring folds, each pair in one of ten rounds,
    and trains on the others; here the pair before the measured one is kept back as dev. Rounds
    begin with the last pair: folds 0-15, 16-17 and 18-19.
    """
    pairs = _FOLDS // 2
    test = (pairs - 1 - number) % pairs
    dev = (test - 1) % pairs
    train = [fold for fold in range(_FOLDS) if fold // 2 not in (dev, test)]
    return train, [2 * dev, 2 * dev + 1], [2 * test, 2 * test + 1]


def grouped(rows: Iterable[Mapping[str, Any]]) -> list[Example]:
    """Return one example per sentence with its targets' statuses, in the order of a snapshot.

    Of a target that occurs more than once the first status holds.
    """
    found: dict[str, dict[tuple[int, int], str]] = {}
    for row in rows:
        spans = found.setdefault(row["text"], {})
        spans.setdefault((row["start"], row["end"]), row["assertion"])
    return [
        Example(text=text, assertions=[(*span, status) for span, status in sorted(spans.items())])
        for text, spans in sorted(found.items())
    ]


def in_dev(text: str) -> bool:
    """Say whether a training text is kept back: by its content, so that its copies go along."""
    return int.from_bytes(_digest(text)[:8], "big") % _DEV_SHARE == 0


def negex_fold(text: str) -> int:
    """Return the fold of a text of negex_context, by its content too, apart from `in_dev`."""
    return int.from_bytes(_digest(text)[8:16], "big") % _NEGEX_FOLDS


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _negex(folder: Path) -> JudgedSet:
    return _statuses(
        "negex_context",
        grouped(_lines(folder / "train.jsonl")),
        grouped(_lines(folder / "dev.jsonl")),
    )


def _negex_folds(folder: Path) -> list[JudgedSet]:
    """Return one round per fold of the texts of both splits."""
    given = grouped([*_lines(folder / "train.jsonl"), *_lines(folder / "dev.jsonl")])
    return [
        _statuses(
            "negex_context-folds",
            [example for example in given if negex_fold(example.text) != fold],
            [example for example in given if negex_fold(example.text) == fold],
        )
        for fold in range(_NEGEX_FOLDS)
    ]


def _statuses(name: str, given: Sequence[Example], test: Sequence[Example]) -> JudgedSet:
    return JudgedSet(
        name=name,
        model_type="assertion",
        multiple=False,
        train=[example for example in given if not in_dev(example.text)],
        dev=[example for example in given if in_dev(example.text)],
        test=test,
    )


def _snips(folder: Path) -> JudgedSet:
    train, test = (
        _intents(
            {"text": row["text"], "intents": [row["intent"]]}
            for row in _lines(folder / f"{split}.jsonl")
        )
        for split in ("train", "test")
    )
    return JudgedSet(
        name="snips",
        model_type="classification",
        multiple=False,
        train=[example for example in train if not in_dev(example.text)],
        dev=[example for example in train if in_dev(example.text)],
        test=test,
    )


def _intents(rows: Iterable[Mapping[str, Any]]) -> list[Example]:
    found = [Example(text=row["text"], choices=sorted(row.get("intents", []))) for row in rows]
    return sorted(found, key=lambda example: (example.text, example.choices))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
