"""What commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from spanloop.types import EvaluationReport, ExportReport, Split, SplitEvaluation, TaskFormat

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_PIPE_WIDTH = 200
"""Columns of output that no terminal limits: names must not be cut in a pipe."""


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else max(_PIPE_WIDTH, shutil.get_terminal_size().columns)
    return Console(file=stream, width=width, highlight=False)


def out() -> Console:
    """Return the console for results."""
    return _console(sys.stdout)


def err() -> Console:
    """Return the console for progress, remarks and errors."""
    return _console(sys.stderr)


def to_json(value: object) -> Json:
    """Return SDK values as JSON: objects, times as RFC 3339, durations as seconds, bytes as UTF-8.

    Raises:
        TypeError: A value has no JSON form.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case bytes():
            return value.decode("utf-8", "replace")
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case dict():
            return {str(key): to_json(entry) for key, entry in value.items()}
        case list() | tuple():
            return [to_json(entry) for entry in value]
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_json(value: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(to_json(value), ensure_ascii=False, indent=2) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table on stdout; columns that begin with `#` are numbers."""
    table = Table(title=title or None, title_justify="left")
    for column in columns:
        table.add_column(
            column.removeprefix("#"),
            justify="right" if column.startswith("#") else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out().print(table)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3f}"
        case bytes():
            return value.decode("utf-8", "replace")
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case _:
            return escape(str(value))


def print_evaluation(report: EvaluationReport, split: Split | None = None) -> None:
    """Print precision, recall and F1 per label of one split, by default the most telling one."""
    wanted = [split] if split else [Split.TEST, Split.DEV]
    found = next((entry for entry in map(report.on, wanted) if entry is not None), None)
    if found is None:
        return
    print_table(
        ["label", "#precision", "#recall", "#F1", "#support"],
        _rows(found),
        title=f"Quality on {found.split.value} ({found.texts} texts)",
    )


def _rows(found: SplitEvaluation) -> Iterable[Sequence[object]]:
    for label, metrics in [
        *sorted(found.labels.items()),
        ("micro average", found.micro),
        ("macro average", found.macro),
    ]:
        yield label, metrics.precision, metrics.recall, metrics.f1, metrics.support


def progress_bar() -> Progress:
    """Return a progress bar on stderr; it vanishes when it is done, and in a pipe never shows."""
    console = err()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def note(text: str) -> None:
    """Print a remark on stderr."""
    err().print(escape(text))


def warn_omitted(report: ExportReport, format: TaskFormat) -> None:
    """Warn of everything that the format of an export could not hold."""
    for what, count in sorted(report.omitted.items()):
        warn(f"{format.value} has no place for {count} × {what}.")


def warn(text: str) -> None:
    """Print a warning on stderr."""
    err().print(f"[yellow]warning:[/yellow] {escape(text)}")
