"""Reading tasks with their annotations, as Label Studio and Generative AI Lab export them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from services.annotation.domain import Split
from services.annotation.formats.json_fields import a_list, an_id, an_object, document
from services.annotation.formats.json_stream import Item, items
from services.annotation.formats.label_studio.annotations import (
    is_skipped,
    kept_of,
    prediction_key,
    read_circumstances,
)
from services.annotation.formats.label_studio.controls import Controls
from services.annotation.formats.label_studio.dialect import LABEL_STUDIO, Dialect
from services.annotation.formats.label_studio.extents import Extent, extent_of, label_key, unit_of
from services.annotation.formats.label_studio.predictions import read_prediction
from services.annotation.formats.label_studio.regions import page_number
from services.annotation.formats.label_studio.results import read_results
from services.annotation.formats.label_studio.source import Source, source_of
from services.annotation.formats.label_studio.spans import About
from services.annotation.formats.label_studio.values import is_line, keep, whole
from services.annotation.formats.label_studio.words import sizes_of, words_of
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedPrediction,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.tasks import check_metadata, check_pages, check_tags, check_task_text
from services.common.errors import InvalidArgumentError
from services.common.offsets import OffsetEncoding

_OURS = "spanloop"
_MAX_GROUP = 200


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the tasks of a Label Studio file; see `services.annotation.formats.records.Reader`."""
    return read_tasks(file, options, LABEL_STUDIO)


def read_tasks(file: BinaryIO, options: ReadOptions, dialect: Dialect) -> Iterator[Record]:
    """Yield the tasks of a file: an array, one task, or a task per line."""
    for item in items(file, options.max_line_bytes):
        if isinstance(item, Refused):
            yield item
            continue
        try:
            yield parse_task(item, options, dialect)
        except InvalidArgumentError as error:
            yield refusal(item.line, error)


def parse_task(item: Item, options: ReadOptions, dialect: Dialect) -> ParsedTask:
    """Return a task.

    Raises:
        InvalidArgumentError: It cannot be used.
    """
    return _Task(item, options, dialect).parsed()


class _Task:
    def __init__(self, item: Item, options: ReadOptions, dialect: Dialect) -> None:
        self._item, self._options, self._dialect = item, options, dialect
        self._body, self._prefix = document(item), item.prefix
        self._notes: list[str] = []
        self._labels: dict[str, tuple[int, str]] = {}
        annotations = self._objects(*dialect.completions)
        self._annotations = [pair for pair in annotations if not is_skipped(pair[0])]
        self._skipped = [
            {"at": place, "annotation": dict(one)}
            for place, (one, _) in enumerate(annotations)
            if is_skipped(one)
        ]
        self._drafts = [] if dialect.unsubmitted_is_draft else self._objects("drafts")
        self._proposals = self._objects("predictions")

    def parsed(self) -> ParsedTask:
        prefix, body = self._prefix, self._body
        said = [*self._annotations, *self._drafts, *self._proposals]
        # Label Studio also takes tasks that are only their data.
        bare = "data" not in body and not (said or self._skipped)
        data = body if bare else an_object(body.get("data"), f"{prefix}data")
        targets = _targets(said)
        source = source_of(data, targets, self._options.config, f"{prefix}data")
        check_task_text(source.text, f"{prefix}data.text", may_be_empty=bool(source.images))
        sized = sizes_of([one for one, _ in said], source.images, page_number)
        words = words_of(data, source.text, sized)
        pages, words, _ = check_pages(source.text, sized, words, "", f"{prefix}data")
        about = self._about(source, len(pages))
        predictions, places = self._predictions(about)
        completions = [
            self._completion(one, field, about, places, draft=draft)
            for group, draft in ((self._annotations, False), (self._drafts, True))
            for one, field in group
        ]
        rest = {} if bare else self._rest()
        ours = _take_ours(rest)
        external_id = "" if bare else an_id(body.get("id"), f"{prefix}id")
        kept = dict(source.kept) | {"task": rest, "skipped": self._skipped}
        if external_id and whole(external_id) != body.get("id"):
            kept["id"] = body["id"]
        tags = ours.get("tags")
        return ParsedTask(
            line=self._item.line,
            ordinal=self._item.number,
            text=source.text,
            completions=tuple(completions),
            predictions=tuple(predictions),
            labels=self._labels,
            external_id=external_id,
            split=_split(ours.get("split")),
            tags=check_tags(tags if isinstance(tags, list) else (), f"{prefix}meta.spanloop.tags"),
            group=str(ours["group"]) if is_line(ours.get("group"), _MAX_GROUP) else "",
            metadata=check_metadata(source.metadata, f"{prefix}data"),
            pages=pages,
            words=words,
            extra=keep(self._dialect.name, kept, prefix.removesuffix(".") or "task"),
            tokenised=ours.get("tokenised") is True,
            notes=tuple(self._notes),
        )

    def _objects(self, *keys: str) -> list[tuple[Mapping[str, Any], str]]:
        """Return the objects of the first of these lists that is there, each with its path."""
        key = next((one for one in keys if self._body.get(one) is not None), keys[0])
        field = f"{self._prefix}{key}"
        found = []
        for index, one in enumerate(a_list(self._body.get(key), field)):
            place = f"{field}[{index}]"
            found.append((an_object(one, place), place))
        return found

    def _about(self, source: Source, pages: int) -> About:
        return About(
            text=source.text,
            names=source.names,
            unit=self._unit(source),
            pages=pages,
            assertions=Controls(config=self._options.config).assertions(),
            choices_name=self._options.choices_name,
        )

    def _unit(self, source: Source) -> OffsetEncoding:
        extents: list[Extent] = []
        if self._options.encoding is None and not source.text.isascii():
            for one, field in [*self._annotations, *self._drafts, *self._proposals]:
                for index, result in enumerate(a_list(one.get("result"), f"{field}.result")):
                    if isinstance(result, dict) and label_key(result):
                        place = f"{field}.result[{index}]"
                        extent = extent_of(result, source.text, source.names, place)
                        if extent is not None:
                            extents.append(extent)
        return unit_of(source.text, extents, self._options.encoding)

    def _predictions(self, about: About) -> tuple[list[ParsedPrediction], dict[str, int]]:
        found: list[ParsedPrediction] = []
        places: dict[str, int] = {}
        taken: set[str] = set()
        for one, field in self._proposals:
            parsed, notes = read_prediction(one, self._dialect, about, taken, field)
            self._notes += notes
            key = prediction_key(one.get("id"))
            if key:
                places.setdefault(key, len(found))
            found.append(parsed)
        return found, places

    def _completion(
        self,
        body: Mapping[str, Any],
        field: str,
        about: About,
        places: Mapping[str, int],
        *,
        draft: bool,
    ) -> ParsedCompletion:
        results = a_list(body.get("result"), f"{field}.result")
        found = read_results(results, about, f"{field}.result")
        self._notes += found.notes
        for label, place in found.labels.items():
            self._labels.setdefault(label, (self._item.line, place))
        around = read_circumstances(body, self._dialect, places, field, draft=draft)
        kept = found.kept | {"annotation": kept_of(body, around, self._dialect)}
        content = found.content
        return ParsedCompletion(
            content=type(content)(
                spans=content.spans,
                choices=content.choices,
                relations=content.relations,
                regions=content.regions,
                extra=keep(self._dialect.name, kept, field),
            ),
            author=around.author,
            state=around.state,
            ground_truth=around.ground_truth,
            lead_time=around.lead_time,
            created=around.created,
            updated=around.updated,
            submitted=around.submitted,
            reviewer=around.reviewer,
            comment=around.comment,
            prediction=around.prediction,
        )

    def _rest(self) -> dict[str, Any]:
        """Return what a task says beyond its data and annotations."""
        read = {"id", "data", "predictions"}
        read.add(
            next(
                (one for one in self._dialect.completions if self._body.get(one) is not None),
                self._dialect.completions[0],
            )
        )
        if not self._dialect.unsubmitted_is_draft:
            read.add("drafts")
        return {key: one for key, one in self._body.items() if key not in read}


def _targets(said: Sequence[tuple[Mapping[str, Any], str]]) -> list[str]:
    """Return what results of texts call them, in order."""
    found: dict[str, None] = {}
    for one, _ in said:
        results = one.get("result")
        for result in results if isinstance(results, list) else ():
            value = result.get("value") if isinstance(result, dict) else None
            if not isinstance(value, dict) or not isinstance(result.get("to_name"), str):
                continue
            if "start" in value or ("choices" in value and "x" not in value):
                found[result["to_name"]] = None
    return list(found)


def _take_ours(rest: dict[str, Any]) -> Mapping[str, Any]:
    """Take out of a task's rest what an export of this project put there."""
    meta = rest.get("meta")
    ours = meta.get(_OURS) if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(ours, dict):
        return {}
    left = {key: one for key, one in meta.items() if key != _OURS}
    if left:
        rest["meta"] = left
    else:
        del rest["meta"]
    return ours


def _split(value: object) -> Split:
    return Split(value) if value in ("train", "dev", "test") else Split.UNSPECIFIED
