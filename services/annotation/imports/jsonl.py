"""JSON lines: one object per line with ``text``, ``spans``, ``id``, ``split`` and ``metadata``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.annotation.domain import Split
from services.annotation.imports.lines import Line
from services.annotation.imports.records import ParsedText, Record, Refused, refusal
from services.annotation.spans import MAX_TEXT, RawSpan, checked_spans
from services.annotation.tasks import check_external_id, check_metadata, check_task_text
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding


class JsonlReader:
    """Reads each line by itself; blank lines are skipped."""

    def __init__(self, encoding: OffsetEncoding) -> None:
        """Read offsets counted in `encoding`."""
        self._encoding = encoding
        self._ordinal = 0

    def read(self, line: Line | Refused) -> Iterator[Record]:
        """Yield what the line holds."""
        if isinstance(line, Line) and not line.text.strip():
            return
        self._ordinal += 1
        if isinstance(line, Refused):
            yield line
            return
        try:
            yield self._parse(line)
        except InvalidArgumentError as error:
            yield refusal(line.number, error)

    def end(self) -> Iterator[Record]:
        """Yield nothing: no text goes over several lines."""
        return iter(())

    def _parse(self, line: Line) -> ParsedText:
        document = _object(line.text)
        text = _string(document, "text")
        check_task_text(text, "text")
        raw = document.get("spans")
        spans = None
        labels: dict[str, tuple[int, str]] = {}
        if raw is not None:
            listed = _spans(raw)
            spans = checked_spans(text, listed, self._encoding, "spans")
            for index, one in enumerate(listed):
                labels.setdefault(one.label, (line.number, f"spans[{index}].label"))
        return ParsedText(
            line=line.number,
            ordinal=self._ordinal,
            text=text,
            spans=spans,
            labels=labels,
            external_id=_external_id(document.get("id")),
            split=_split(document.get("split")),
            metadata=_metadata(document.get("metadata")),
        )


def _object(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidArgumentError(
            Reason.REQUEST_MALFORMED,
            f"The line is not JSON{where}: write one JSON object per line.",
        ) from None
    if not isinstance(document, dict):
        raise InvalidArgumentError(
            Reason.REQUEST_MALFORMED,
            'The line is not a JSON object: write {"text": …, "spans": […]}.',
        )
    return document


def _string(document: Mapping[str, Any], key: str, field: str = "") -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise invalid_field(field or key, "is required, as a string.")
    return _encodable(value, field or key)


def _encodable(value: str, field: str) -> str:
    r"""Refuse what ``\ud800`` and the like in JSON make: no encoding can hold it."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid_field(field, "holds half of a surrogate pair.") from None
    return value


def _spans(raw: object) -> list[RawSpan]:
    if not isinstance(raw, list):
        raise invalid_field("spans", "must be a list of {start, end, label}.")
    found = []
    for index, one in enumerate(raw):
        where = f"spans[{index}]"
        if not isinstance(one, dict):
            raise invalid_field(where, "must be an object {start, end, label}.")
        span_id = one.get("id")
        found.append(
            RawSpan(
                start=_offset(one, "start", where),
                end=_offset(one, "end", where),
                label=_string(one, "label", f"{where}.label"),
                id="" if span_id is None else _string(one, "id", f"{where}.id"),
            )
        )
    return found


def _offset(span: Mapping[str, Any], key: str, where: str) -> int:
    value = span.get(key)
    if type(value) is not int:
        raise invalid_field(
            f"{where}.{key}", "is required, as a whole number.", reason=Reason.OFFSET_INVALID
        )
    # Anything beyond any text is equally outside; a huge number must not travel on.
    return max(-1, min(value, 4 * MAX_TEXT + 1))


def _external_id(value: object) -> str:
    if value is None:
        return ""
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str):
        raise invalid_field("id", "must be a string or a whole number.")
    return check_external_id(_encodable(value, "id"), "id")


def _split(value: object) -> Split:
    if value is None or value == "":
        return Split.UNSPECIFIED
    if value not in ("train", "dev", "test"):
        raise invalid_field("split", "must be train, dev or test.")
    return Split(value)


def _metadata(value: object) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise invalid_field("metadata", "must be an object with strings as values.")
    for key, one in value.items():
        _encodable(key + one, "metadata")
    return check_metadata(value, "metadata")
