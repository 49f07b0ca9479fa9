"""The annotations and relations of a BioC document as the content of a completion."""

from __future__ import annotations

import itertools
import json
from typing import TypeAlias

from services.annotation.content import Content, Direction
from services.annotation.contents import RawContent, RawRelation, checked_content
from services.annotation.formats.bioc.elements import RawAnnotation, RawLink
from services.annotation.formats.bioc.stream import Infons
from services.annotation.spans import MAX_ATTRIBUTES, MAX_LABEL, RawSpan
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding
from services.common.validate import check_line, check_text

Extents: TypeAlias = tuple[tuple[int, int], ...]
NO_TYPE = "annotation"
ROLES = ("source", "target")


class Builder:
    """Gathers what is said about one text.

    Attributes:
        labels: As in `services.annotation.formats.records.ParsedTask`.
        notes: What could not be kept as the file has it, one sentence each.
    """

    def __init__(self, text: str) -> None:
        """Begin with nothing said."""
        self.labels: dict[str, tuple[int, str]] = {}
        self.notes: list[str] = []
        self._text = text
        self._spans: dict[str, RawSpan] = {}
        self._named: dict[str, list[tuple[str, str]]] = {}  # by id in the file: scope and span
        self._kept_ids: set[str] = set()
        self._infons_of: dict[str, Infons] = {}  # of spans, by id, as in the file
        self._same: dict[tuple[str, Extents], str] = {}
        self._relations: list[RawRelation] = []
        self._link_ids: set[str] = set()
        # What has no place in the content, and goes back into the file as it is:
        self._annotations: list[dict[str, object]] = []
        self._links: list[dict[str, object]] = []
        self._infons: dict[str, Infons] = {}
        self._link_infons: dict[str, Infons] = {}
        self._roles: dict[str, tuple[str, str]] = {}

    def add_span(self, one: RawAnnotation, extents: Extents) -> None:
        """Add an annotation that marks these extents, which are in order."""
        types = [value.strip() for key, value in one.infons if key == "type" and value.strip()]
        label = types[0] if types else NO_TYPE
        if not types:
            self.notes.append(f"{one.field}: has no infon `type`: labelled {NO_TYPE}.")
        check_line(label, f"{one.field}.infon[type]", 1, MAX_LABEL)
        pieces = self._joined(one, extents)
        known = self._same.get((label, pieces))
        if known is not None:
            self._name(one, known)
            if one.infons != self._infons_of.get(known):
                self._keep(one, extents)
            self.notes.append(f"{one.field}: has the type and place of {known}: read as one span.")
            return
        span_id = self._new_id(one)
        attributes, assertion, rest = _attributes(one.infons)
        if rest:
            self._infons[span_id] = rest
        self._infons_of[span_id] = one.infons
        self._same[label, pieces] = span_id
        self.labels.setdefault(label, (one.line, f"{one.field}.infon[type]"))
        self._spans[span_id] = RawSpan(
            start=pieces[0][0],
            end=pieces[-1][1],
            label=label,
            id=span_id,
            fragments=pieces if len(pieces) > 1 else (),
            assertion=assertion,
            attributes=attributes,
        )

    def keep_annotation(self, one: RawAnnotation) -> None:
        """Keep an annotation that marks no text."""
        self._keep(one, ())
        self.notes.append(f"{one.field}: marks no text; kept for exports to BioC only.")

    def add_link(self, one: RawLink) -> None:
        """Add a relation; when all annotations are there."""
        resolved = [(self._resolved(one, refid), refid, role) for refid, role in one.nodes]
        ends = [span_id for span_id, _, _ in resolved if span_id]
        link_id = self._new_link_id(one)
        self._kept_ids.add(link_id)
        if len(one.nodes) != 2 or len(ends) != 2:
            nodes = [(span_id or refid, role) for span_id, refid, role in resolved]
            self._links.append({"id": link_id, "infons": one.infons, "nodes": nodes})
            self.notes.append(
                f"{one.field}: is not between two spans; kept for exports to BioC only."
            )
            return
        roles = (one.nodes[0][1], one.nodes[1][1])
        if roles == ROLES[::-1]:
            ends.reverse()
        elif roles != ROLES:
            self._roles[link_id] = roles
        labels, direction, rest = _link_infons(one.infons, one.field)
        if rest:
            self._link_infons[link_id] = rest
        self._relations.append(
            RawRelation(
                source=ends[0], target=ends[1], labels=labels, direction=direction, id=link_id
            )
        )

    def end(self) -> Content:
        """Return what was added, checked."""
        extra = {
            name: value
            for name, value in (
                ("annotations", self._annotations),
                ("relations", self._links),
                ("infons", self._infons),
                ("relation_infons", self._link_infons),
                ("roles", self._roles),
            )
            if value
        }
        raw = RawContent(
            spans=list(self._spans.values()),
            relations=self._relations,
            extra=json.dumps({"bioc": extra}, ensure_ascii=False) if extra else "",
        )
        return checked_content(self._text, 0, raw, OffsetEncoding.CODE_POINT, "document")

    def _keep(self, one: RawAnnotation, extents: Extents) -> None:
        self._kept_ids.add(one.id)
        self._annotations.append(
            {"id": one.id, "infons": one.infons, "text": one.text or "", "extents": extents}
        )

    def _joined(self, one: RawAnnotation, extents: Extents) -> Extents:
        joined: list[tuple[int, int]] = []
        for start, end in extents:
            if joined and start < joined[-1][1]:
                raise invalid_field(
                    f"{one.field}.location", "locations overlap.", reason=Reason.OFFSET_INVALID
                )
            if joined and start == joined[-1][1]:
                self.notes.append(f"{one.field}.location: locations that touch were joined.")
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        return tuple(joined)

    def _resolved(self, one: RawLink, refid: str) -> str:
        """Return the span that a node refers to; empty for what was kept aside."""
        named = self._named.get(refid, [])
        if len(named) > 1:
            named = [(scope, span_id) for scope, span_id in named if scope == one.scope]
        if len(named) == 1:
            return named[0][1]
        if refid in self._kept_ids and refid not in self._named:
            return ""
        raise invalid_field(
            one.field,
            f"{refid[:100]!r} is not the id of one annotation, or of a relation above it: give "
            "each its own id.",
        )

    def _name(self, one: RawAnnotation, span_id: str) -> None:
        if one.id:
            self._named.setdefault(one.id, []).append((one.scope, span_id))

    def _new_id(self, one: RawAnnotation) -> str:
        new = one.id
        if not new or new in self._spans or not _is_line(new):
            numbers = itertools.count(len(self._spans) + 1)
            new = next(
                name for name in (f"s{number}" for number in numbers) if name not in self._spans
            )
        if one.id and new != one.id:
            self.notes.append(f"{one.field}: its id is there twice or unusable: it is {new} now.")
        self._name(one, new)
        return new

    def _new_link_id(self, one: RawLink) -> str:
        new = one.id
        if not new or new in self._link_ids or not _is_line(new):
            numbers = itertools.count(len(self._link_ids) + 1)
            new = next(
                name for name in (f"r{number}" for number in numbers) if name not in self._link_ids
            )
        self._link_ids.add(new)
        return new


def _attributes(infons: Infons) -> tuple[dict[str, str], str, Infons]:
    """Return attributes, the assertion status, and infons that can be neither."""
    attributes: dict[str, str] = {}
    assertion = ""
    rest = []
    typed = False
    for key, value in infons:
        if key == "type" and not typed and value.strip():
            typed = True
        elif key == "assertion" and not assertion and _is_line(value):
            assertion = value
        elif (
            key in ("type", "assertion")
            or key in attributes
            or len(attributes) >= MAX_ATTRIBUTES
            or not _is_line(key)
            or not _is_value(value)
        ):
            rest.append((key, value))
        else:
            attributes[key] = value
    return attributes, assertion, tuple(rest)


def _link_infons(infons: Infons, where: str) -> tuple[tuple[str, ...], Direction, Infons]:
    """Return the labels of a relation, its direction, and the other infons."""
    labels: list[str] = []
    direction = Direction.RIGHT
    rest = []
    for key, value in infons:
        if key == "type" and value.strip():
            labels.append(check_line(value.strip(), f"{where}.infon[type]", 1, MAX_LABEL))
        elif key == "direction" and value in ("LEFT", "BOTH"):
            direction = Direction(value)
        else:
            rest.append((key, value))
    return tuple(labels), direction, tuple(rest)


def _is_line(value: str) -> bool:
    try:
        check_line(value, "", 1, 100)
    except InvalidArgumentError:
        return False
    return True


def _is_value(value: str) -> bool:
    try:
        check_text(value, "", 0, 1_000)
    except InvalidArgumentError:
        return False
    return True
