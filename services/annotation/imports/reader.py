"""A file's bytes to records: lines, recognition of the format, then the format's reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.annotation.domain import TaskFormat
from services.annotation.imports.conll import ConllReader, columns_of, is_tag
from services.annotation.imports.jsonl import JsonlReader
from services.annotation.imports.lines import Line, LineSplitter
from services.annotation.imports.records import Record, Refused
from services.common.offsets import OffsetEncoding


def recognise(line: str) -> TaskFormat:
    """Return the format of a file that has this as its first line that is not blank.

    Everything that does not look like a JSON object is read as columns, whose reader says for each
    line what is missing.
    """
    stripped = line.strip()
    if not stripped.startswith("{"):
        return TaskFormat.CONLL
    columns = columns_of(line)
    tagged = len(columns) > 1 and is_tag(columns[-1])
    return TaskFormat.CONLL if tagged and not stripped.endswith("}") else TaskFormat.JSONL


class FileReader:
    """Reads one file that arrives in pieces. Not for use from two threads at once."""

    def __init__(
        self, format: TaskFormat | None, encoding: OffsetEncoding, max_line_bytes: int
    ) -> None:
        """Read `format`, or with None what the content looks like."""
        self._lines = LineSplitter(max_line_bytes)
        self._encoding = encoding
        self._reader: ConllReader | JsonlReader | None = None
        self.format = format
        # Refused lines above the first one that tells the format.
        self._held: list[Refused] = []

    def feed(self, data: bytes) -> list[Record]:
        """Take the next bytes and return what they complete."""
        return list(self._read(self._lines.feed(data)))

    def end(self) -> list[Record]:
        """Return what the file's end completes."""
        records = list(self._read(self._lines.end()))
        reader = self._reader
        if reader is None:  # nothing but refused or blank lines
            records.extend(self._held)
            return records
        records.extend(reader.end())
        return records

    def _read(self, lines: Iterable[Line | Refused]) -> Iterator[Record]:
        for line in lines:
            reader = self._reader
            if reader is None:
                if self.format is None:
                    if isinstance(line, Refused):
                        self._held.append(line)
                        continue
                    if not line.text.strip():
                        continue
                    self.format = recognise(line.text)
                if self.format is TaskFormat.JSONL:
                    reader = JsonlReader(self._encoding)
                else:
                    reader = ConllReader()
                self._reader = reader
                for held in self._held:
                    yield from reader.read(held)
            yield from reader.read(line)
