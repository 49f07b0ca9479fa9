"""What is data and what is said in a flat object, and how results look in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.annotation.labeling.config import LabelingConfig

ABOUT = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
RESERVED = frozenset(("id", *ABOUT))
_SIZES = ("original_width", "original_height")
# In a repeater a control's name holds its place: `labels_{{idx}}` stands for `labels_0` and so on.
_PLACE = re.compile(r"\\\{\\\{.*?\\\}\\\}")
_REPEATED = re.compile(r".*_([0-9]{1,4})", re.ASCII)
_TELLING = ("choices", "taxonomy", "rating", "number", "chatmessage", "ranker", "datetime")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A flat object taken apart.

    Attributes:
        data: Fields of the task.
        said: Controls and what they say.
        about: Fields of the annotation, of those in ABOUT.
    """

    data: Mapping[str, Any]
    said: Mapping[str, Any]
    about: Mapping[str, Any]


def parts_of(body: Mapping[str, Any], config: LabelingConfig | None) -> Parts:
    """Take a flat object apart.

    Label Studio writes the data, ``id``, the controls and then ``annotator`` and so on, so what
    stands between these two is a control. In an object of another order a control is what the
    config names, and what holds labels, choices and the like.
    """
    keys = list(body)
    ends = [keys.index(key) for key in ABOUT if key in body]
    if "id" in body and ends and keys.index("id") < min(ends):
        found = set(keys[keys.index("id") + 1 : min(ends)])
    else:
        named = _named(config)
        found = {
            key
            for key, value in body.items()
            if key not in RESERVED and (any(one.fullmatch(key) for one in named) or _speaks(value))
        }
    return Parts(
        data={key: one for key, one in body.items() if key not in found | RESERVED},
        said={key: body[key] for key in keys if key in found},
        about={key: body[key] for key in ABOUT if key in body},
    )


@dataclass(frozen=True, kw_only=True)
class Results:
    """What controls say, as Label Studio's full JSON has it.

    Attributes:
        results: The results.
        paths: Where in the flat object each stands.
        unknown: Controls that make no results.
    """

    results: Sequence[dict[str, Any]]
    paths: Sequence[str]
    unknown: Mapping[str, Any]


def to_results(said: Mapping[str, Any], config: LabelingConfig | None, pages: int) -> Results:
    """Return what controls say as results; of several pages `labels_1` is about the second."""
    controls = config.controls if config else ()
    written = [_pattern(one.name) for one in controls if one.tag == "TextArea"]
    results: list[dict[str, Any]] = []
    paths: list[str] = []
    unknown: dict[str, Any] = {}
    for name, value in said.items():
        text = any(one.fullmatch(name) for one in written)
        listed = value if isinstance(value, list) else [value]
        made = [_result(name, one, text) for one in listed]
        if not made or any(one is None for one in made):
            unknown[name] = value
            continue
        repeated = _REPEATED.fullmatch(name) if pages > 1 else None
        for index, one in enumerate(made):
            if one is not None:
                results.append(one | ({"item_index": int(repeated[1])} if repeated else {}))
                paths.append(f"{name}[{index}]" if isinstance(value, list) else name)
    return Results(results=results, paths=paths, unknown=unknown)


def from_results(results: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return results as a flat object has them: by control, single choices and texts alone.

    What is about a page behind the first stands under the control's name in a repeater.
    """
    found: dict[str, list[Any]] = {}
    for one in results:
        value = one.get("value")
        name = one.get("from_name")
        if isinstance(value, dict) and isinstance(name, str):
            place = one.get("item_index")
            if type(place) is int and not name.endswith(f"_{place}"):
                name = f"{name}_{place}"
            sizes = {key: one[key] for key in _SIZES if key in one}
            found.setdefault(name, []).append(_pretty(one.get("type"), value | sizes))
    return {
        name: values[0] if len(values) == 1 and _alone(values[0]) else values
        for name, values in found.items()
    }


def _named(config: LabelingConfig | None) -> Sequence[re.Pattern[str]]:
    if config is None:
        return ()
    names = [one.name for one in config.controls] + [one.name for one in config.choices]
    return [_pattern(one) for one in names]


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(_PLACE.sub(".+", re.escape(name)))


def _speaks(value: object) -> bool:
    """Whether a value is what a control says, by its shape alone."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) and _speaks(one) for one in value)
    return isinstance(value, dict) and bool(_kind(value))


def _kind(value: Mapping[str, Any]) -> str:
    for key, one in value.items():
        if key.endswith("labels") and isinstance(one, list):
            return key
    for key in _TELLING:
        if key in value:
            return key
    if isinstance(value.get("text"), list):
        return "textarea"
    return "rectangle" if {"x", "y", "width", "height"} <= value.keys() else ""


def _result(name: str, value: object, text: bool) -> dict[str, Any] | None:
    if isinstance(value, str):
        if text:
            return {"from_name": name, "type": "textarea", "value": {"text": [value]}}
        return {"from_name": name, "type": "choices", "value": {"choices": [value]}}
    if not isinstance(value, dict) or not _kind(value):
        return None
    sizes = {key: value[key] for key in _SIZES if key in value}
    own = {key: one for key, one in value.items() if key not in sizes}
    return {"from_name": name, "type": _kind(value), "value": own} | sizes


def _pretty(kind: object, value: dict[str, Any]) -> Any:
    key = {"choices": "choices", "textarea": "text"}.get(str(kind))
    said = value.get(key) if key else None
    if isinstance(said, list) and len(said) == 1 and len(value) == 1:
        return said[0]
    return value


def _alone(value: object) -> bool:
    return not isinstance(value, dict) or _kind(value) in ("choices", "textarea")
