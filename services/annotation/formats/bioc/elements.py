"""A document element as values: passages, annotations and relations as the file has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree  # type: ignore[import-untyped]  # it has no types

from services.annotation.formats.bioc.layout import Passage, Piece
from services.annotation.formats.bioc.stream import Infons, infons_of
from services.common.errors import invalid_field

_MAX_OFFSET = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RawAnnotation:
    """An annotation; `locations` are offset and length, `base` is the offset of its container.

    `scope` is its container: ids may be given anew in each.
    """

    field: str
    scope: str
    line: int
    id: str
    infons: Infons
    text: str | None
    locations: tuple[tuple[int, int], ...]
    base: int

    @property
    def is_span(self) -> bool:
        """Whether it marks a piece of the text."""
        return bool(self.locations) and all(length > 0 for _, length in self.locations)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawLink:
    """A relation; `nodes` are the id that a node refers to, and its role."""

    field: str
    scope: str
    id: str
    infons: Infons
    nodes: tuple[tuple[str, str], ...]


@dataclass(kw_only=True, slots=True)
class RawDocument:
    """What a document element holds, in order."""

    id: str
    infons: Infons
    passages: list[Passage] = field(default_factory=list)
    annotations: list[RawAnnotation] = field(default_factory=list)
    links: list[RawLink] = field(default_factory=list)

    @property
    def pieces(self) -> list[Piece]:
        """The pieces of all passages."""
        return [piece for passage in self.passages for piece in passage.pieces]


def document_of(element: etree._Element) -> RawDocument:
    """Take a document element apart.

    Raises:
        InvalidArgumentError: FIELD_INVALID for an entity, a missing offset, a number that is none,
            or a passage whose text differs from that of its sentences.
    """
    if next(element.iter(etree.Entity), None) is not None:
        raise invalid_field("document", "holds an entity, which is not read: write it out.")
    found = RawDocument(id=(element.findtext("id") or "").strip(), infons=infons_of(element))
    for index, passage in enumerate(element.findall("passage")):
        where = f"passage[{index}]"
        found.passages.append(_passage(passage, where, found))
    _collect(element, "document", 0, found)
    return found


def _passage(element: etree._Element, where: str, found: RawDocument) -> Passage:
    offset = _offset(element, where)
    infons = infons_of(element)
    passage = Passage(field=where, offset=offset, infons=infons)
    sentences = element.findall("sentence")
    text = element.findtext("text")
    for number, sentence in enumerate(sentences):
        place = f"{where}.sentence[{number}]"
        start = _offset(sentence, place)
        passage.pieces.append(
            Piece(
                field=place,
                offset=start,
                text=sentence.findtext("text") or "",
                infons=infons_of(sentence),
            )
        )
        _collect(sentence, place, start, found)
    passage.has_sentences = bool(sentences)
    if not sentences:
        passage.pieces.append(Piece(field=where, offset=offset, text=text or ""))
    elif text is not None and text.split() != " ".join(p.text for p in passage.pieces).split():
        raise invalid_field(f"{where}.text", "differs from its sentences: leave one of them out.")
    _collect(element, where, offset, found)
    return passage


def _collect(element: etree._Element, where: str, base: int, found: RawDocument) -> None:
    """Add the annotations and relations directly below an element."""
    for index, one in enumerate(element.findall("annotation")):
        place = f"{where}.annotation[{one.get('id') or index}]"[:200]
        found.annotations.append(
            RawAnnotation(
                field=place,
                scope=where,
                line=int(one.sourceline or 0),
                id=(one.get("id") or "").strip(),
                infons=infons_of(one),
                text=one.findtext("text"),
                locations=tuple(_locations(one, place)),
                base=base,
            )
        )
    for index, one in enumerate(element.findall("relation")):
        found.links.append(
            RawLink(
                field=f"{where}.relation[{one.get('id') or index}]"[:200],
                scope=where,
                id=(one.get("id") or "").strip(),
                infons=infons_of(one),
                nodes=tuple(
                    ((node.get("refid") or "").strip(), (node.get("role") or "").strip())
                    for node in one.findall("node")
                ),
            )
        )


def _locations(element: etree._Element, where: str) -> Iterator[tuple[int, int]]:
    for number, one in enumerate(element.findall("location")):
        place = f"{where}.location[{number}]"
        yield (
            _number(one.get("offset"), f"{place}.offset"),
            _number(one.get("length"), f"{place}.length"),
        )


def _offset(element: etree._Element, where: str) -> int:
    return _number(element.findtext("offset"), f"{where}.offset")


def _number(value: str | None, where: str) -> int:
    digits = (value or "").strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        raise invalid_field(where, f"must be a number from 0 to {_MAX_OFFSET - 1}.")
    return int(digits)
