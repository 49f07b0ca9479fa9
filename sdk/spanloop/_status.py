"""Turns gRPC errors into the SDK's exceptions, by their details and never by their text."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from spanloop import errors

_DETAILS_KEY = "grpc-status-details-bin"
_CLASSES: dict[grpc.StatusCode, type[errors.SpanloopError]] = {
    kind.code: kind
    for kind in (
        errors.Cancelled,
        errors.InvalidArgument,
        errors.DeadlineExceeded,
        errors.NotFound,
        errors.AlreadyExists,
        errors.PermissionDenied,
        errors.ResourceExhausted,
        errors.FailedPrecondition,
        errors.Aborted,
        errors.OutOfRange,
        errors.Unimplemented,
        errors.Internal,
        errors.Unavailable,
        errors.DataLoss,
        errors.Unauthenticated,
    )
}


def from_rpc_error(error: grpc.RpcError, method: str, target: str) -> errors.SpanloopError:
    """Return the exception for a failed call of `method` at the address `target`."""
    code = error.code()
    info, violations, preconditions, retry_after = _details(error.trailing_metadata() or ())
    message = error.details() or code.name
    if code is grpc.StatusCode.UNAVAILABLE and info is None:
        # The transport's own text names sockets and syscalls; the address is what helps.
        message = f"No answer from {target}: {message}"
    return _CLASSES.get(code, errors.SpanloopError)(
        message,
        code=code,
        reason=info.reason if info is not None else "",
        metadata=dict(info.metadata) if info is not None else {},
        violations=violations,
        preconditions=preconditions,
        retry_after=retry_after,
        method=method,
    )


def _details(
    trailers: Iterable[object],
) -> tuple[
    error_details_pb2.ErrorInfo | None,
    list[errors.FieldViolation],
    list[errors.PreconditionViolation],
    float | None,
]:
    """Return ErrorInfo, bad fields, conditions and retry delay (s) out of a call's trailers."""
    info: error_details_pb2.ErrorInfo | None = None
    violations: list[errors.FieldViolation] = []
    preconditions: list[errors.PreconditionViolation] = []
    retry_after: float | None = None
    for detail in _status(trailers).details:
        try:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                candidate = error_details_pb2.ErrorInfo()
                detail.Unpack(candidate)
                if candidate.domain == errors.DOMAIN:
                    info = candidate
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                detail.Unpack(bad)
                violations.extend(
                    errors.FieldViolation(field=entry.field, description=entry.description)
                    for entry in bad.field_violations
                )
            elif detail.Is(error_details_pb2.PreconditionFailure.DESCRIPTOR):
                failure = error_details_pb2.PreconditionFailure()
                detail.Unpack(failure)
                preconditions.extend(
                    errors.PreconditionViolation(
                        type=entry.type, subject=entry.subject, description=entry.description
                    )
                    for entry in failure.violations
                )
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
                retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        except DecodeError:
            # A detail that cannot be read says nothing; code and message still stand.
            continue
    return info, violations, preconditions, retry_after


def _status(trailers: Iterable[object]) -> status_pb2.Status:
    for entry in trailers:
        match entry:
            case (str(key), bytes(value)) if key == _DETAILS_KEY:
                try:
                    return status_pb2.Status.FromString(value)
                except DecodeError:
                    break
    return status_pb2.Status()
