"""Generative AI Lab JSON: tasks with completions, in the shape of early Label Studio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from services.annotation.formats.label_studio.dialect import GENERATIVE_AI_LAB
from services.annotation.formats.label_studio.reader import read_tasks
from services.annotation.formats.label_studio.writer import TasksWriter
from services.annotation.formats.records import ReadOptions, Record, WriteOptions, Writer


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the tasks of a file; see `services.annotation.formats.records.Reader`."""
    return read_tasks(file, options, GENERATIVE_AI_LAB)


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return TasksWriter(options, GENERATIVE_AI_LAB)
