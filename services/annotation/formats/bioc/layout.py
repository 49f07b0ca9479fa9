"""Where the pieces of a BioC document stand in its text, and offsets into it."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from services.annotation.formats.bioc.stream import Infons
from services.annotation.spans import MAX_TEXT
from services.common.errors import Reason, invalid_field
from services.common.offsets import OffsetEncoding, from_code_points, to_code_points


@dataclass(kw_only=True, slots=True)
class Piece:
    """A sentence, or a passage without sentences: a text at an offset of the document.

    Attributes:
        field: Its place in the document, for refusals.
        offset: As the file says, in the file's units.
        text: Its text, maybe empty.
        infons: What is said about it.
        start: Where it stands in the task's text, in code points; set by `lay_out`.
    """

    field: str
    offset: int
    text: str
    infons: Infons = ()
    start: int = 0

    @property
    def end(self) -> int:
        """Behind its last code point in the task's text."""
        return self.start + len(self.text)


@dataclass(kw_only=True, slots=True)
class Passage:
    """A passage with its pieces: itself, or its sentences."""

    field: str
    offset: int
    infons: Infons
    pieces: list[Piece] = dataclasses.field(default_factory=list)
    has_sentences: bool = False


def lay_out(pieces: Sequence[Piece], encoding: OffsetEncoding) -> str:
    """Set the starts of pieces in document order and return the text of the document.

    What lies between pieces is filled with blanks, each gap that follows a text beginning with a
    line feed, so that in a file that counts code points all offsets stay as they are.

    Raises:
        InvalidArgumentError: OFFSET_INVALID: a piece begins before the end of the one above it;
            REQUEST_TOO_LARGE: the text would have more than MAX_TEXT code points.
    """
    parts: list[str] = []
    length = behind = 0  # of the text in code points; of the document in units
    for piece in pieces:
        if not piece.text:  # says nothing about where the next text stands
            piece.start = length
            continue
        gap = piece.offset - behind
        if gap < 0:
            raise invalid_field(
                f"{piece.field}.offset",
                f"{piece.offset} is before the end of the text above it, which is {behind} when "
                f"counted in {encoding.value}.",
                reason=Reason.OFFSET_INVALID,
            )
        if length + gap + len(piece.text) > MAX_TEXT:
            raise invalid_field(
                f"{piece.field}.offset",
                f"the document has more than {MAX_TEXT} characters: divide it.",
                reason=Reason.REQUEST_TOO_LARGE,
            )
        filler = " " * gap
        if gap and parts:
            filler = "\n" + filler[1:]
        parts.extend((filler, piece.text))
        piece.start = length + gap
        length = piece.end
        behind = piece.offset + size_of(piece.text, encoding)
    return "".join(parts)


def size_of(text: str, encoding: OffsetEncoding) -> int:
    """Return the length of a text in units."""
    return from_code_points(text, [len(text)], encoding)[0]


@dataclass(frozen=True, slots=True)
class Offset:
    """An offset counted from the start of the document, in units.

    Attributes:
        value: The offset.
        is_end: Whether it is the end of a span: where two pieces touch it belongs to the first.
        where: Its place in the file, for the refusal.
    """

    value: int
    is_end: bool
    where: str


def points(
    pieces: Sequence[Piece], offsets: Sequence[Offset], encoding: OffsetEncoding
) -> list[int]:
    """Return where offsets of the document stand in the task's text.

    Args:
        pieces: The pieces that were laid out.
        offsets: The offsets.
        encoding: Their units.

    Raises:
        InvalidArgumentError: OFFSET_INVALID: one is in no piece, or inside a character.
    """
    filled = [piece for piece in pieces if piece.text]
    starts = [piece.offset for piece in filled]
    sizes = [size_of(piece.text, encoding) for piece in filled]
    by_piece: dict[int, list[int]] = {}
    for index, one in enumerate(offsets):
        # An end is the place behind its last unit.
        place = bisect_right(starts, one.value - one.is_end) - 1
        inside = one.value - starts[place] if place >= 0 else -1
        if inside < 0 or inside > sizes[place] or (inside == sizes[place] and not one.is_end):
            raise invalid_field(
                one.where,
                f"{one.value} is in none of the texts of the document, counted in "
                f"{encoding.value}.",
                reason=Reason.OFFSET_INVALID,
            )
        by_piece.setdefault(place, []).append(index)
    found = [0] * len(offsets)
    for place, indices in by_piece.items():
        piece = filled[place]
        inner = to_code_points(
            piece.text,
            [offsets[index].value - piece.offset for index in indices],
            encoding,
            lambda number, indices=indices: offsets[indices[number]].where,  # type: ignore[misc]
        )
        for index, point in zip(indices, inner, strict=True):
            found[index] = piece.start + point
    return found
