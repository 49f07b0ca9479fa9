"""Between this project's errors and gRPC statuses with google.rpc details."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from services.common import errors
from services.common.errors import (
    Code,
    FieldViolation,
    PreconditionViolation,
    Reason,
    SpanloopError,
)
from services.common.store import port as store

DOMAIN = "spanloop.dev"
DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"

# Peers take 8 KiB of metadata by default: what does not fit would turn the status into another.
_MAX_MESSAGE = 1000
_MAX_DETAIL_BYTES = 5000
_MAX_VIOLATIONS = 25


@dataclass(frozen=True, kw_only=True)
class Status:
    """What ends a call: code, message and trailing metadata."""

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]


def status_of(error: SpanloopError, request_id: str = "") -> Status:
    """Return the status that tells a caller about `error`.

    Details that would make it too long are cut, the last violations first.
    """
    code = grpc.StatusCode[error.code.value]
    message = _cut(error.message, _MAX_MESSAGE)
    info = error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN)
    if request_id:
        info.metadata["request_id"] = request_id
    for key, value in error.metadata.items():
        info.metadata[key] = _cut(value, 500)
    status = status_pb2.Status(code=code.value[0], message=message)
    _add(status, info)
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMicroseconds(max(0, round(error.retry_after * 1e6)))
        _add(status, retry)
    _add_violations(status, error)
    _add_preconditions(status, error)
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if request_id:
        trailers.append((REQUEST_ID_KEY, request_id))
    return Status(code=code, message=message, trailers=tuple(trailers))


def _add_violations(status: status_pb2.Status, error: SpanloopError) -> None:
    left = _MAX_DETAIL_BYTES - status.ByteSize()
    kept = []
    for violation in error.violations[:_MAX_VIOLATIONS]:
        entry = error_details_pb2.BadRequest.FieldViolation(
            field=_cut(violation.field, 300), description=_cut(violation.description, 500)
        )
        left -= entry.ByteSize() + 8
        if left < 0:
            break
        kept.append(entry)
    if kept:
        _add(status, error_details_pb2.BadRequest(field_violations=kept))


def _add_preconditions(status: status_pb2.Status, error: SpanloopError) -> None:
    left = _MAX_DETAIL_BYTES - status.ByteSize()
    kept = []
    for violation in error.preconditions[:_MAX_VIOLATIONS]:
        entry = error_details_pb2.PreconditionFailure.Violation(
            type=_cut(violation.type, 100),
            subject=_cut(violation.subject, 300),
            description=_cut(violation.description, 500),
        )
        left -= entry.ByteSize() + 8
        if left < 0:
            break
        kept.append(entry)
    if kept:
        _add(status, error_details_pb2.PreconditionFailure(violations=kept))


def _add(status: status_pb2.Status, detail: Message) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)


def _cut(text: str, length: int) -> str:
    # Lone surrogates cannot be sent; what cannot be sent must not turn a refusal into a crash.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= length else text[: length - 1] + "…"


def as_spanloop_error(error: BaseException) -> SpanloopError | None:
    """Return the refusal that stands for an exception a handler let out, or None for a bug."""
    match error:
        case SpanloopError():
            return error
        case store.StoreUnavailableError():
            return errors.UnavailableError(
                Reason.STORE_UNAVAILABLE, "The database cannot be used just now.", retry_after=1.0
            )
        case store.RevisionError():
            return errors.AbortedError(
                Reason.ETAG_MISMATCH, "The resource was changed meanwhile: read it again."
            )
        case store.MissingError():
            return errors.NotFoundError(
                Reason.RESOURCE_NOT_FOUND, "The resource does not exist any more."
            )
        case store.DuplicateError():
            return errors.AlreadyExistsError(
                Reason.RESOURCE_EXISTS, "A resource with this id or value exists."
            )
        case _:
            return None


def internal_error() -> errors.InternalError:
    """Return what a caller is told about a bug: nothing but where to look."""
    return errors.InternalError(
        Reason.INTERNAL, "Something went wrong; the server's log holds it under the request id."
    )


@dataclass(frozen=True, kw_only=True)
class ReceivedError:
    """A status that a peer sent, taken apart.

    Attributes:
        code: The status code.
        message: Its message.
        reason: The documented reason; None when there is none that this release knows.
        metadata: Facts of the ErrorInfo.
        violations: The bad fields.
        preconditions: The conditions that do not hold.
        retry_after: Seconds, when the peer said so.
    """

    code: grpc.StatusCode
    message: str
    reason: Reason | None
    metadata: Mapping[str, str]
    violations: tuple[FieldViolation, ...]
    retry_after: float | None
    preconditions: tuple[PreconditionViolation, ...] = ()


def received_error(error: aio.AioRpcError) -> ReceivedError:
    """Take the status of a failed call apart; details that cannot be read count as absent."""
    raw = next((value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY), b"")
    status = status_pb2.Status()
    if isinstance(raw, bytes):
        try:
            status.ParseFromString(raw)
        except DecodeError:
            status = status_pb2.Status()
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    bad = error_details_pb2.BadRequest()
    failure = error_details_pb2.PreconditionFailure()
    has_retry = False
    for detail in status.details:
        try:
            if detail.Unpack(info) or detail.Unpack(bad) or detail.Unpack(failure):
                continue
            has_retry = detail.Unpack(retry) or has_retry
        except DecodeError:
            continue
    known = info.domain == DOMAIN and info.reason in Reason.__members__
    return ReceivedError(
        code=error.code(),
        message=error.details() or "",
        reason=Reason(info.reason) if known else None,
        metadata=dict(info.metadata),
        violations=tuple(
            FieldViolation(field=entry.field, description=entry.description)
            for entry in bad.field_violations
        ),
        retry_after=retry.retry_delay.ToMicroseconds() / 1e6 if has_retry else None,
        preconditions=tuple(
            PreconditionViolation(
                type=entry.type, subject=entry.subject, description=entry.description
            )
            for entry in failure.violations
        ),
    )


def error_class(code: grpc.StatusCode) -> type[SpanloopError]:
    """Return the class of errors with this code; InternalError for codes that none has."""
    return _CLASSES.get(code.name, errors.InternalError)


_CLASSES: dict[str, type[SpanloopError]] = {
    cls.code.value: cls
    for cls in (
        errors.InvalidArgumentError,
        errors.NotFoundError,
        errors.AlreadyExistsError,
        errors.FailedPreconditionError,
        errors.AbortedError,
        errors.OutOfRangeError,
        errors.UnauthenticatedError,
        errors.PermissionDeniedError,
        errors.ResourceExhaustedError,
        errors.DeadlineExceededError,
        errors.UnavailableError,
        errors.UnimplementedError,
        errors.DataLossError,
        errors.InternalError,
    )
}
assert set(_CLASSES) == {code.value for code in Code}  # noqa: S101  # one class per code
