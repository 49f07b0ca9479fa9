"""Writing what an annotation says as results: the file's own ones first, then what is new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.annotation.content import Content, Region, Span
from services.annotation.formats.json_building import kept_list
from services.annotation.formats.label_studio.kept import KeptResults, extent
from services.annotation.formats.label_studio.places import box_value, page_keys
from services.annotation.formats.label_studio.relations import relation_results
from services.common.offsets import from_code_points


class Rendering(KeptResults):
    """Writes one annotation or prediction."""

    def results(self, content: Content, kept: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the results of a content.

        Args:
            content: What the annotation says.
            kept: Its part of `extra`, of any shape: somebody else may have written it.
        """
        self._spans = {one.id: one for one in content.spans}
        self._regions = {one.id: one for one in content.regions}
        self._choices = {one.name: one.values for one in content.choices}
        flat = [at for one in content.spans for at in (one.start, one.end)]
        counted = from_code_points(self._text, flat, self._unit)
        pairs = zip(counted[::2], counted[1::2], strict=True)
        self._extents = dict(zip(self._spans, pairs, strict=True))
        for one in content.spans:
            self._asserted.setdefault((extent(one), one.assertion), []).append(one.id)
        entries = [one for one in kept_list(kept, "results") if isinstance(one, dict)]
        related = self._write_kept(entries, kept_list(kept, "heads"))
        for span in content.spans:
            self._new_span(span)
        for region in content.regions:
            self._new_region(region)
        for name, values in self._choices.items():
            self._new_choices(name, values)
        relation_results(
            content.relations, related, self._names, self._shared, self._results, self._omitted
        )
        self.meanings += [None] * (len(self._results) - len(self.meanings))
        written = [pair for pair in zip(self._results, self.meanings, strict=True) if pair[0]]
        self.meanings = [meaning for _, meaning in written]
        return [result for result, _ in written]

    def _new_span(self, span: Span) -> None:
        if ("span", span.id) not in self._done:
            head = self._controls.of_label(span.label)
            if self._controls.config is None:
                head |= self._head
            value = self._place(span) | {"labels": [span.label]}
            if head["type"] != "labels":
                value[head["type"]] = value.pop("labels")
            self._put(self._named(head, {}, span.id, value), span.id)
        if self._proposed:
            return
        if span.assertion and ("assert", span.id) not in self._done:
            same = self._asserted[extent(span), span.assertion]
            self._done |= {("assert", one) for one in same}
            head = self._controls.of_label(span.assertion)
            value = self._place(span) | {"labels": [span.assertion]}
            self._put(self._named(head, {"id": f"{span.id}-assertion"}, "", value), None)
        self._new_attributes(span)

    def _new_attributes(self, holder: Span | Region) -> None:
        drawn = isinstance(holder, Region)
        for name, value in holder.attributes:
            if ("attr", holder.id, name) in self._done:
                continue
            head = self._controls.of_attribute(name, drawn=drawn)
            said = self._beside(holder, {}) | {"choices": [value]}
            own = self._names.get(holder.id, holder.id)
            self._omitted["attributes of one of several labels of a result"] += (
                holder.id in self._shared
            )
            self._put(self._named(head, {"id": own}, "", said), None)

    def _new_region(self, region: Region) -> None:
        paged = page_keys(region, self._pages, numbered=self._lab)
        own = {"id": self._names.get(region.id, region.id)}
        place = box_value(region, self._pages, {})
        text = region.text.split("\n")
        unlabelled = region.labels and ("labels", region.id) not in self._done
        if ("box", region.id) not in self._done or unlabelled:
            head = self._controls.of_label(region.labels[0] if region.labels else "", drawn=True)
            value: dict[str, Any] = dict(place)
            if region.labels:
                value[head["type"]] = list(region.labels)
            else:
                head |= {"from_name": "bbox", "type": "rectangle"}
            if self._lab and region.text and ("text", region.id) not in self._done:
                value["text"] = text
                self._done.add(("text", region.id))
            self._put(self._named(head | paged, own, region.id, value), None)
        if region.text and ("text", region.id) not in self._done:
            head = self._controls.of_attribute("transcription", drawn=True)
            head["type"] = "textarea"
            self._put(self._named(head | paged, own, region.id, place | {"text": text}), None)
        self._new_attributes(region)

    def _new_choices(self, name: str, values: Iterable[str]) -> None:
        left = [one for one in values if ("choices", name, one) not in self._done]
        for listed in [[one] for one in left] if self._proposed else [left]:
            if listed:
                head = self._controls.of_choices(name)
                result = self._named(head, {}, "", {"choices": listed})
                self._put(result, (name, listed[0]))
