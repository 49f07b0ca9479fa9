"""Which units the offsets of a document count, and from where: told by the annotations' texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.annotation.formats.bioc.elements import RawAnnotation, RawDocument
from services.annotation.formats.bioc.layout import Offset, lay_out, points
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding

Extents = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Located:
    """A document whose units are known.

    Attributes:
        text: Its text.
        extents: For each annotation that marks a piece of text the extents of its locations, in
            code points of `text`.
        notes: What was found out or disregarded.
    """

    text: str
    extents: tuple[Extents, ...]
    notes: tuple[str, ...]


def locate(document: RawDocument, encoding: OffsetEncoding | None, repair: bool) -> Located:
    """Lay out a document and find its annotations in the text; sets the starts of its pieces.

    Offsets should count from the start of the document, and code points; some writers count from
    the sentence or passage, or count bytes or UTF-16 units. The first way of counting is taken for
    which most annotations mark what their text says.

    Args:
        document: The document.
        encoding: The units, if they are known.
        repair: Take offsets also where an annotation's text stands elsewhere.

    Raises:
        InvalidArgumentError: OFFSET_INVALID: the offsets fit the text in no way, or mark something
            else than the annotation's text, which stands elsewhere.
    """
    spans = [one for one in document.annotations if one.is_span]
    plain = all(piece.text.isascii() for piece in document.pieces)
    encodings = [encoding] if encoding else list(OffsetEncoding)[: 1 if plain else 3]
    best: tuple[int, OffsetEncoding, bool, str, list[Extents]] | None = None
    failure: InvalidArgumentError | None = None
    ways = [(unit, relative) for unit in encodings for relative in (False, True)]
    telling = sum(one.text is not None for one in spans)
    for unit, relative in ways:
        if best is not None and best[0] == telling:
            break
        try:
            text = lay_out(document.pieces, unit)
            extents = _resolved(document, spans, unit, relative)
        except InvalidArgumentError as error:
            failure = failure or error
            continue
        fitting = sum(map(_fits, spans, [text] * len(spans), extents))
        if best is None or fitting > best[0]:
            best = (fitting, unit, relative, text, extents)
    if best is None:
        if failure is None:
            raise AssertionError("neither an extent nor a failure")
        raise failure
    _, unit, relative, text, extents = best
    lay_out(document.pieces, unit)
    notes = []
    if relative and spans:
        notes.append("document: offsets were read as counted from their sentence or passage.")
    notes.extend(_judged(spans, text, extents, repair))
    return Located(text=text, extents=tuple(extents), notes=tuple(notes))


def _resolved(
    document: RawDocument, spans: Sequence[RawAnnotation], unit: OffsetEncoding, relative: bool
) -> list[Extents]:
    offsets = []
    for one in spans:
        base = one.base if relative else 0
        for number, (offset, length) in enumerate(one.locations):
            where = f"{one.field}.location[{number}]"
            offsets.append(Offset(base + offset, False, f"{where}.offset"))
            offsets.append(Offset(base + offset + length, True, f"{where}.length"))
    found = iter(points(document.pieces, offsets, unit))
    return [tuple(sorted((next(found), next(found)) for _ in one.locations)) for one in spans]


def _judged(
    spans: Sequence[RawAnnotation], text: str, extents: Sequence[Extents], repair: bool
) -> list[str]:
    """Return notes about annotations whose text is not what they mark, or refuse them."""
    notes = []
    plain = " ".join(text.split())
    for one, places in zip(spans, extents, strict=True):
        if _fits(one, text, places) or one.text is None:
            continue
        said = " ".join(one.text.split())
        marked = " ".join(text[start:end] for start, end in places)
        if said and said in plain and not repair:
            raise invalid_field(
                f"{one.field}.location[0].offset",
                f"marks {marked[:100]!r}, but the annotation's text {said[:100]!r} stands "
                "elsewhere: put the offsets right, or import with repair to take them as they are.",
                reason=Reason.OFFSET_INVALID,
            )
        notes.append(
            f"{one.field}.text: {said[:100]!r} is not what the offsets mark, {marked[:100]!r}: "
            "the offsets were taken."
        )
    return notes


def _fits(one: RawAnnotation, text: str, extents: Extents) -> bool:
    """Whether an annotation marks what its text says; line ends and the glue of pieces are free."""
    if one.text is None:
        return False
    said = " ".join(one.text.split())
    if len(extents) == 1:
        return said == " ".join(text[extents[0][0] : extents[0][1]].split())
    place = 0
    for start, end in extents:
        part = " ".join(text[start:end].split())
        found = said.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True
