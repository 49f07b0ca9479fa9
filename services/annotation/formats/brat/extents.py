"""Where text-bound lines stand in the text, checked against their text column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from services.annotation.formats.brat.standoff import TextBound
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding, to_code_points

Pieces: TypeAlias = tuple[tuple[int, int], ...]


def extents_of(
    text: str,
    entries: Sequence[TextBound],
    encoding: OffsetEncoding | None,
    field_of: Callable[[int], str],
) -> list[Pieces]:
    """Return the pieces of each line in code points.

    Args:
        text: The text.
        entries: The lines.
        encoding: Units of their offsets; None: code points, as brat counts. Other units are named
            in the refusal if all offsets fit in them, but not guessed.
        field_of: From the number of a line to its place, for refusals.

    Raises:
        InvalidArgumentError: OFFSET_INVALID for offsets outside the text, or that mark something
            else than the line says.
    """
    try:
        return _checked(text, entries, encoding or OffsetEncoding.CODE_POINT, field_of)
    except InvalidArgumentError as error:
        if encoding is not None:
            raise
        for other in (OffsetEncoding.UTF16, OffsetEncoding.UTF8):
            if _fits(text, entries, other, field_of):
                raise _with_advice(error, other) from error
        raise


def joined_up(pieces: Pieces, field: str) -> Pieces:
    """Return pieces in order, those that touch as one; OFFSET_INVALID when they overlap."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if joined and start < joined[-1][1]:
            raise invalid_field(field, "its pieces overlap.", reason=Reason.OFFSET_INVALID)
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def _checked(
    text: str,
    entries: Sequence[TextBound],
    encoding: OffsetEncoding,
    field_of: Callable[[int], str],
) -> list[Pieces]:
    flat = [(entry, offset) for entry in entries for extent in entry.extents for offset in extent]
    points = iter(
        to_code_points(
            text,
            [offset for _, offset in flat],
            encoding,
            lambda index: field_of(flat[index][0].line),
        )
    )
    found: list[Pieces] = [
        tuple((next(points), next(points)) for _ in entry.extents) for entry in entries
    ]
    for entry, pieces in zip(entries, found, strict=True):
        marked = " ".join(text[start:end] for start, end in pieces)
        # brat writes blanks for line ends; other tools shorten runs of them.
        if entry.text is not None and entry.text.split() != marked.split():
            raise invalid_field(
                field_of(entry.line),
                f"{entry.id} marks {marked[:100]!r} in the text, and the line says "
                f"{entry.text[:100]!r}: put its offsets right.",
                reason=Reason.OFFSET_INVALID,
            )
    return found


def _fits(
    text: str,
    entries: Sequence[TextBound],
    encoding: OffsetEncoding,
    field_of: Callable[[int], str],
) -> bool:
    try:
        _checked(text, entries, encoding, field_of)
    except InvalidArgumentError:
        return False
    return True


def _with_advice(error: InvalidArgumentError, unit: OffsetEncoding) -> InvalidArgumentError:
    violation = error.violations[0]
    return invalid_field(
        violation.field,
        f"{violation.description} All offsets of the file fit when counted in {unit.value}: name "
        "that unit for the import.",
        reason=Reason.OFFSET_INVALID,
    )
