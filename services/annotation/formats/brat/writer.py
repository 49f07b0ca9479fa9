"""Tasks as a brat archive."""

from __future__ import annotations

import io
import tarfile
import unicodedata
from collections import Counter

from services.annotation.formats.brat.lines import Lines
from services.annotation.formats.losses import count_task
from services.annotation.formats.records import ExportItem, WriteOptions

_SAFE = frozenset("._-~+@=,() /")
# Leaves room for the number of a name that is there twice.
_MAX_NAME = 180


def writer(options: WriteOptions) -> Writer:
    """Return a writer of a brat archive."""
    return Writer(options)


class Writer:
    """Writes a tar file: for each task ``NAME.txt``, and ``NAME.ann`` if it has a completion.

    Attributes:
        omitted: See `services.annotation.formats.records.Writer`.
        wants_predictions: Never: brat does not tell them from annotations.
    """

    wants_predictions = False

    def __init__(self, options: WriteOptions) -> None:
        """Begin an archive."""
        self.omitted: Counter[str] = Counter()
        self._options = options
        self._names: set[str] = set()
        self._size = 0

    def begin(self) -> bytes:
        """Return nothing: an archive begins with its first member."""
        return b""

    def add(self, item: ExportItem) -> bytes:
        """Return the members of a task."""
        if not item.task.text:
            self.omitted["tasks without a text"] += 1
            return b""
        count_task(self.omitted, item)
        name = self._name(item.task.external_id or item.task.id)
        # A text that begins with this mark needs another one, as a single one is no part of it.
        mark = "\ufeff" if item.task.text.startswith("\ufeff") else ""
        data = self._member(f"{name}.txt", (mark + item.task.text).encode())
        if item.chosen is not None:
            lines = Lines(item.task.text, item.chosen.content, self._options.encoding, self.omitted)
            data += self._member(f"{name}.ann", lines.text().encode())
        return data

    def end(self) -> bytes:
        """Return the archive's end."""
        size = self._size + 2 * tarfile.BLOCKSIZE
        return b"\0" * (2 * tarfile.BLOCKSIZE + -size % tarfile.RECORDSIZE)

    def _member(self, name: str, content: bytes) -> bytes:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        member.mode = 0o644
        data = io.BytesIO()
        data.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8"))
        data.write(content)
        data.write(b"\0" * (-len(content) % tarfile.BLOCKSIZE))
        self._size += data.tell()
        return data.getvalue()

    def _name(self, id: str) -> str:
        """Return a file name that is safe on every system and not taken yet."""
        safe = "".join(char if _is_safe(char) else "_" for char in id)
        parts = [part.strip(" ") for part in safe.split("/")]
        safe = "/".join(f"_{part.lstrip('.')}" if part.startswith(".") else part for part in parts)
        safe = "/".join(part for part in safe.split("/") if part) or "_"
        while len(safe.encode()) > _MAX_NAME:
            safe = safe[:-1].rstrip(" /")
        name, number = safe, 1
        while _folded(name) in self._names:
            number += 1
            name = f"{safe}~{number}"
        self._names.add(_folded(name))
        if name != id:
            self.omitted["external ids (changed to safe file names)"] += 1
        return name


def _is_safe(char: str) -> bool:
    return char in _SAFE or char.isalnum() or unicodedata.category(char).startswith("M")


def _folded(name: str) -> str:
    """Return a name as file systems see it that regard neither case nor composition."""
    return unicodedata.normalize("NFC", name).casefold()
