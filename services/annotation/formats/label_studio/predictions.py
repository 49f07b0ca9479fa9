"""Predictions of models in a file, and their scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.annotation.content import Choices, Content, ScoredChoice, ScoredSpan, Span
from services.annotation.domain import Prediction
from services.annotation.formats.json_building import kept_object, own_extra
from services.annotation.formats.json_fields import a_list
from services.annotation.formats.label_studio.controls import Controls
from services.annotation.formats.label_studio.dialect import Dialect
from services.annotation.formats.label_studio.places import plain
from services.annotation.formats.label_studio.rendering import Rendering
from services.annotation.formats.label_studio.results import read_results
from services.annotation.formats.label_studio.spans import About
from services.annotation.formats.label_studio.values import (
    keep,
    number,
    parse_time,
    to_rfc3339,
    whole,
)
from services.annotation.formats.records import ParsedPrediction
from services.common.offsets import OffsetEncoding

_IMPORTED = "import/"
_UNNAMED = "unnamed"
_MAX_VERSION = 180


def read_prediction(
    body: Mapping[str, Any], dialect: Dialect, about: About, taken: set[str], field: str
) -> tuple[ParsedPrediction, Sequence[str]]:
    """Return a prediction, and notes.

    Its version is the `model_version`, else who created it; of several with the same one in a task
    the further ones get ``#2``, ``#3``. A result without a score has that of the prediction, or 1.

    Args:
        body: The prediction.
        dialect: Its keys.
        about: What is known of the task.
        taken: Versions of the task's earlier predictions; that of this one is added.
        field: Its path.

    Raises:
        InvalidArgumentError: As `read_results`.
    """
    results = a_list(body.get("result"), f"{field}.result")
    proposed = replace(about, proposed=True, assertions=frozenset())
    found = read_results(results, proposed, f"{field}.result")
    version = _version(body)
    number_of = 1
    named = version
    while named in taken:
        number_of += 1
        named = f"{version}#{number_of}"
    taken.add(named)
    scores = [_score(one, body) for one in results]
    keys = {one.id: _key(one) for one in found.content.spans}
    entries = found.kept["results"]
    for entry in entries:
        if "span" in entry:
            entry["span"] = [keys[one] for one in entry["span"]]
    rest = {key: one for key, one in body.items() if key != "result"}
    created = _created(body, dialect)
    kept = dict(found.kept)
    if rest.get("model_version") == named:
        del rest["model_version"]
    else:
        kept["version"] = named
    if created is None:
        kept["undated"] = True
    elif rest.get("created_at") == to_rfc3339(created):
        del rest["created_at"]
    kept["prediction"] = rest
    return (
        ParsedPrediction(
            model_version=named,
            spans=tuple(
                ScoredSpan(
                    start=one.start,
                    end=one.end,
                    label=one.label,
                    score=scores[found.origins[one.id]],
                )
                for one in found.content.spans
            ),
            choices=tuple(
                sorted(
                    (
                        ScoredChoice(name=name, value=value, score=scores[place])
                        for name, values, place in found.chosen
                        for value in values
                    ),
                    key=lambda one: (one.name, one.value),
                )
            ),
            extra=keep(dialect.name, kept, field),
            created=created,
        ),
        found.notes,
    )


def prediction_of(
    one: Prediction,
    dialect: Dialect,
    text: str,
    unit: OffsetEncoding,
    controls: Controls,
    omitted: Counter[str],
) -> dict[str, Any]:
    """Return a prediction as a file has it."""
    kept = own_extra(one.extra, dialect.name)
    body = dict(kept_object(kept, "prediction"))
    spans = [_span(each) for each in one.spans]
    names = sorted({each.name for each in one.choices})
    choices = [
        Choices(name=name, values=tuple(each.value for each in one.choices if each.name == name))
        for name in names
    ]
    rendering = Rendering(text, (), unit, controls, omitted, proposed=True)
    results = rendering.results(Content(spans=tuple(spans), choices=tuple(choices)), kept)
    scores: dict[str | tuple[str, str], float] = {
        span.id: each.score for span, each in zip(spans, one.spans, strict=True)
    }
    scores |= {(each.name, each.value): each.score for each in one.choices}
    for result, meaning in zip(results, rendering.meanings, strict=True):
        if meaning is not None and _score(result, body) != scores[meaning]:
            _set_score(result, scores[meaning], in_value=dialect.score_in_value)
    version = one.generation.removeprefix(_IMPORTED)
    if version != kept.get("version"):
        body["model_version"] = version
    keys = [key for key in dialect.created if parse_time(body.get(key)) is not None]
    if _created(body, dialect) != one.created and kept.get("undated") is not True:
        for key in keys:
            body.pop(key)
        body["created_at"] = to_rfc3339(one.created)
    return body | {"result": results}


def written_ids(predictions: Sequence[dict[str, Any]], linked: set[int]) -> list[Any]:
    """Return the id of each written prediction; those that are linked to get one if they must."""
    taken = {str(one["id"]) for one in predictions if one.get("id") is not None}
    ids: list[Any] = []
    for place, one in enumerate(predictions):
        if one.get("id") is None and place in linked:
            free = place + 1
            while str(free) in taken:
                free += len(predictions)
            taken.add(str(free))
            one["id"] = whole(str(free))
        ids.append(one.get("id"))
    return ids


def _version(body: Mapping[str, Any]) -> str:
    for key in ("model_version", "created_username"):
        value = body.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str):
            line = " ".join("".join(c if c.isprintable() else " " for c in value).split())
            if line:
                return line[:_MAX_VERSION].strip()
    return _UNNAMED


def _created(body: Mapping[str, Any], dialect: Dialect) -> int | None:
    times = (parse_time(body.get(key)) for key in dialect.created)
    return next((one for one in times if one is not None), None)


def _score(result: Any, body: Mapping[str, Any]) -> float:
    """Return the score of a result: its own, its confidence, that of the prediction, or 1."""
    value = result.get("value") if isinstance(result, dict) else None
    candidates = (
        result.get("score") if isinstance(result, dict) else None,
        value.get("confidence") if isinstance(value, dict) else None,
        body.get("score"),
    )
    for one in candidates:
        found = number(one)
        if found is not None and 0.0 <= found <= 1.0:
            return found
    return 1.0


def _set_score(result: dict[str, Any], score: float, *, in_value: bool) -> None:
    result.pop("score", None)
    if in_value:
        result["value"]["confidence"] = plain(score)
    else:
        result["value"].pop("confidence", None)
        result["score"] = plain(score)


def _key(one: Span) -> str:
    return f"{one.start}:{one.end}:{one.label}"


def _span(one: ScoredSpan) -> Span:
    bare = Span(start=one.start, end=one.end, label=one.label)
    return replace(bare, id=_key(bare))
