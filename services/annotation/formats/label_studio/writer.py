"""Writing tasks with all their annotations and predictions."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from services.annotation.domain import Completion, Split, prediction_name
from services.annotation.formats.json_building import (
    has_other_extra,
    kept_list,
    kept_object,
    own_extra,
)
from services.annotation.formats.json_fields import to_json
from services.annotation.formats.label_studio.annotations import (
    circumstances_of,
    is_draft,
    prediction_key,
)
from services.annotation.formats.label_studio.controls import Controls
from services.annotation.formats.label_studio.dialect import LABEL_STUDIO, Dialect
from services.annotation.formats.label_studio.losses import count_content
from services.annotation.formats.label_studio.predictions import prediction_of, written_ids
from services.annotation.formats.label_studio.rendering import Rendering
from services.annotation.formats.label_studio.source import data_of
from services.annotation.formats.label_studio.values import whole
from services.annotation.formats.label_studio.words import ocr_text
from services.annotation.formats.records import ExportItem, WriteOptions, Writer
from services.annotation.labeling.config import LabelingConfig
from services.common.offsets import OffsetEncoding

_OURS = "spanloop"


def writer(options: WriteOptions) -> Writer:
    """Return a writer of a Label Studio file."""
    return TasksWriter(options, LABEL_STUDIO)


class TasksWriter:
    """Writes an array of tasks."""

    wants_predictions = True

    def __init__(self, options: WriteOptions, dialect: Dialect) -> None:
        """Prepare a file in this dialect."""
        self.omitted: Counter[str] = Counter()
        self._unit = options.encoding or OffsetEncoding.CODE_POINT
        self._config = options.config
        self._dialect = dialect
        self._first = True

    def begin(self) -> bytes:
        """Open the array."""
        return b"["

    def end(self) -> bytes:
        """Close the array."""
        return b"\n]\n"

    def add(self, item: ExportItem) -> bytes:
        """Return a task."""
        mark = b"\n" if self._first else b",\n"
        self._first = False
        task = self.body(item)
        self.omitted = +self.omitted
        return mark + to_json(task).encode()

    def body(self, item: ExportItem) -> dict[str, Any]:
        """Return a task as an object."""
        task, dialect = item.task, self._dialect
        kept = own_extra(task.extra, dialect.name)
        completions = [one for one in task.completions if one.deleted is None]
        for extra in (
            task.extra,
            *(one.content.extra for one in completions),
            *(one.extra for one in item.predictions),
        ):
            self.omitted["extra of other formats"] += has_other_extra(extra, dialect.name)
        data = self._data(item, kept)
        controls = _controls(self._config, data)
        predictions = [
            prediction_of(one, dialect, task.text, self._unit, controls, self.omitted)
            for one in item.predictions
        ]
        names = [prediction_name(task.project, task.id, one.id) for one in item.predictions]
        linked = {names.index(one.copied_from) for one in completions if one.copied_from in names}
        ids = written_ids(predictions, linked)
        annotations: list[dict[str, Any]] = []
        drafts: list[dict[str, Any]] = []
        for one in completions:
            place = names.index(one.copied_from) if one.copied_from in names else None
            if one.copied_from and place is None:
                self.omitted["links to predictions that are gone"] += 1
            body, apart = self._annotation(one, item, controls, place, ids)
            (drafts if apart else annotations).append(body)
        for each in kept_list(kept, "skipped"):
            place = each.get("at") if isinstance(each, dict) else None
            if type(place) is int and isinstance(each.get("annotation"), dict):
                annotations.insert(place, each["annotation"])
        body = dict(kept_object(kept, "task"))
        if task.external_id:
            former = kept.get("id")
            same = former is not None and str(former) == task.external_id
            body = {"id": former if same else whole(task.external_id)} | body
        body |= {"data": data, dialect.completions[0]: annotations, "predictions": predictions}
        if not dialect.unsubmitted_is_draft:
            body["drafts"] = drafts
        ours = _ours(item)
        if ours:
            meta = body.get("meta")
            body["meta"] = (meta if isinstance(meta, dict) else {}) | {_OURS: ours}
        return body

    def _annotation(
        self,
        one: Completion,
        item: ExportItem,
        controls: Controls,
        place: int | None,
        ids: list[Any],
    ) -> tuple[dict[str, Any], bool]:
        """Return an annotation, and whether it belongs to the drafts."""
        task, dialect = item.task, self._dialect
        kept = own_extra(one.content.extra, dialect.name)
        former = kept_object(kept, "annotation")
        places = {prediction_key(each): index for index, each in enumerate(ids) if each is not None}
        link = (place, None if place is None else ids[place])
        body = circumstances_of(one, former, dialect, link, places)
        rendering = Rendering(
            task.text,
            task.pages,
            self._unit,
            controls,
            self.omitted,
            lab=dialect.score_in_value,
        )
        results = rendering.results(one.content, kept)
        count_content(self.omitted, one.content, controls.assertions())
        return body | {"result": results}, is_draft(one, dialect)

    def _data(self, item: ExportItem, kept: dict[str, Any]) -> dict[str, Any]:
        task, dialect = item.task, self._dialect
        images = [one.image for one in task.pages]
        text_name, image_name = _fields(self._config, dialect.page_text if images else "text")
        data, lost = data_of(kept, task.text, images, task.metadata, (text_name, image_name))
        self.omitted["metadata named as the text or the image"] += lost
        if task.words and "ocr_text" not in data:
            words = ocr_text(task.text, task.words, task.pages, self.omitted)
            if words:
                data["ocr_text"] = words
        return data


def _fields(config: LabelingConfig | None, text: str) -> tuple[str, str]:
    """Return the fields of the data for text and image."""
    objects = config.objects if config else ()
    texts = [one.field for one in objects if one.tag in ("Text", "HyperText") and one.field]
    images = [one.field for one in objects if one.tag in ("Image", "Pdf") and one.field]
    return (texts or [text])[0], (images or ["image"])[0]


def _controls(config: LabelingConfig | None, data: dict[str, Any]) -> Controls:
    found = Controls(config=config)
    for one in config.objects if config else ():
        if one.tag in ("Text", "HyperText") and one.field in data:
            found.text = one.name
        elif one.tag in ("Image", "Pdf") and one.field in data:
            found.image = one.name
    return found


def _ours(item: ExportItem) -> dict[str, Any]:
    """Return what only this project knows of a task; Label Studio keeps it in `meta`."""
    task = item.task
    found: dict[str, Any] = {
        "split": "" if task.split is Split.UNSPECIFIED else task.split.value,
        "tags": list(task.tags),
        "group": task.group,
        "tokenised": task.tokenised,
    }
    return {key: json.loads(to_json(value)) for key, value in found.items() if value}
