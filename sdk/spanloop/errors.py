"""What the SDK raises: one exception class per gRPC code, filled from the error's details.

`reason` is a documented constant (`spanloop.common.v1.ErrorReason` without its prefix): decide by
the class and the reason, never by the message.
"""

# ruff: noqa: N818 - the classes are named after the gRPC codes

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc

DOMAIN = "spanloop.dev"
"""The `ErrorInfo.domain` of errors that Spanloop's services raise."""


@dataclass(frozen=True, kw_only=True)
class FieldViolation:
    """One bad field: its path in the request, e.g. `spans[2].end`, and what to do about it."""

    field: str
    description: str


@dataclass(frozen=True, kw_only=True)
class PreconditionViolation:
    """One condition that does not hold: which rule, what breaks it, what was found."""

    type: str
    subject: str
    description: str


class SpanloopError(Exception):
    """A call that did not succeed.

    Attributes:
        code: The gRPC status code.
        message: One sentence for people.
        reason: The documented reason; empty when the error did not come from a Spanloop service
            (nobody listens there, the network broke).
        metadata: Machine-readable facts, e.g. the resource's name.
        violations: The bad fields of the request.
        preconditions: The conditions that do not hold, e.g. rules of a project's gate.
        retry_after: Seconds after which a repeat makes sense, None when not told.
        method: The full method name of the call, empty for errors found before any call.
    """

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        preconditions: Sequence[PreconditionViolation] = (),
        retry_after: float | None = None,
        method: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.preconditions = tuple(preconditions)
        self.retry_after = retry_after
        self.method = method


class Cancelled(SpanloopError):
    """The call was cancelled on this side."""

    code = grpc.StatusCode.CANCELLED


class InvalidArgument(SpanloopError):
    """The request can never succeed as it is; `violations` name the fields."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class DeadlineExceeded(SpanloopError):
    """The call's deadline passed first; whether it took effect is not known."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class NotFound(SpanloopError):
    """The named resource does not exist."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(SpanloopError):
    """A resource with this id or unique value exists."""

    code = grpc.StatusCode.ALREADY_EXISTS


class PermissionDenied(SpanloopError):
    """The caller is known but may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class ResourceExhausted(SpanloopError):
    """A bound is reached; `retry_after` may say when to try again."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class FailedPrecondition(SpanloopError):
    """The system is not in the state that the call needs; change that state first."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(SpanloopError):
    """Someone else changed the resource: read it again and repeat with its new etag."""

    code = grpc.StatusCode.ABORTED


class OutOfRange(SpanloopError):
    """A position in a stream does not exist."""

    code = grpc.StatusCode.OUT_OF_RANGE


class Unimplemented(SpanloopError):
    """The server does not have this method."""

    code = grpc.StatusCode.UNIMPLEMENTED


class Internal(SpanloopError):
    """A bug of the server; its log has the details."""

    code = grpc.StatusCode.INTERNAL


class Unavailable(SpanloopError):
    """The service cannot be reached or is shutting down, also after the SDK's retries."""

    code = grpc.StatusCode.UNAVAILABLE


class DataLoss(SpanloopError):
    """Stored bytes no longer match their digest."""

    code = grpc.StatusCode.DATA_LOSS


class Unauthenticated(SpanloopError):
    """No token, or not the one that the service accepts."""

    code = grpc.StatusCode.UNAUTHENTICATED


class ConfigurationError(SpanloopError):
    """A setting of this client cannot be used (token file, certificate, address); no call was made.

    `reason` is `CLIENT_CONFIGURATION`.
    """

    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, message: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message, reason="CLIENT_CONFIGURATION", metadata=metadata)
