"""The pairs of a tar file, found without unpacking it."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from services.annotation.formats.records import Refused
from services.common.errors import InvalidArgumentError, Reason

# A text has at most a million code points of four bytes; its annotations are allowed more.
MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_ANN_BYTES = 32 * 1024 * 1024
MAX_ARCHIVE_BYTES = 4 * 1024 * 1024 * 1024
MAX_MEMBERS = 1_000_000
# tarfile reads extended headers at one go; nothing that a path needs is longer.
_MAX_HEADER = 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a member stand in the uncompressed archive."""

    offset: int
    size: int


@dataclass(slots=True)
class Pair:
    """The members of one name. `ann` is None for a text that nobody annotated."""

    name: str
    text: Place | None = None
    ann: Place | None = None


@dataclass(slots=True)
class Index:
    """What an archive holds.

    Attributes:
        pairs: By name, in order of first appearance.
        ignored: Names of members that are neither text nor annotations, at most 20 of them.
        refused: Members that cannot be used: name and why.
    """

    pairs: dict[str, Pair] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    refused: list[tuple[str, Reason, str]] = field(default_factory=list)

    def refusals(self, line: int) -> Iterator[Refused]:
        """Yield the members that cannot be used, numbered from `line`."""
        for number, (name, reason, why) in enumerate(self.refused, start=line):
            yield Refused(line=number, reason=reason, field=name, message=f"{name}: {why}")


def uncompressed(file: BinaryIO) -> BinaryIO:
    """Return the archive itself: `file`, or a temporary copy of it without gzip.

    Raises:
        InvalidArgumentError: It is no gzip file although it begins like one, or is larger than
            MAX_ARCHIVE_BYTES when unpacked.
    """
    magic = file.read(2)
    file.seek(0)
    if magic != b"\x1f\x8b":
        return file
    # Pairs are read in any order, and going back in a compressed file means unpacking it anew.
    copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # the reader closes it
    size = 0
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            while chunk := unpacked.read(_CHUNK):
                size += len(chunk)
                if size > MAX_ARCHIVE_BYTES:
                    raise _too_large()
                copy.write(chunk)
    except (OSError, EOFError, zlib.error) as error:
        copy.close()
        raise _damaged(f"its compression is damaged ({error})") from error
    except InvalidArgumentError:
        copy.close()
        raise
    copy.seek(0)
    return copy  # type: ignore[return-value]  # it has all that BinaryIO is used for here


def index_of(file: BinaryIO) -> Index:
    """Return what the uncompressed archive holds; nothing is unpacked.

    Raises:
        InvalidArgumentError: It is no tar file, is damaged, or has more than MAX_MEMBERS.
    """
    index = Index()
    try:
        archive = tarfile.open(fileobj=_Headers(file), mode="r:", encoding="utf-8")  # type: ignore[call-overload]  # noqa: SIM115  # tarfile is given the reading half of a file
        count = 0
        last = -1
        while (member := archive.next()) is not None:
            archive.members = []  # else it would keep every header
            count += 1
            if count > MAX_MEMBERS:
                raise _too_large()
            if member.size < 0 or member.offset <= last:
                raise _damaged("a header has a negative size")
            last = member.offset
            _take(index, member)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
        raise _damaged(str(error) or "it ends within a member") from error
    return index


def content_of(file: BinaryIO, place: Place) -> bytes:
    """Return the bytes of a member.

    Raises:
        InvalidArgumentError: The archive ends within it.
    """
    file.seek(place.offset)
    data = file.read(place.size)
    if len(data) != place.size:
        raise _damaged("it ends within a member")
    return data


class _Headers:
    """What tarfile reads headers from: as the file, but no piece may be absurdly long."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError("a header has an absurd size")
        return self._file.read(size)

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)

    def tell(self) -> int:
        return self._file.tell()


def _take(index: Index, member: tarfile.TarInfo) -> None:
    if member.isdir():
        return
    shown = _shown(member.name)
    if not member.isreg() or member.issparse():
        index.refused.append(
            (shown, Reason.FIELD_INVALID, "is a link or no regular file: pack the file itself.")
        )
        return
    name = member.name
    while name.startswith("./"):
        name = name[2:]
    base = name.rpartition("/")[2]
    if base.startswith("."):  # what macOS adds beside each file
        return
    stem, _, extension = name.rpartition(".")
    if extension not in ("txt", "ann") or not stem.rpartition("/")[2]:
        if len(index.ignored) < 20:
            index.ignored.append(shown)
        return
    why = _bad_name(name)
    if why:
        index.refused.append((shown, Reason.FIELD_INVALID, why))
        return
    limit = MAX_TEXT_BYTES if extension == "txt" else MAX_ANN_BYTES
    if member.size > limit:
        index.refused.append(
            (shown, Reason.REQUEST_TOO_LARGE, f"has more than {limit} bytes: divide it.")
        )
        return
    pair = index.pairs.setdefault(stem, Pair(stem))
    if (pair.text if extension == "txt" else pair.ann) is not None:
        index.refused.append(
            (shown, Reason.FIELD_INVALID, "stands twice in the archive: the first one is taken.")
        )
        return
    place = Place(member.offset_data, member.size)
    if extension == "txt":
        pair.text = place
    else:
        pair.ann = place


def _bad_name(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or any(part in ("", ".", "..") for part in parts):
        return "is no plain path below the archive's root: pack the folder with relative names."
    if not name.isprintable():  # also names that are not UTF-8, which tarfile escapes
        return "has a name with control characters or not in UTF-8: rename the file."
    return ""


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()[:200]


def _damaged(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.REQUEST_MALFORMED,
        f"The file is no tar archive that can be read: {why}. Pack the brat folder anew.",
    )


def _too_large() -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.REQUEST_TOO_LARGE,
        f"The archive has more than {MAX_ARCHIVE_BYTES} bytes or {MAX_MEMBERS} members: divide it.",
        metadata={"limit": str(MAX_ARCHIVE_BYTES)},
    )
