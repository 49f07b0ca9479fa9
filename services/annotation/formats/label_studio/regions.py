"""Rectangles on pages, of which up to three results with one id describe the same one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.annotation.content import Region
from services.annotation.contents import MAX_REGION_TEXT
from services.annotation.formats.label_studio.entries import BOX_KEYS
from services.annotation.formats.label_studio.extents import label_key
from services.annotation.formats.label_studio.values import is_line, number
from services.annotation.spans import MAX_ATTRIBUTES

_SHAPES = ("rectangle", "rectanglelabels", "labels", "ocrlabels")
_NUMBERED = re.compile(r".*_([0-9]{1,4})", re.ASCII)
_LARGEST = 1e6


@dataclass(kw_only=True)
class Boxes:
    """The regions of one annotation.

    Attributes:
        ids: From the id of results to that of the region.
        parts: For the place of each result that belongs to a region: its id, what an entry says
            about the part, and the keys of the value that the region says.
        notes: What was set aside: the rest of a path, and why.
    """

    ids: dict[str, str] = field(default_factory=dict)
    parts: dict[int, tuple[str, dict[str, Any], tuple[str, ...]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _found: dict[str, Region] = field(default_factory=dict)
    _labels: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def of(results: Sequence[Mapping[str, Any]], pages: int, spans: set[str]) -> Boxes:
        """Return the regions of results; those that are none are left to others.

        Args:
            results: All of an annotation.
            pages: How many the task has.
            spans: Ids that no region may have.
        """
        boxes = Boxes()
        given = {one["id"] for one in results if isinstance(one.get("id"), str)}
        for index, result in enumerate(results):
            if result.get("type") in _SHAPES and _box(result) is not None:
                boxes._begin(index, result, pages, spans, spans | given)
        for index, result in enumerate(results):
            boxes._text(index, result)
        return boxes

    def _begin(
        self,
        index: int,
        result: Mapping[str, Any],
        pages: int,
        spans: set[str],
        taken: set[str],
    ) -> None:
        box = _box(result)
        page = page_number(result, pages)
        if box is None or not pages or page > pages:
            why = "the task has no such page" if pages else "the data names no image"
            self.notes.append(f"[{index}]: is a region, but {why}; kept in extra.")
            return
        key = label_key(result)
        labels = tuple(dict.fromkeys(result["value"][key])) if key else ()
        if not all(is_line(one, 100) for one in labels):
            self.notes.append(f"[{index}]: has a label that cannot be one; kept in extra.")
            return
        raw = result.get("id")
        former = self.ids.get(raw) if isinstance(raw, str) else None
        part: dict[str, Any] = {"part": "labels" if key else "rectangle"}
        if key not in ("", "rectanglelabels"):
            part["key"] = key
        if former is not None:
            one = self._found[former]
            if [getattr(one, name) for name in BOX_KEYS] != box or one.page != page:
                self.notes.append(
                    f"[{index}]: is another rectangle under the same id; kept in extra."
                )
                return
            if key and one.labels:
                part["labels"] = list(labels)
                for place, (held, first, _) in self.parts.items():
                    if held == former and first["part"] == "labels":
                        first.setdefault("labels", list(self._labels[place]))
            self._found[former] = replace(one, labels=tuple(dict.fromkeys([*one.labels, *labels])))
            own = former
        else:
            free = is_line(raw, 100) and raw not in self._found and raw not in spans
            own = str(raw) if free else ""
            count = len(self._found)
            while not own or (own != raw and (own in taken or own in self._found)):
                count += 1
                own = f"r{count}"
            x, y, width, height, rotation = box
            self._found[own] = Region(
                x=x,
                y=y,
                width=width,
                height=height,
                rotation=rotation,
                labels=labels,
                page=page,
                id=own,
            )
            if isinstance(raw, str):
                self.ids[raw] = own
        self._labels[index] = labels
        known: tuple[str, ...] = (key,) if key else ()
        said = result["value"].get("text")
        # Generative AI Lab writes the text beside the labels.
        if isinstance(said, list) and not self._found[own].text and self._set_text(own, said):
            known += ("text",)
            part["text"] = True
        self.parts[index] = (own, part, known + self.box_keys(own, result))

    def _set_text(self, own: str, said: Sequence[Any]) -> bool:
        if not said or not all(isinstance(one, str) for one in said):
            return False
        text = "\n".join(said)
        if len(text) > MAX_REGION_TEXT or "\0" in text or text.split("\n") != list(said):
            return False
        self._found[own] = replace(self._found[own], text=text)
        return bool(text)

    def _text(self, index: int, result: Mapping[str, Any]) -> None:
        """Take the first text area of a region as what is written there."""
        raw = result.get("id")
        own = self.ids.get(raw) if isinstance(raw, str) else None
        value = result.get("value")
        if own is None or result.get("type") != "textarea" or not isinstance(value, dict):
            return
        said = value.get("text")
        if self._found[own].text or not isinstance(said, list) or not self._set_text(own, said):
            return
        self.parts[index] = (own, {"part": "text"}, ("text", *self.box_keys(own, result)))

    def box_keys(self, own: str, result: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the keys of a value that say the same as the region."""
        one = self._found[own]
        return tuple(
            key for key in BOX_KEYS if number(result["value"].get(key)) == getattr(one, key)
        )

    def give(self, own: str, name: str, value: str) -> bool:
        """Add an attribute to a region; false when there is no place for it."""
        one = self._found[own]
        held = dict(one.attributes)
        if name in held or len(held) >= MAX_ATTRIBUTES:
            return False
        pairs = tuple(sorted({**held, name: value}.items()))
        self._found[own] = replace(one, attributes=pairs)
        return True

    def labels_of(self, index: int) -> tuple[str, ...]:
        """Return the labels that a result gives to its region."""
        return self._labels.get(index, ())

    def regions(self) -> tuple[Region, ...]:
        """Return the regions in the order of the file."""
        return tuple(self._found.values())


def _box(result: Mapping[str, Any]) -> list[float] | None:
    value = result.get("value")
    if not isinstance(value, dict) or any(key not in value for key in BOX_KEYS[:4]):
        return None
    found = []
    for key in BOX_KEYS:
        given = value.get(key)
        one = number(0 if given is None else given) if not isinstance(given, str) else None
        if one is None or abs(one) > _LARGEST or (key in ("width", "height") and one < 0):
            return None
        found.append(one)
    return found


def page_number(result: Mapping[str, Any], pages: int) -> int:
    """Return the page of a region, from 1: several tools say it in several ways."""
    for holder, key, first in (
        (result, "pageNumber", 1),
        (result, "item_index", 0),
        (result["value"], "pageIndex", 0),
    ):
        if type(holder.get(key)) is int:
            return max(0, int(holder[key]) - first) + 1
    name = result.get("to_name")
    match = _NUMBERED.fullmatch(name) if isinstance(name, str) and pages > 1 else None
    return int(match[1]) + 1 if match else 1
