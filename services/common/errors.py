"""The errors that services raise on purpose: a reason, a message for people, and details.

Handlers and repositories raise these; `services.common.grpc_status` turns them into gRPC statuses
with google.rpc details. Nothing else of an exception ever reaches a caller. The reasons are those
of ``spanloop.common.v1.ErrorReason`` (a test holds the two together).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a call was refused; the value is what stands in ``ErrorInfo.reason``."""

    # caller's identity
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    CREDENTIALS_INVALID = "CREDENTIALS_INVALID"
    ACCESS_DENIED = "ACCESS_DENIED"
    # the request itself
    FIELD_INVALID = "FIELD_INVALID"
    REQUEST_MALFORMED = "REQUEST_MALFORMED"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"  # noqa: S105
    RESUME_TOKEN_INVALID = "RESUME_TOKEN_INVALID"  # noqa: S105
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    OFFSET_INVALID = "OFFSET_INVALID"
    LABEL_UNKNOWN = "LABEL_UNKNOWN"
    IMPORT_EMPTY = "IMPORT_EMPTY"
    LINE_TOO_LONG = "LINE_TOO_LONG"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    # resources and their states
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    RESOURCE_EXISTS = "RESOURCE_EXISTS"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    STATE_CONFLICT = "STATE_CONFLICT"
    NO_TRAINING_DATA = "NO_TRAINING_DATA"
    MODEL_VERSION_UNKNOWN = "MODEL_VERSION_UNKNOWN"
    MODEL_VERSION_NOT_READY = "MODEL_VERSION_NOT_READY"
    NOTHING_DEPLOYED = "NOTHING_DEPLOYED"
    NOTHING_TO_ROLL_BACK = "NOTHING_TO_ROLL_BACK"
    ARTIFACT_CORRUPT = "ARTIFACT_CORRUPT"
    PARITY_FAILED = "PARITY_FAILED"
    LEASE_LOST = "LEASE_LOST"
    # capacity and time
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    OVERLOADED = "OVERLOADED"
    DRAINING = "DRAINING"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    PEER_UNAVAILABLE = "PEER_UNAVAILABLE"
    METHOD_UNKNOWN = "METHOD_UNKNOWN"
    INTERNAL = "INTERNAL"
    RESUME_TOKEN_EXPIRED = "RESUME_TOKEN_EXPIRED"  # noqa: S105
    LABELING_CONFIG_INVALID = "LABELING_CONFIG_INVALID"
    FORMAT_UNKNOWN = "FORMAT_UNKNOWN"
    TAGS_INCONSISTENT = "TAGS_INCONSISTENT"
    NOTHING_PREDICTED = "NOTHING_PREDICTED"
    RESOURCES_INSUFFICIENT = "RESOURCES_INSUFFICIENT"
    GATE_FAILED = "GATE_FAILED"


class Code(StrEnum):
    """The gRPC status codes in use; names as in ``grpc.StatusCode``."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, kw_only=True)
class FieldViolation:
    """One bad field: its path in the request, e.g. ``spans[2].end``, and what to do about it."""

    field: str
    description: str


@dataclass(frozen=True, kw_only=True)
class PreconditionViolation:
    """One condition that does not hold.

    Attributes:
        type: Which rule, e.g. ``MIN_MICRO_F1``.
        subject: What breaks it: a resource's name, or a label of it.
        description: What was found and what is asked for.
    """

    type: str
    subject: str
    description: str


class SpanloopError(Exception):
    """A refusal with everything that the caller is told.

    Attributes:
        code: The gRPC status code.
        reason: The documented reason.
        message: One sentence for people: what is wrong and what to do.
        metadata: Machine-readable facts (resource names, limits), all strings.
        violations: The bad fields of the request, if any.
        preconditions: The conditions that do not hold, if any.
        retry_after: Seconds after which a retry makes sense, if any.
    """

    code: Code = Code.INTERNAL

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        preconditions: Sequence[PreconditionViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        """Build the refusal."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.preconditions = tuple(preconditions)
        self.retry_after = retry_after


class InvalidArgumentError(SpanloopError):
    """The request can never succeed as it is."""

    code = Code.INVALID_ARGUMENT


class NotFoundError(SpanloopError):
    """The named resource does not exist."""

    code = Code.NOT_FOUND


class AlreadyExistsError(SpanloopError):
    """A resource with this id or unique value exists."""

    code = Code.ALREADY_EXISTS


class FailedPreconditionError(SpanloopError):
    """The system is not in the state that the call needs; change that state first."""

    code = Code.FAILED_PRECONDITION


class AbortedError(SpanloopError):
    """Someone else changed the resource; read it again and repeat."""

    code = Code.ABORTED


class OutOfRangeError(SpanloopError):
    """A position (token, offset in a stream) no longer or not yet exists."""

    code = Code.OUT_OF_RANGE


class UnauthenticatedError(SpanloopError):
    """No valid credentials came with the call."""

    code = Code.UNAUTHENTICATED


class PermissionDeniedError(SpanloopError):
    """The caller is known but may not do this."""

    code = Code.PERMISSION_DENIED


class ResourceExhaustedError(SpanloopError):
    """A bound (queue, size, concurrency) is reached."""

    code = Code.RESOURCE_EXHAUSTED


class DeadlineExceededError(SpanloopError):
    """The caller's deadline passed before the work was done."""

    code = Code.DEADLINE_EXCEEDED


class UnavailableError(SpanloopError):
    """A dependency or the service itself cannot answer now; retry."""

    code = Code.UNAVAILABLE


class UnimplementedError(SpanloopError):
    """The method does not exist."""

    code = Code.UNIMPLEMENTED


class DataLossError(SpanloopError):
    """Stored bytes no longer match their digest."""

    code = Code.DATA_LOSS


class InternalError(SpanloopError):
    """A bug; the log holds the details under the request id."""

    code = Code.INTERNAL


def invalid_field(
    field: str, description: str, *, reason: Reason = Reason.FIELD_INVALID
) -> InvalidArgumentError:
    """Return the refusal of one bad request field; the message names the field."""
    return InvalidArgumentError(
        reason,
        f"{field}: {description}",
        metadata={"field": field},
        violations=[FieldViolation(field=field, description=description)],
    )


def not_found(resource: str) -> NotFoundError:
    """Return the refusal for a resource name that does not exist."""
    return NotFoundError(
        Reason.RESOURCE_NOT_FOUND, f"{resource} does not exist.", metadata={"resource": resource}
    )


def etag_mismatch(resource: str) -> AbortedError:
    """Return the refusal of a change based on an outdated etag."""
    return AbortedError(
        Reason.ETAG_MISMATCH,
        f"{resource} was changed since you read it: read it again and repeat with its new etag.",
        metadata={"resource": resource},
    )
