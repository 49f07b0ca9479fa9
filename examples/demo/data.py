"""What the demo is run on: the sample clauses, or a folder of CoNLL/IOB or JSONL files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "contract_clauses" / "clauses.jsonl"
SPLITS = ("train", "dev", "test")
ENDINGS = (".conll", ".tsv", ".iob", ".iob2", ".bio", ".txt", ".jsonl")


class DataError(Exception):
    """The data cannot be used; the message says what is expected."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Texts by split, each the lines of one text in the file's own format."""

    name: str
    train: Sequence[str]
    dev: Sequence[str]
    test: Sequence[str]
    separator: str
    """What stands between two texts of a file."""

    def file(self, texts: Sequence[str]) -> bytes:
        """Return texts as the bytes of one file."""
        return (self.separator.join(texts) + self.separator).encode()

    def inbox(self, texts: Sequence[str]) -> bytes:
        """Return texts as the bytes of a file in which they are new and not annotated."""
        if self.separator == "\n":
            texts = [json.dumps({"text": json.loads(line)["text"]}) for line in texts]
        return self.file(texts)


def load(folder: Path | None) -> Dataset:
    """Read the sample, or the folder's files whose names begin with train, dev and test.

    Raises:
        DataError: The folder lacks a file, or a file holds no text.
    """
    return _sample() if folder is None else _folder(folder)


def _sample() -> Dataset:
    texts: dict[str, list[str]] = {split: [] for split in SPLITS}
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        texts[json.loads(line)["split"]].append(line)
    return Dataset(name="contracts", separator="\n", **texts)


def _folder(folder: Path) -> Dataset:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give one with train, dev and test files.")
    texts: dict[str, list[str]] = {}
    separators: set[str] = set()
    for split in SPLITS:
        found = sorted(path for path in folder.glob(f"{split}*") if path.suffix.lower() in ENDINGS)
        if len(found) != 1:
            raise DataError(
                f"{folder} must hold exactly one file {split}.* ({', '.join(ENDINGS)}), "
                f"found {len(found)}."
            )
        separator = "\n" if found[0].suffix.lower() == ".jsonl" else "\n\n"
        separators.add(separator)
        texts[split] = _texts(found[0].read_text(encoding="utf-8-sig"), separator)
        if not texts[split]:
            raise DataError(f"{found[0]} holds no text.")
    if len(separators) > 1:
        raise DataError(f"{folder}: the files must be of one format, JSONL or columns.")
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in folder.resolve().name.lower())
    return Dataset(name=name.strip("-") or "demo", separator=separators.pop(), **texts)


def _texts(content: str, separator: str) -> list[str]:
    if separator == "\n":
        return [line for line in content.split("\n") if line.strip()]
    texts: list[str] = []
    lines: list[str] = []
    for line in [*content.split("\n"), ""]:
        if line.strip():
            lines.append(line)
        elif lines:
            texts.append("\n".join(lines))
            lines = []
    return texts
