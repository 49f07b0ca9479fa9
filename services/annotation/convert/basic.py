"""Enums, times, and what tells one request from another."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Literal, Protocol, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from services.annotation.domain import (
    CompletionState,
    Event,
    Split,
    TaskStatus,
    TieBreak,
)
from services.common.errors import invalid_field
from services.common.idempotency import RequestKey
from services.common.offsets import OffsetEncoding
from services.common.times import to_timestamp
from spanloop.annotation.v1 import completion_pb2, event_pb2, project_pb2, task_pb2
from spanloop.common.v1 import evaluation_pb2, text_pb2

_ENCODINGS = {
    text_pb2.TEXT_OFFSET_ENCODING_CODE_POINT: OffsetEncoding.CODE_POINT,
    text_pb2.TEXT_OFFSET_ENCODING_UTF8: OffsetEncoding.UTF8,
    text_pb2.TEXT_OFFSET_ENCODING_UTF16: OffsetEncoding.UTF16,
}
_SPLITS = {
    evaluation_pb2.SPLIT_UNSPECIFIED: Split.UNSPECIFIED,
    evaluation_pb2.SPLIT_TRAIN: Split.TRAIN,
    evaluation_pb2.SPLIT_DEV: Split.DEV,
    evaluation_pb2.SPLIT_TEST: Split.TEST,
}
_SPLITS_BACK = {split: number for number, split in _SPLITS.items()}
_STATUSES = {
    task_pb2.TASK_STATUS_INCOMPLETE: TaskStatus.INCOMPLETE,
    task_pb2.TASK_STATUS_IN_PROGRESS: TaskStatus.IN_PROGRESS,
    task_pb2.TASK_STATUS_SUBMITTED: TaskStatus.SUBMITTED,
    task_pb2.TASK_STATUS_REVIEWED: TaskStatus.REVIEWED,
    task_pb2.TASK_STATUS_TO_CORRECT: TaskStatus.TO_CORRECT,
}
_STATUSES_BACK = {status: number for number, status in _STATUSES.items()}
_STATES_BACK = {
    CompletionState.DRAFT: completion_pb2.COMPLETION_STATE_DRAFT,
    CompletionState.SUBMITTED: completion_pb2.COMPLETION_STATE_SUBMITTED,
    CompletionState.ACCEPTED: completion_pb2.COMPLETION_STATE_ACCEPTED,
    CompletionState.REJECTED: completion_pb2.COMPLETION_STATE_REJECTED,
}
_TIE_BREAKS = {
    project_pb2.TIE_BREAK_MOST_RECENT: TieBreak.MOST_RECENT,
    project_pb2.TIE_BREAK_HIGHEST_PRIORITY: TieBreak.HIGHEST_PRIORITY,
}
_TIE_BREAKS_BACK = {one: number for number, one in _TIE_BREAKS.items()}

K = TypeVar("K", bound=int)
V = TypeVar("V")


class _Repeatable(Protocol):
    """A creating request."""

    request_id: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:  # noqa: N802
        """Return the wire form."""
        ...

    def ClearField(self, field_name: Literal["request_id"]) -> None:  # noqa: N802
        """Forget a field."""
        ...


def request_key(method: str, parent: str, request: _Repeatable) -> RequestKey | None:
    """Return what tells a repeat of a creating request from another one; None without an id."""
    copy = deepcopy(request)
    copy.ClearField("request_id")
    content = copy.SerializeToString(deterministic=True)
    return RequestKey.of(method, parent, request.request_id, content)


def encoding_of(
    value: text_pb2.TextOffsetEncoding, field: str = "offset_encoding"
) -> OffsetEncoding:
    """Read units of offsets; code points when they are left open."""
    return optional_encoding_of(value, field) or OffsetEncoding.CODE_POINT


def optional_encoding_of(
    value: text_pb2.TextOffsetEncoding, field: str = "offset_encoding"
) -> OffsetEncoding | None:
    """Read units of offsets; None when they are left open."""
    if value == text_pb2.TEXT_OFFSET_ENCODING_UNSPECIFIED:
        return None
    return known(_ENCODINGS, value, field, "TextOffsetEncoding")


def split_of(value: evaluation_pb2.Split, field: str) -> Split:
    """Read a split."""
    return known(_SPLITS, value, field, "Split")


def split_value(split: Split) -> evaluation_pb2.Split:
    """Return a split."""
    return _SPLITS_BACK[split]


def statuses_of(values: Iterable[task_pb2.TaskStatus], field: str) -> tuple[TaskStatus, ...]:
    """Read statuses; unspecified is refused."""
    return tuple(status_of(value, f"{field}[{place}]") for place, value in enumerate(values))


def status_of(value: task_pb2.TaskStatus, field: str) -> TaskStatus:
    """Read a status; unspecified is refused."""
    return known(_STATUSES, value, field, "TaskStatus")


def status_value(status: TaskStatus) -> task_pb2.TaskStatus:
    """Return a status."""
    return _STATUSES_BACK[status]


def state_value(state: CompletionState) -> completion_pb2.CompletionState:
    """Return a state."""
    return _STATES_BACK[state]


def optional_tie_break_of(value: project_pb2.TieBreak, field: str) -> TieBreak | None:
    """Read a tie-break; None when it is left open."""
    if value == project_pb2.TIE_BREAK_UNSPECIFIED:
        return None
    return known(_TIE_BREAKS, value, field, "TieBreak")


def tie_break_value(tie_break: TieBreak) -> project_pb2.TieBreak:
    """Return a tie-break."""
    return _TIE_BREAKS_BACK[tie_break]


def micros_of(time: Timestamp) -> int:
    """Read a time as microseconds since the epoch."""
    return time.ToMicroseconds()


def event_message(event: Event, token: str = "") -> event_pb2.Event:
    """Return an event, with the token to continue behind it."""
    return event_pb2.Event(
        sequence=event.sequence,
        resume_token=token,
        type=f"EVENT_TYPE_{event.type.value}",
        resource=event.resource,
        time=to_timestamp(event.time),
        actor=event.actor,
        version=event.version,
    )


def known(values: dict[K, V], value: K, field: str, kind: str) -> V:
    """Return what a number of an enum stands for, or raise FIELD_INVALID."""
    if value not in values:
        raise invalid_field(field, f"is not a known {kind}.")
    return values[value]
