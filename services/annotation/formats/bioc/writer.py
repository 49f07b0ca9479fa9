"""Tasks as a BioC collection."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from lxml import etree  # type: ignore[import-untyped]  # it has no types

from services.annotation.content import Content, Direction, Relation, Span
from services.annotation.domain import Task
from services.annotation.formats.bioc.content import ROLES
from services.annotation.formats.bioc.kept import KeptContent, KeptTask, Part, PassagePart
from services.annotation.formats.losses import count_task
from services.annotation.formats.records import ExportItem, WriteOptions
from services.common.offsets import OffsetEncoding, from_code_points

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BEGIN = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'


def writer(options: WriteOptions) -> Writer:
    """Return a writer of a BioC collection."""
    return Writer(options)


class Writer:
    """Writes a document per task, with the passages that it came with, else as one passage.

    Attributes:
        omitted: See `services.annotation.formats.records.Writer`.
        wants_predictions: Never: BioC does not tell them from annotations.
    """

    wants_predictions = False

    def __init__(self, options: WriteOptions) -> None:
        """Begin a collection."""
        self.omitted: Counter[str] = Counter()
        self._encoding = options.encoding or OffsetEncoding.CODE_POINT
        self._header: object = None

    def begin(self) -> bytes:
        """Return nothing: the collection is described by the first task."""
        return b""

    def add(self, item: ExportItem) -> bytes:
        """Return the document of a task."""
        if not item.task.text:
            self.omitted["tasks without a text"] += 1
            return b""
        count_task(self.omitted, item, "metadata")
        kept = KeptTask.of(item.task)
        start = b""
        if self._header is None:
            self._header = kept.collection
            start = self._beginning(kept)
        elif kept.collection != self._header:
            self.omitted["descriptions of collections (that of the first task is written)"] += 1
        content = Content() if item.chosen is None else item.chosen.content
        if item.chosen is not None and not content.spans and not content.relations:
            self.omitted["completions without spans (read as open tasks)"] += 1
        element = self._document(item.task, kept, content)
        etree.indent(element, "  ", level=1)
        xml: bytes = etree.tostring(element, encoding="UTF-8", xml_declaration=False)
        return start + b"  " + xml + b"\n"

    def end(self) -> bytes:
        """Return the end of the collection."""
        start = self._beginning(KeptTask()) if self._header is None else b""
        return start + b"</collection>\n"

    def _beginning(self, kept: KeptTask) -> bytes:
        root = etree.Element("collection")
        for name in ("source", "date", "key"):
            self._text(root, name, str(kept.collection.get(name, "")))
        self._infons(root, kept.collection_infons)
        etree.indent(root, "  ")
        text: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False)
        return _BEGIN + text.removesuffix(b"</collection>")

    def _document(self, task: Task, kept: KeptTask, content: Content) -> etree._Element:
        root = etree.Element("document")
        self._text(root, "id", task.external_id or task.id)
        self._infons(root, [*sorted(task.metadata.items()), *kept.infons])
        passages = kept.passages_of(task.text)
        if not all(_is_within(span, passages) for span in content.spans):
            self.omitted["passages (a span begins or ends between them)"] += len(passages)
            passages = [PassagePart(start=0, end=len(task.text))]
        places = _Places(root)
        for passage in passages:
            self._passage(places, task.text, passage)
        aside = KeptContent.of(content)
        for span in content.spans:
            self._annotation(places.of(span), task.text, span, aside)
        for one in aside.annotations:
            element = etree.SubElement(root, "annotation", id=self._clean(one.id))
            self._infons(element, one.infons)
            self._locations(element, task.text, one.extents(task.text))
            self._text(element, "text", one.text)
        ids = {span.id for span in content.spans}
        for relation in content.relations:
            if relation.source in ids and relation.target in ids:
                self._relation(root, relation, aside)
            else:
                self.omitted["relations of regions"] += 1
        for link in aside.relations:
            self._link(root, link.id, link.infons, link.nodes)
        return root

    def _passage(self, places: _Places, text: str, passage: PassagePart) -> None:
        element = etree.SubElement(places.root, "passage")
        self._infons(element, passage.infons)
        self._text(element, "offset", str(self._counted(text, passage.start)))
        places.add(element, passage)
        if passage.sentences is None:
            self._text(element, "text", text[passage.start : passage.end])
            return
        for sentence in passage.sentences:
            child = etree.SubElement(element, "sentence")
            self._infons(child, sentence.infons)
            self._text(child, "offset", str(self._counted(text, sentence.start)))
            self._text(child, "text", text[sentence.start : sentence.end])
            places.add(child, sentence)

    def _annotation(
        self, parent: etree._Element, text: str, span: Span, aside: KeptContent
    ) -> None:
        element = etree.SubElement(parent, "annotation", id=self._clean(span.id))
        self._infons(element, [("type", span.label)])
        if span.assertion:
            self._infons(element, [("assertion", span.assertion)])
        named = [pair for pair in span.attributes if pair[0] not in ("type", "assertion")]
        if len(named) < len(span.attributes):
            self.omitted["attributes named type or assertion"] += len(span.attributes) - len(named)
        self._infons(element, [*named, *aside.infons.get(span.id, ())])
        pieces = span.fragments or ((span.start, span.end),)
        self._locations(element, text, pieces)
        self._text(element, "text", " ".join(text[start:end] for start, end in pieces))

    def _locations(
        self, element: etree._Element, text: str, pieces: Iterable[tuple[int, int]]
    ) -> None:
        for piece in pieces:
            start, end = from_code_points(text, piece, self._encoding)
            etree.SubElement(element, "location", offset=str(start), length=str(end - start))

    def _relation(self, root: etree._Element, one: Relation, aside: KeptContent) -> None:
        infons = [("type", label) for label in one.labels]
        if one.direction is not Direction.RIGHT:
            infons.append(("direction", one.direction.value))
        roles = aside.roles.get(one.id, ROLES)
        nodes = ((one.source, roles[0]), (one.target, roles[1]))
        self._link(root, one.id, [*infons, *aside.relation_infons.get(one.id, ())], nodes)

    def _link(
        self,
        root: etree._Element,
        link_id: str,
        infons: Sequence[tuple[str, str]],
        nodes: Iterable[tuple[str, str]],
    ) -> None:
        element = etree.SubElement(root, "relation", id=self._clean(link_id))
        self._infons(element, infons)
        for refid, role in nodes:
            etree.SubElement(element, "node", refid=self._clean(refid), role=self._clean(role))

    def _infons(self, element: etree._Element, infons: Iterable[tuple[str, str]]) -> None:
        for key, value in infons:
            child = etree.SubElement(element, "infon", key=self._clean(key))
            child.text = self._clean(value)

    def _text(self, element: etree._Element, tag: str, text: str) -> None:
        etree.SubElement(element, tag).text = self._clean(text)

    def _clean(self, text: str) -> str:
        cleaned, count = _NOT_IN_XML.subn("\ufffd", text)
        if count:
            self.omitted["characters that XML cannot hold (written as U+FFFD)"] += count
        return cleaned

    def _counted(self, text: str, offset: int) -> int:
        return from_code_points(text, [offset], self._encoding)[0]


class _Places:
    """Which element an annotation belongs into: the smallest that holds it."""

    def __init__(self, root: etree._Element) -> None:
        self.root = root
        self._parts: list[tuple[int, int, etree._Element]] = []

    def add(self, element: etree._Element, part: Part) -> None:
        self._parts.append((part.start, part.end, element))

    def of(self, span: Span) -> etree._Element:
        # Sentences come behind their passage.
        for start, end, element in reversed(self._parts):
            if start <= span.start and span.end <= end:
                return element
        return self.root


def _is_within(span: Span, passages: Sequence[PassagePart]) -> bool:
    """Whether each piece of a span begins and ends in a text of a passage."""
    parts = [part for passage in passages for part in passage.pieces]
    return all(
        any(part.start <= start < part.end for part in parts)
        and any(part.start < end <= part.end for part in parts)
        for start, end in span.fragments or ((span.start, span.end),)
    )
