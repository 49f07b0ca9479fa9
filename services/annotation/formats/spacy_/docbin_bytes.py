"""The bytes of a DocBin to plain values.

`spacy.tokens.DocBin` trusts what it reads: places of spans go into C arrays unchecked. A file that
anybody may send is therefore taken apart here, with every number checked and nothing run.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from services.common.errors import InvalidArgumentError, Reason

MAX_BYTES = 1024 * 1024 * 1024
_CHUNK = 1024 * 1024
_SPAN = struct.Struct(">QQQllll")


@dataclass(frozen=True, kw_only=True)
class BinEntity:
    """An entity or a member of a group: tokens, label and ids; an id that is not there is empty."""

    first: int
    behind: int
    label: str
    kb_id: str = ""
    span_id: str = ""


@dataclass(frozen=True, kw_only=True)
class BinDoc:
    """One document.

    Attributes:
        words: Its words.
        spaces: Whether a blank follows each word; None when the file does not know.
        entities: Its entities, None when nobody said which there are.
        groups: Its groups of spans, by name.
        cats: Its categories.
        more: Whether tokens say more, such as tags and heads, or there is user data.
    """

    words: Sequence[str]
    spaces: Sequence[bool] | None
    entities: Sequence[BinEntity] | None
    groups: Mapping[str, Sequence[BinEntity]]
    cats: Mapping[str, object]
    more: bool


class DamagedDocError(Exception):
    """One document of the file is inconsistent; the message says what."""


class Bin:
    """An opened DocBin; documents are read one by one."""

    def __init__(self, file: BinaryIO) -> None:
        """Read a file.

        Raises:
            InvalidArgumentError: FORMAT_UNKNOWN when it is no DocBin, REQUEST_MALFORMED when it is
                damaged, REQUEST_TOO_LARGE beyond MAX_BYTES unpacked.
        """
        from spacy.attrs import IDS  # type: ignore[import-not-found]  # it has no types
        from spacy.strings import StringStore

        message = _unpacked(file)
        try:
            self._attrs = [int(one) for one in message["attrs"]]
            self._lengths = np.frombuffer(message["lengths"], dtype="<i4").tolist()
            self._tokens = np.frombuffer(message["tokens"], dtype="<u8")
            self._spaces = np.frombuffer(message["spaces"], dtype=np.uint8)
            self._strings = StringStore(one for one in message["strings"] if one)
            self._cats = list(message["cats"])
            count = len(self._lengths)
            self._flags = list(message.get("flags", [{}] * count))
            self._groups = list(message.get("span_groups", [b""] * count))
            self._user_data = message.get("user_data", [])
            self._column = {
                name: self._attrs.index(IDS[name])
                for name in ("ORTH", "ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID")
                if IDS[name] in self._attrs
            }
            self._more = [
                self._attrs.index(IDS[name])
                for name in ("TAG", "POS", "LEMMA", "MORPH", "DEP", "HEAD")
                if IDS[name] in self._attrs
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(str(error)) from None
        fault = self._fault()
        if fault:
            raise _damaged(fault)
        self._tokens = self._tokens.reshape((-1, len(self._attrs)))

    def _fault(self) -> str:
        """Return what does not fit together, or nothing."""
        count, total = len(self._lengths), sum(self._lengths)
        if "ORTH" not in self._column:
            return "it has no words"
        if min(self._lengths, default=0) < 0:
            return "it has a negative length"
        if self._tokens.size != total * len(self._attrs) or self._spaces.size != total:
            return "its lengths do not add up"
        if {len(self._cats), len(self._flags), len(self._groups)} != {count}:
            return "its lists are of unequal length"
        return ""

    def docs(self) -> Iterator[BinDoc | DamagedDocError]:
        """Yield the documents; in place of an inconsistent one, what is wrong with it."""
        begin = 0
        for index, length in enumerate(self._lengths):
            end = begin + length
            try:
                yield self._doc(index, begin, end)
            except DamagedDocError as error:
                yield error
            begin = end

    def _doc(self, index: int, begin: int, end: int) -> BinDoc:
        rows = self._tokens[begin:end]
        flags = self._flags[index]
        unknown = isinstance(flags, dict) and bool(flags.get("has_unknown_spaces"))
        return BinDoc(
            words=[self._string(one) for one in rows[:, self._column["ORTH"]].tolist()],
            spaces=None if unknown else (self._spaces[begin:end] != 0).tolist(),
            entities=self._entities(rows),
            groups=self._groups_of(self._groups[index], end - begin),
            cats=_cats(self._cats[index]),
            more=bool(rows[:, self._more].any())
            or (index < len(self._user_data) and self._user_data[index] not in (None, b"\x80")),
        )

    def _entities(self, rows: Any) -> list[BinEntity] | None:
        if not {"ENT_IOB", "ENT_TYPE"} <= set(self._column):
            return None
        columns = {
            name: rows[:, place].tolist() for name, place in self._column.items() if name != "ORTH"
        }
        marks = columns["ENT_IOB"]
        if not any(marks):
            return None
        none = [0] * len(marks)
        tokens = list(
            zip(
                marks,
                columns["ENT_TYPE"],
                columns.get("ENT_KB_ID", none),
                columns.get("ENT_ID", none),
                strict=True,
            )
        )
        found = []
        place = 0
        while place < len(tokens):
            mark, label, kb_id, ent_id = tokens[place]
            first = place
            place += 1
            # 3: begins, 1: within, 2: outside, 0: nobody said.
            if mark not in (1, 3) or label == 0:
                continue
            while place < len(tokens) and tokens[place][:2] == (1, label):
                place += 1
            found.append(
                BinEntity(
                    first=first,
                    behind=place,
                    label=self._string(label),
                    kb_id=self._string(kb_id),
                    span_id=self._string(ent_id),
                )
            )
        return found

    def _groups_of(self, data: object, length: int) -> dict[str, list[BinEntity]]:
        if not isinstance(data, bytes):
            raise DamagedDocError("its groups of spans are no bytes")
        groups: dict[str, list[BinEntity]] = {}
        found = _message(data) if data else []
        if not isinstance(found, dict | list):
            raise DamagedDocError("its groups of spans are no list")
        # Older versions wrote a list; then the name of a group is its key.
        pairs = found.items() if isinstance(found, dict) else ((one, None) for one in found)
        try:
            for packed, keys in pairs:
                group = _message(packed)
                spans = [self._span(one, length) for one in group["spans"]]
                for key in keys or [group.get("name", "")]:
                    groups[str(key)] = spans
        except (KeyError, TypeError, AttributeError, struct.error) as error:
            raise DamagedDocError(f"its groups of spans are damaged ({error})") from None
        return groups

    def _span(self, packed: bytes, length: int) -> BinEntity:
        span_id, kb_id, label, first, behind, _, _ = _SPAN.unpack(packed)
        if not 0 <= first < behind <= length:
            raise DamagedDocError(f"it has a span from token {first} to {behind}")
        return BinEntity(
            first=first,
            behind=behind,
            label=self._string(label),
            kb_id=self._string(kb_id),
            span_id=self._string(span_id),
        )

    def _string(self, key: int) -> str:
        try:
            found: str = self._strings[key]
        except (KeyError, OverflowError):
            raise DamagedDocError(f"it uses the string {key}, which the file lacks") from None
        return found


def _cats(found: object) -> dict[str, object]:
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise DamagedDocError("its categories are no names with scores")
    return {key: one.item() if isinstance(one, np.generic) else one for key, one in found.items()}


def _unpacked(file: BinaryIO) -> Mapping[str, Any]:
    head = file.read(2)
    # The two bytes that begin every zlib stream.
    if len(head) < 2 or head[0] & 15 != zlib.DEFLATED or int.from_bytes(head, "big") % 31:
        raise InvalidArgumentError(
            Reason.FORMAT_UNKNOWN, "The file is no DocBin: write one with DocBin.to_disk."
        )
    unzip = zlib.decompressobj()
    data = head
    pieces: list[bytes] = []
    size = 0
    try:
        while data:
            while data:
                pieces.append(unzip.decompress(data, _CHUNK))
                size += len(pieces[-1])
                if size > MAX_BYTES:
                    raise InvalidArgumentError(
                        Reason.REQUEST_TOO_LARGE,
                        f"The DocBin has more than {MAX_BYTES} bytes unpacked: divide it.",
                    )
                data = unzip.unconsumed_tail
            data = file.read(_CHUNK)
        pieces.append(unzip.flush())
    except zlib.error:
        raise _damaged("its packing is broken") from None
    if not unzip.eof:
        raise _damaged("it is cut off")
    try:
        message = _message(b"".join(pieces))
    except DamagedDocError as error:
        raise _damaged(str(error)) from None
    if not isinstance(message, dict):
        raise _damaged("it holds no documents")
    return message


def _message(data: bytes) -> Any:
    # Not srsly.msgpack_loads: after bytes that it cannot read, the garbage collector stays off.
    from srsly import msgpack  # type: ignore[import-untyped]  # it has no types

    try:
        return msgpack.loads(data, raw=False, use_list=True)
    # What the library raises depends on which byte is wrong, and has no common base.
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        raise DamagedDocError(f"its bytes cannot be read ({type(error).__name__})") from None
    except msgpack.UnpackException as error:
        raise DamagedDocError(f"its bytes cannot be read ({type(error).__name__})") from None


def _damaged(fault: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.REQUEST_MALFORMED,
        f"The DocBin is damaged ({fault[:200]}): write it again with DocBin.to_disk.",
    )
