"""What the server process and a worker's child process say to each other.

Parent to child: one argument, the path of a spec file (`JobSpec` as JSON); then on standard input
the line ``stop``, which asks for an end at the next checkpoint. The end of standard input means
that the parent is gone: the child must exit at once.

Child to parent, on standard output: one JSON object per line with a ``type``:

- ``log`` {level, message}; ``warning`` {message}
- ``progress`` {phase, fraction, epoch, epochs}; ``epoch`` {epoch, loss, dev_micro_f1,
  dev_f1, seconds}
- ``evaluating`` {}: training ended
- ``timing`` {part, seconds}: a finished part, one of ``TIMING_PARTS``
- last, one of: ``result`` {}: the result file is complete; ``stopped`` {}; ``failed``
  {reason, message}

Bulk goes through files in the job's folder (`services.trainer.job_files`). Free of torch and gRPC.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from services.trainer.domain import EpochMetrics, Failure, FailureReason, Progress

TIMING_PARTS = ("trunk", "activation", "training", "evaluation", "registration")
STOP = b"stop\n"


class ProtocolError(ValueError):
    """A line is not a message of this protocol."""


@dataclass(frozen=True, kw_only=True)
class LogMessage:
    """A line for the job's log."""

    level: str
    message: str


@dataclass(frozen=True, kw_only=True)
class WarningMessage:
    """A remark for the job itself."""

    message: str


@dataclass(frozen=True, kw_only=True)
class ProgressMessage:
    """Where the child is."""

    progress: Progress


@dataclass(frozen=True, kw_only=True)
class EpochMessage:
    """A pass has ended."""

    metrics: EpochMetrics


@dataclass(frozen=True, kw_only=True)
class EvaluatingMessage:
    """Training has ended; evaluation begins."""


@dataclass(frozen=True, kw_only=True)
class TimingMessage:
    """A part has ended."""

    part: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ResultMessage:
    """The result file is complete."""


@dataclass(frozen=True, kw_only=True)
class StoppedMessage:
    """Stopped at a checkpoint, as asked."""


@dataclass(frozen=True, kw_only=True)
class FailedMessage:
    """The job cannot succeed."""

    failure: Failure


Message: TypeAlias = (
    LogMessage
    | WarningMessage
    | ProgressMessage
    | EpochMessage
    | EvaluatingMessage
    | TimingMessage
    | ResultMessage
    | StoppedMessage
    | FailedMessage
)
FinalMessage: TypeAlias = ResultMessage | StoppedMessage | FailedMessage


def parse_message(line: bytes) -> Message:
    """Return the message of one line.

    Raises:
        ProtocolError: The line is no message of this protocol.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("not a JSON line") from None
    if not isinstance(document, dict):
        raise ProtocolError("not a JSON object")
    fields = _Fields(document)
    kind = fields.text("type")
    match kind:
        case "log":
            return LogMessage(level=fields.text("level"), message=fields.text("message"))
        case "warning":
            return WarningMessage(message=fields.text("message"))
        case "progress":
            return ProgressMessage(
                progress=Progress(
                    phase=fields.text("phase"),
                    fraction=min(1.0, max(0.0, fields.number("fraction"))),
                    epoch=fields.count("epoch"),
                    epochs=fields.count("epochs"),
                )
            )
        case "epoch":
            return EpochMessage(
                metrics=EpochMetrics(
                    epoch=fields.count("epoch"),
                    loss=fields.number("loss"),
                    dev_micro_f1=fields.number("dev_micro_f1"),
                    dev_f1=fields.numbers("dev_f1"),
                    seconds=fields.number("seconds"),
                )
            )
        case "evaluating":
            return EvaluatingMessage()
        case "timing":
            part = fields.text("part")
            if part not in TIMING_PARTS:
                raise ProtocolError(f"unknown part {part!r}")
            return TimingMessage(part=part, seconds=fields.number("seconds"))
        case "result":
            return ResultMessage()
        case "stopped":
            return StoppedMessage()
        case "failed":
            return FailedMessage(failure=fields.failure())
        case _:
            raise ProtocolError(f"unknown type {kind!r}")


def message_line(kind: str, **fields: object) -> bytes:
    """Return one line that the child writes; numbers that are not finite become 0."""
    return json.dumps({"type": kind, **_finite(fields)}, allow_nan=False).encode() + b"\n"


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else 0.0
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case _:
            return value


class _Fields:
    """Takes typed fields out of a message."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def text(self, name: str) -> str:
        value = self._document.get(name)
        if not isinstance(value, str):
            raise ProtocolError(f"{name} is not a string")
        return value

    def number(self, name: str) -> float:
        return _number(name, self._document.get(name))

    def count(self, name: str) -> int:
        value = self._document.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ProtocolError(f"{name} is not a count")
        return value

    def numbers(self, name: str) -> dict[str, float]:
        value = self._document.get(name)
        if not isinstance(value, dict):
            raise ProtocolError(f"{name} is not an object")
        return {key: _number(f"{name}.{key}", item) for key, item in value.items()}

    def failure(self) -> Failure:
        reason = self.text("reason")
        if reason not in FailureReason.__members__:
            raise ProtocolError(f"unknown reason {reason!r}")
        return Failure(reason=FailureReason(reason), message=self.text("message"))


def _number(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ProtocolError(f"{name} is not a finite number")
    return float(value)
