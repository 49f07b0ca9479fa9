"""The table of formats."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.annotation.formats.records import TaskFormat, WriteOptions
from services.annotation.formats.registry import FORMATS


def test_every_format_is_there() -> None:
    assert set(FORMATS) == set(TaskFormat)


@pytest.mark.parametrize("format", list(TaskFormat))
def test_readers_and_writers_are_found(format: TaskFormat) -> None:
    info = FORMATS[format]
    assert callable(info.reader)
    assert info.extensions[0].startswith(".")
    if info.writer is not None:
        out = info.writer(WriteOptions())
        assert isinstance(out.begin(), bytes)
        assert isinstance(out.end(), bytes)
        assert not out.omitted


def test_formats_are_loaded_when_they_are_used() -> None:
    code = (
        "import sys, services.annotation.formats.registry as registry; "
        "here = 'services.annotation.formats.'; "
        "names = [here + info.reads for info in registry.FORMATS.values()]; "
        "print(*[name for name in names if name in sys.modules], "
        "*[name for name in ('spacy', 'ijson') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
