"""Which field of a task's data is the text, which the page images, and where the rest goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.annotation.formats.json_building import kept_object, split_notes
from services.annotation.formats.json_fields import to_json
from services.annotation.labeling.config import LabelingConfig
from services.common.errors import invalid_field

_TEXT_TAGS = ("Text", "HyperText")
_IMAGE_TAGS = ("Image", "Pdf")
_TEXT_FIELDS = ("text", "ocr_plain_text")
_IMAGE_FIELDS = ("image", "images", "ocr", "img", "image_url")
_URI = re.compile(r"(?:[A-Za-z][\w+.\-]*:)?//|/|data:")
_MAX_IMAGE = 10_000


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a task is about.

    Attributes:
        text: Its text; empty for a page task without one.
        text_field: Where in the data that stands, or empty.
        names: What results call the text, as their `to_name`; empty: whatever they say.
        images: Its pages.
        metadata: Short values of the other fields.
        kept: What writing the data back needs: see `data_of`.
    """

    text: str
    text_field: str
    names: frozenset[str]
    images: tuple[str, ...]
    metadata: Mapping[str, str]
    kept: Mapping[str, Any]


def source_of(
    data: Mapping[str, Any],
    targets: Sequence[str],
    config: LabelingConfig | None,
    field: str,
) -> Source:
    """Return what a task is about.

    The text is the field that a `Text` of the config names, else ``text`` or ``ocr_plain_text``,
    else the field that results name (`targets`, their distinct ``to_name``), else, when there are
    no images, the longest text that is no address. Images: the field of an `Image` of the config,
    else ``image``, ``images``, ``ocr``, ``img`` or ``image_url``.

    Raises:
        InvalidArgumentError: FIELD_INVALID: there is neither.
    """
    objects = config.objects if config else ()
    image_field, images = _images(
        data, [*(one.field for one in objects if one.tag in _IMAGE_TAGS), *_IMAGE_FIELDS]
    )
    text_field = _text_field(data, targets, objects_fields(config), without=bool(images))
    if not text_field and not images:
        raise invalid_field(
            field,
            "has no text: call its field `text`, or give the project a labelling config whose "
            "Text names it.",
        )
    rest = {key: one for key, one in data.items() if key not in (text_field, image_field)}
    metadata, left = split_notes(rest)
    kept: dict[str, Any] = {
        "data": left,
        # Metadata is text; what was a number or a truth value is one again in an export.
        "values": {key: rest[key] for key in metadata if not isinstance(rest[key], str)},
    }
    if text_field not in ("", "text") or (text_field and not data[text_field]):
        kept["text_field"] = text_field
    if image_field:
        kept["image_field"] = image_field
        kept["image"] = data[image_field]
    return Source(
        text=data[text_field] if text_field else "",
        text_field=text_field,
        names=_names(text_field, targets, config),
        images=images,
        metadata=metadata,
        kept=kept,
    )


def objects_fields(config: LabelingConfig | None) -> list[str]:
    """Return the fields that are texts by the config."""
    return [one.field for one in config.objects if one.tag in _TEXT_TAGS] if config else []


def data_of(
    kept: Mapping[str, Any],
    text: str,
    images: Sequence[str],
    metadata: Mapping[str, str],
    fields: tuple[str, str],
) -> tuple[dict[str, Any], int]:
    """Return the data of a task, and how many notes have no place in it.

    Args:
        kept: As `Source.kept`; empty for a task from elsewhere.
        text: Its text.
        images: Its pages.
        metadata: Its notes.
        fields: Names for text and images when `kept` has none.
    """
    text_field = _name(kept.get("text_field"), "text" if "image_field" in kept else fields[0])
    image_field = _name(kept.get("image_field"), fields[1])
    data: dict[str, Any] = dict(kept_object(kept, "data"))
    values = kept_object(kept, "values")
    lost = 0
    for key, note in metadata.items():
        if (text and key == text_field) or (images and key == image_field):
            lost += 1
            continue
        same_value = key in values and to_json(values[key]) == note
        data[key] = values[key] if same_value else note
    if text or not images or "text_field" in kept:
        data[text_field] = text
    if images:
        former = kept.get("image")
        if former is not None and _references(former) == tuple(images):
            data[image_field] = former
        else:
            data[image_field] = images[0] if len(images) == 1 else list(images)
    return data, lost


def _name(value: object, default: str) -> str:
    return value if isinstance(value, str) and value else default


def _text_field(
    data: Mapping[str, Any], targets: Iterable[str], named: Iterable[str], *, without: bool
) -> str:
    for key in (*named, *_TEXT_FIELDS):
        if isinstance(data.get(key), str) and (data[key] or without):
            return key
    if without:
        return ""
    for target in targets:
        key = target.removeprefix("$")
        if isinstance(data.get(key), str) and data[key]:
            return key
    texts = [
        key for key, one in data.items() if isinstance(one, str) and one and not _URI.match(one)
    ]
    # Of several as long the name decides: files of the same data may order it differently.
    return max(texts, key=lambda key: (len(data[key]), key), default="")


def _images(data: Mapping[str, Any], fields: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    for key in fields:
        found = _references(data.get(key))
        if found:
            return key, found
    return "", ()


def _references(value: object) -> tuple[str, ...]:
    """Return the images that a field names: one, or a list, also of objects; none: no images."""
    if isinstance(value, str):
        value = [value]
    found = []
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            one = next((one[key] for key in ("url", "image", "page") if key in one), None)
        if not isinstance(one, str) or not 0 < len(one) <= _MAX_IMAGE or "\0" in one:
            return ()
        found.append(one)
    return tuple(found)


def _names(
    text_field: str, targets: Sequence[str], config: LabelingConfig | None
) -> frozenset[str]:
    if config is not None:
        found = {one.name for one in config.objects if one.field == text_field}
        if found:
            return frozenset(found)
    if len(targets) < 2:
        return frozenset()
    fitting = {one for one in targets if one.removeprefix("$") == text_field}
    return frozenset(fitting or targets[:1])
