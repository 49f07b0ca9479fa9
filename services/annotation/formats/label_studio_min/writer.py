"""Writing Label Studio's JSON-MIN: an object per annotation that was handed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.annotation.content import Content
from services.annotation.domain import Completion, CompletionState, Task
from services.annotation.formats.json_building import has_other_extra, kept_object, own_extra
from services.annotation.formats.json_fields import to_json
from services.annotation.formats.label_studio.controls import Controls
from services.annotation.formats.label_studio.places import plain
from services.annotation.formats.label_studio.rendering import Rendering
from services.annotation.formats.label_studio.source import data_of
from services.annotation.formats.label_studio.values import (
    number,
    parse_time,
    person,
    to_rfc3339,
    whole,
)
from services.annotation.formats.label_studio_min.flat import RESERVED, from_results
from services.annotation.formats.label_studio_min.reader import NAME
from services.annotation.formats.losses import count_task
from services.annotation.formats.records import ExportItem, WriteOptions, Writer
from services.common.offsets import OffsetEncoding

_OTHERS = "completions beyond the chosen one"


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return _MinWriter(options)


class _MinWriter:
    """Writes an array; the objects of one task stand one after the other."""

    wants_predictions = False

    def __init__(self, options: WriteOptions) -> None:
        self.omitted: Counter[str] = Counter()
        self._unit = options.encoding or OffsetEncoding.CODE_POINT
        self._controls = Controls(config=options.config)
        self._empty = True

    def begin(self) -> bytes:
        return b"["

    def end(self) -> bytes:
        return b"\n]\n"

    def add(self, item: ExportItem) -> bytes:
        task = item.task
        count_task(self.omitted, replace(item, chosen=None), "metadata", "pages", _OTHERS)
        self._count("extra of other formats", has_other_extra(task.extra, NAME))
        written = []
        for one in task.completions:
            if one.deleted is not None:
                continue
            if one.handed_in:
                written.append(self._said(task, one))
            else:
                rejected = one.state is CompletionState.REJECTED
                self._count("rejected completions" if rejected else "drafts", 1)
        kept = own_extra(task.extra, NAME)
        number_ = self._id(task, kept, len(written))
        records = [self._record(task, kept, number_, said, about) for said, about in written] or [
            self._record(task, kept, number_, {}, {"annotator": None, "annotation_id": None})
        ]
        lines = [to_json(one).encode() for one in records]
        start = b"\n" if self._empty else b",\n"
        self._empty = False
        return start + b",\n".join(lines)

    def _id(self, task: Task, kept: Mapping[str, Any], count: int) -> int | str | None:
        if kept.get("id") == task.external_id:
            return task.external_id
        if task.external_id:
            return whole(task.external_id)
        # Several annotations are those of one task only when it has an id.
        return task.id if count > 1 else None

    def _record(
        self,
        task: Task,
        kept: Mapping[str, Any],
        id_: int | str | None,
        said: Mapping[str, Any],
        about: Mapping[str, Any],
    ) -> dict[str, Any]:
        images = [one.image for one in task.pages]
        data, lost = data_of(kept, task.text, images, task.metadata, ("text", "image"))
        notes = [key for key in data if key in RESERVED or (key in said and key in task.metadata)]
        self._count("metadata", lost + len(notes))
        for key in notes:
            del data[key]
        # A control must not take the place of the text or of what else makes up the object.
        held = {key: one for key, one in said.items() if key not in data and key not in RESERVED}
        self._count("controls named like a field", len(said) - len(held))
        return {**data, "id": id_, **held, **about}

    def _said(self, task: Task, one: Completion) -> tuple[dict[str, Any], dict[str, Any]]:
        kept = own_extra(one.content.extra, NAME)
        content = self._plain(one.content)
        rendering = Rendering(task.text, task.pages, self._unit, self._controls, self.omitted)
        said = from_results(rendering.results(content, kept))
        for name, value in kept_object(kept, "said").items():
            said.setdefault(name, value)
        former = kept_object(kept, "about")
        self._count("reviews", one.state is CompletionState.ACCEPTED)
        self._count("ground truth stars", one.ground_truth)
        self._count("links to predictions", bool(one.copied_from))
        self._count("extra of other formats", has_other_extra(one.content.extra, NAME))
        number_ = int(one.id) if one.id.isascii() and one.id.isdigit() else one.id
        about: dict[str, Any] = {
            "annotator": whole(one.author) if one.author else None,
            "annotation_id": former.get("annotation_id", number_),
            "created_at": to_rfc3339(one.created),
            "updated_at": to_rfc3339(one.updated),
            "lead_time": plain(one.lead_time),
        }
        for key, same in (
            ("annotator", person(former.get("annotator")) == one.author),
            ("created_at", parse_time(former.get("created_at")) == one.created),
            ("updated_at", parse_time(former.get("updated_at")) == one.updated),
            ("lead_time", (number(former.get("lead_time")) or 0.0) == one.lead_time),
        ):
            if same and key in former:
                about[key] = former[key]
        if "agreement" in former:
            about["agreement"] = former["agreement"]
        return said, about

    def _plain(self, content: Content) -> Content:
        """Return what of a content flat objects have a place for."""
        known = self._controls.assertions()
        unknown = {one.assertion for one in content.spans} - known - {""}
        self._count("assertions", sum(one.assertion in unknown for one in content.spans))
        self._count("relations", len(content.relations))
        self._count("discontinuous spans", sum(bool(one.fragments) for one in content.spans))
        attributes = [one.attributes for one in content.spans]
        attributes += [one.attributes for one in content.regions]
        self._count("attributes", sum(map(len, attributes)))
        self._count("texts of regions", sum(bool(one.text) for one in content.regions))
        return replace(
            content,
            spans=tuple(
                replace(
                    one, attributes=(), assertion="" if one.assertion in unknown else one.assertion
                )
                for one in content.spans
                if not one.fragments
            ),
            regions=tuple(replace(one, attributes=(), text="") for one in content.regions),
            relations=(),
        )

    def _count(self, what: str, count: int) -> None:
        if count:
            self.omitted[what] += int(count)
