"""Reading the results of an annotation: spans, regions, choices, relations, and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.annotation.content import Choices, Content, Direction, Relation
from services.annotation.contents import RawRelation, checked_relations
from services.annotation.formats.label_studio.attributes import attribute_of
from services.annotation.formats.label_studio.entries import Entries
from services.annotation.formats.label_studio.extents import label_key
from services.annotation.formats.label_studio.regions import Boxes
from services.annotation.formats.label_studio.spans import About, TextSpans
from services.annotation.formats.label_studio.values import is_line
from services.common.errors import invalid_field
from services.common.offsets import OffsetEncoding

DIRECTIONS = {"right": Direction.RIGHT, "left": Direction.LEFT, "bi": Direction.BOTH}
_MAX_LABEL = 100


@dataclass(frozen=True, kw_only=True)
class Found:
    """What results say.

    Attributes:
        content: Spans, choices, relations and regions.
        kept: What goes to `extra`.
        labels: The path that first names each label.
        notes: What was set aside or merged.
        origins: For each span the place of its result.
        chosen: Names, values and places of all results with choices.
    """

    content: Content
    kept: dict[str, Any]
    labels: Mapping[str, str]
    notes: Sequence[str]
    origins: Mapping[str, int]
    chosen: Sequence[tuple[str, tuple[str, ...], int]]


def read_results(results: Sequence[Any], about: About, field: str) -> Found:
    """Return what the results of an annotation say.

    Raises:
        InvalidArgumentError: A result is no object, an offset is wrong (see
            `services.annotation.formats.label_studio.extents.to_points`), or a label cannot be one.
    """
    for index, result in enumerate(results):
        if not isinstance(result, dict):
            raise invalid_field(f"{field}[{index}]", "must be an object.")
    texts = TextSpans.of(results, about, field)
    boxes = Boxes()
    if not about.proposed:
        boxes = Boxes.of(results, about.pages, set(texts.spans))
    reading = _Reading(about=about, path=field, texts=texts, boxes=boxes)
    for index, result in enumerate(results):
        reading.take(index, result)
    return reading.found()


@dataclass(kw_only=True)
class _Reading:
    about: About
    path: str
    texts: TextSpans
    boxes: Boxes
    entries: Entries = field(default_factory=Entries)
    choices: dict[str, Choices] = field(default_factory=dict)
    chosen: list[tuple[str, tuple[str, ...], int]] = field(default_factory=list)
    relations: list[RawRelation] = field(default_factory=list)
    related: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def take(self, index: int, result: Mapping[str, Any]) -> None:
        """Turn one result into an entry, and into what it says."""
        if index in self.texts.of_result:
            self._take_span(index, result)
        elif result.get("type") == "relation":
            self._take_relation(index, result)
        elif index in self.boxes.parts:
            self._take_box(index, result)
        elif not (
            (not self.about.proposed and self._take_attribute(result))
            or self._take_choices(index, result)
        ):
            self.entries.raw(result)

    def _take_span(self, index: int, result: Mapping[str, Any]) -> None:
        ids = self.texts.of_result[index]
        key = label_key(result)
        asserts = index in self.texts.asserted
        what: dict[str, Any] = {"assert" if asserts else "span": ids}
        known = [key]
        value = result["value"]
        first = self.texts.spans[ids[0]]
        if self.texts.exact[index]:
            known += ["start", "end"]
            if value.get("text") == self.about.text[first.start : first.end]:
                known.append("text")
        else:
            what["at"] = [first.start, first.end]
        if not asserts and len(value[key]) > 1:
            what["labels"] = value[key]
            more = [one for one in value[key] if one in self.about.assertions]
            if more not in ([], [first.assertion]):
                what["more"] = more
        if key != "labels":
            what["key"] = key
        self._add(what, result, tuple(known), first.id)

    def _add(
        self, what: dict[str, Any], result: Mapping[str, Any], known: tuple[str, ...], own: str
    ) -> None:
        if "id" in result and (self.about.proposed or result["id"] != own):
            what["id"] = result["id"]
        self.entries.add(what, result, known)

    def _take_box(self, index: int, result: Mapping[str, Any]) -> None:
        box, part, known = self.boxes.parts[index]
        for label in self.boxes.labels_of(index):
            self.texts.labels.setdefault(label, f"{self.path}[{index}].value")
        self._add({"box": box} | part, result, known, box)

    def _take_attribute(self, result: Mapping[str, Any]) -> bool:
        """Take what is said about one span, e.g. choices per region."""
        found = attribute_of(result)
        result_id = result.get("id")
        if found is None or not isinstance(result_id, str):
            return False
        name, value, part, known = found
        ids = list(dict.fromkeys(self.texts.by_raw.get(result_id, [])))
        region = self.boxes.ids.get(result_id)
        if ids:
            if not self.texts.give(ids, name, value):
                return False
        elif region is None or not self.boxes.give(region, name, value):
            return False
        own = ids[0] if ids else region or ""
        known += tuple(key for key in ("start", "end") if ids and self._same(result, key, ids[0]))
        if not ids:
            known += self.boxes.box_keys(own, result)
        elif result["value"].get("text") == self._words(ids[0]):
            known += ("text",)
        self._add({"attr": name, "of": ids or [own]} | part, result, known, own)
        return True

    def _same(self, result: Mapping[str, Any], key: str, span_id: str) -> bool:
        """Whether an offset is that of the span, in which case the span says it."""
        return self.about.unit is OffsetEncoding.CODE_POINT and result["value"].get(key) == getattr(
            self.texts.spans[span_id], key
        )

    def _words(self, span_id: str) -> str:
        one = self.texts.spans[span_id]
        return self.about.text[one.start : one.end]

    def _take_choices(self, index: int, result: Mapping[str, Any]) -> bool:
        value = result.get("value")
        if result.get("type") != "choices" or not isinstance(value, dict):
            return False
        name = result.get("from_name", self.about.choices_name)
        values = value.get("choices")
        if isinstance(values, str):
            return False
        whole = not {"start", "end", "x", "y"} & value.keys() and "item_index" not in result
        usable = (
            isinstance(values, list)
            and bool(values)
            and all(is_line(one, 1_000) for one in values)
            and len(set(values)) == len(values)
        )
        fits = whole and usable and is_line(name, 100)
        if fits and self.about.proposed:
            fits = not any(
                one[0] == name and set(one[1]) & set(values or ()) for one in self.chosen
            )
        elif fits:
            fits = name not in self.choices
        if not fits:
            self.notes.append(
                f"{self.path}[{index}]: are choices that cannot be kept as such (of a region, of "
                "more than one line, nested, or of a control that already has some); kept in extra."
            )
            return False
        listed = tuple(values or ())
        self.choices[name] = Choices(name=name, values=listed)
        self.chosen.append((name, listed, index))
        what: dict[str, Any] = {"choices": name}
        if self.about.proposed:
            what["values"] = list(listed)
        self._add(what, result, ("choices",), "")
        return True

    def _take_relation(self, index: int, result: Mapping[str, Any]) -> None:
        ends = [
            (self.texts.ends.get(end) or self.boxes.ids.get(end)) if isinstance(end, str) else None
            for end in (result.get("from_id"), result.get("to_id"))
        ]
        labels = result.get("labels") or []
        direction = result.get("direction") or "right"
        source, target = ends
        usable = (
            isinstance(labels, list)
            and all(is_line(one, _MAX_LABEL) for one in labels)
            and isinstance(direction, str)
            and direction in DIRECTIONS
        )
        if self.about.proposed:
            self.entries.raw(result)
            return
        if source is None or target is None or not usable:
            self.notes.append(
                f"{self.path}[{index}]: is a relation with an end that is no span or region "
                "here, or of an unknown kind; kept in extra."
            )
            self.entries.raw(result)
            return
        relation_id = result.get("id")
        taken = self.related
        number = len(self.relations) + 1
        own = f"rel{number}"
        if is_line(relation_id, 100) and relation_id not in taken:
            own = str(relation_id)
        while own in taken:
            number += 1
            own = f"rel{number}"
        taken.add(own)
        self.relations.append(
            RawRelation(
                source=source,
                target=target,
                labels=tuple(labels),
                direction=DIRECTIONS[direction],
                id=own,
            )
        )
        said = {"from_id", "to_id", "labels", "direction"}
        rest = {key: one for key, one in result.items() if key not in said}
        what: dict[str, Any] = {"relation": own}
        if [source, target] != [result["from_id"], result["to_id"]]:
            what |= {"of": [source, target], "ends": [result["from_id"], result["to_id"]]}
        if not isinstance(result.get("value"), dict):
            rest["value"] = {}
        self._add(what, rest, (), "")

    def found(self) -> Found:
        """Return everything that was read."""
        ids = set(self.texts.spans) | {one.id for one in self.boxes.regions()}
        relations: tuple[Relation, ...] = checked_relations(self.relations, ids, self.path)
        return Found(
            content=Content(
                spans=tuple(self.texts.spans.values()),
                choices=tuple(self.choices[name] for name in sorted(self.choices)),
                relations=relations,
                regions=self.boxes.regions(),
            ),
            kept=self.entries.kept(),
            labels=self.texts.labels,
            notes=[
                *self.texts.notes,
                *self.notes,
                *(f"{self.path}{note}" for note in self.boxes.notes),
            ],
            origins={
                span: index for index, ids in reversed(self.texts.of_result.items()) for span in ids
            },
            chosen=self.chosen,
        )
