"""Writing the results that a file had, with what was changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from services.annotation.content import Page, Region, Span
from services.annotation.formats.json_building import kept_list, kept_object
from services.annotation.formats.label_studio.attributes import attribute_value
from services.annotation.formats.label_studio.controls import Controls
from services.annotation.formats.label_studio.extents import alike
from services.annotation.formats.label_studio.places import box_value
from services.common.offsets import OffsetEncoding

_MAIN = ("from_name", "to_name", "type")
# A relation that a file had: its place among the results, its entry, what else it says.
Related: TypeAlias = tuple[int, Mapping[str, Any], Mapping[str, Any]]


class KeptResults:
    """Writes the entries of one annotation or prediction; what is new: see `Rendering`.

    Attributes:
        meanings: For each result the id of its first span, name and value of its choice, or None.
    """

    def __init__(
        self,
        text: str,
        pages: Sequence[Page],
        unit: OffsetEncoding,
        controls: Controls,
        omitted: Counter[str],
        *,
        lab: bool = False,
        proposed: bool = False,
    ) -> None:
        """Prepare.

        Args:
            text: The text of the task.
            pages: Its pages.
            unit: Of offsets.
            controls: Names for what is new.
            omitted: Counts what results cannot say.
            lab: Whether regions are written as Generative AI Lab does.
            proposed: Whether a model says it: its spans have no ids, its choices have scores.
        """
        self.meanings: list[str | tuple[str, str] | None] = []
        self._text, self._pages, self._unit = text, pages, unit
        self._controls, self._omitted = controls, omitted
        self._lab, self._proposed = lab, proposed
        self._results: list[dict[str, Any]] = []
        self._names: dict[str, str] = {}
        self._shared: set[str] = set()
        self._head: dict[str, Any] = {}
        self._done: set[tuple[str, ...]] = set()
        self._spans: dict[str, Span] = {}
        self._regions: dict[str, Region] = {}
        self._choices: dict[str, tuple[str, ...]] = {}
        self._extents: dict[str, tuple[int, int]] = {}
        self._claimed: set[tuple[str, str]] = set()
        self._asserted: dict[tuple[tuple[int, int], str], list[str]] = {}

    def _write_kept(
        self, entries: Sequence[Mapping[str, Any]], heads: Sequence[Any]
    ) -> list[Related]:
        """Write the results of entries in their order; relations get an empty place."""
        self._claimed = {
            (str(one["box"]), label)
            for one in entries
            if "box" in one
            for label in kept_list(one, "labels")
            if isinstance(label, str)
        }
        related: list[Related] = []
        for entry in entries:
            place = entry.get("h")
            head = heads[place] if type(place) is int and 0 <= place < len(heads) else None
            base = (dict(head) if isinstance(head, dict) else {}) | kept_object(entry, "rest")
            if "relation" in entry:
                # Its ends have their names only when everything else is written.
                if "value" in entry:
                    base["value"] = entry["value"]
                related.append((len(self._results), entry, base))
                self._put({}, None)
            else:
                self._kept(entry, base, kept_object(entry, "value"))
        return related

    def _put(self, result: dict[str, Any], meaning: str | tuple[str, str] | None) -> None:
        self._results.append(result)
        self.meanings.append(meaning)

    def _named(
        self, base: dict[str, Any], entry: Mapping[str, Any], own: str, value: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a result with the id that it had, else that of its span or region."""
        found = entry.get("id", "" if self._proposed else own)
        result = ({"id": found} if found != "" else {}) | base | {"value": dict(value)}
        if own and isinstance(found, str) and found:
            self._names.setdefault(own, found)
        return result

    def _kept(self, entry: Mapping[str, Any], base: dict[str, Any], value: dict[str, Any]) -> None:
        if isinstance(entry.get("raw"), dict):
            self._put(entry["raw"], None)
        elif "span" in entry:
            found = [self._spans[one] for one in _texts(entry, "span") if one in self._spans]
            alike_ones = [one for one in found if extent(one) == extent(found[0])]
            if alike_ones:
                self._span(entry, base, value, alike_ones)
        elif "assert" in entry:
            found = [self._spans[one] for one in _texts(entry, "assert") if one in self._spans]
            if found and found[0].assertion:
                self._assertion(entry, base, value, found)
        elif "box" in entry:
            region = self._regions.get(str(entry["box"]))
            if region is not None:
                self._box(entry, base, value, region)
        elif "attr" in entry:
            self._attribute(entry, base, value)
        elif "choices" in entry:
            name = str(entry["choices"])
            values = [*self._choices.get(name, ())]
            if "values" in entry:
                values = [one for one in _texts(entry, "values") if one in values]
            if values:
                self._done |= {("choices", name, one) for one in values}
                result = self._named(base, entry, "", value | {"choices": values})
                self._put(result, (name, values[0]))

    def _span(
        self,
        entry: Mapping[str, Any],
        base: dict[str, Any],
        value: dict[str, Any],
        spans: Sequence[Span],
    ) -> None:
        first = spans[0]
        order = _texts(entry, "labels")
        labels = [one.label for one in spans]
        if first.assertion and first.assertion in order:
            labels.append(first.assertion)
            self._done |= {("assert", one.id) for one in spans if one.assertion == first.assertion}
        labels = list(dict.fromkeys([*labels, *_texts(entry, "more")]))
        labels.sort(key=lambda one: order.index(one) if one in order else len(order))
        self._done |= {("span", one.id) for one in spans}
        if not self._head:
            self._head = {
                name: base[name]
                for name in _MAIN
                if isinstance(base.get(name), str) and (name != "type" or "labels" in base[name])
            }
        value = self._placed(entry, value, first) | {str(entry.get("key", "labels")): labels}
        result = self._named(base, entry, first.id, value)
        self._put(result, first.id)
        for one in spans[1:]:
            self._names.setdefault(one.id, self._names.get(first.id, one.id))
            self._shared.add(one.id)

    def _placed(
        self, entry: Mapping[str, Any], value: dict[str, Any], span: Span
    ) -> dict[str, Any]:
        """Return the value with the place of a span, which may have been moved."""
        now = self._place(span)
        if "at" not in entry:
            said = value.get("text")
            if isinstance(said, str) and not alike(said, now["text"]):
                del value["text"]
            return now | {key: one for key, one in value.items() if key not in ("start", "end")}
        if entry["at"] == [span.start, span.end]:
            return value
        self._omitted["places in a page of spans that were moved"] += 1
        gone = ("startOffset", "endOffset")
        return {key: one for key, one in value.items() if key not in gone} | now

    def _place(self, span: Span) -> dict[str, Any]:
        start, end = self._extents[span.id]
        return {"start": start, "end": end, "text": self._text[span.start : span.end]}

    def _assertion(
        self,
        entry: Mapping[str, Any],
        base: dict[str, Any],
        value: dict[str, Any],
        found: Sequence[Span],
    ) -> None:
        first = found[0]
        self._done |= {
            ("assert", one.id)
            for one in found
            if (extent(one), one.assertion) == (extent(first), first.assertion)
        }
        value = self._placed(entry, value, first)
        value[str(entry.get("key", "labels"))] = [first.assertion]
        self._put(self._named(base, entry, "", value), None)

    def _box(
        self, entry: Mapping[str, Any], base: dict[str, Any], value: dict[str, Any], region: Region
    ) -> None:
        part = entry.get("part")
        if part == "text" and not region.text:
            return
        value = box_value(region, self._pages, value)
        if part == "text" or (entry.get("text") and region.text):
            self._done.add(("text", region.id))
            value["text"] = region.text.split("\n")
        if part == "labels":
            own = _texts(entry, "labels")
            mine = [
                one
                for one in region.labels
                if one in own
                or (
                    ("labels", region.id) not in self._done
                    and (region.id, one) not in self._claimed
                )
            ]
            value[str(entry.get("key", "rectanglelabels"))] = mine
        if part != "text":
            self._done.add(("box", region.id))
        if part == "labels":
            self._done.add(("labels", region.id))
        self._put(self._named(base, entry, region.id, value), None)

    def _attribute(
        self, entry: Mapping[str, Any], base: dict[str, Any], value: dict[str, Any]
    ) -> None:
        name, written = str(entry["attr"]), ""
        result: dict[str, Any] = {}
        for one in _texts(entry, "of"):
            holder = self._spans.get(one) or self._regions.get(one)
            held = dict(holder.attributes) if holder else {}
            if holder is None or name not in held or (result and held[name] != written):
                continue
            self._done.add(("attr", holder.id, name))
            if not result:
                written = held[name]
                said = {str(entry.get("in", "choices")): attribute_value(written, entry)}
                result = self._named(base, entry, holder.id, self._beside(holder, value) | said)
                self._put(result, None)

    def _beside(self, holder: Span | Region, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the place of what an attribute is said about."""
        if isinstance(holder, Region):
            return box_value(holder, self._pages, value)
        # Paths into a page stay: they are where the file says that the control stands.
        return dict(value) | ({} if isinstance(value.get("start"), str) else self._place(holder))


def extent(span: Span) -> tuple[int, int]:
    """Return start and end of a span."""
    return span.start, span.end


def _texts(entry: Mapping[str, Any], key: str) -> list[str]:
    return [one for one in kept_list(entry, key) if isinstance(one, str)]
