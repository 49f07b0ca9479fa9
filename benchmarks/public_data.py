"""Where the public data sets lie that benchmarks measure on, and how they are read."""

from __future__ import annotations

import io
import os
from pathlib import Path

from examples.demo.data import DataError, load
from services.annotation.formats.detect import detect
from services.annotation.formats.records import ParsedTask, ReadOptions, TaskFormat
from services.annotation.formats.registry import FORMATS
from services.trainer.engines.interface import Example

DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""The folder of all sets, one folder each: the one in which the tests look, too."""
SPLITS = ("train", "dev", "test")


def examples_of(content: bytes) -> list[Example]:
    """Read a file's annotated texts, in the order of a snapshot."""
    info = FORMATS[detect(content) or TaskFormat.JSONL]
    found = [
        Example(
            text=record.text,
            spans=[(s.start, s.end, s.label) for s in record.completions[0].content.spans],
        )
        for record in info.reader(io.BytesIO(content), ReadOptions())
        if isinstance(record, ParsedTask) and record.completions
    ]
    return sorted(found, key=lambda example: (example.text, example.spans))


def splits_of(folder: Path) -> dict[str, list[Example]]:
    """Read the texts of a folder with train.*, dev.* and test.*, by split.

    Raises:
        SystemExit: The folder does not hold them.
    """
    try:
        data = load(folder)
    except DataError as error:
        raise SystemExit(f"{error} --data names the folder of the texts") from error
    return {name: examples_of(data.file(getattr(data, name))) for name in SPLITS}
