from __future__ import annotations

import io
import json
import logging

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2

from services.common.errors import (
    Code,
    FieldViolation,
    InvalidArgumentError,
    Reason,
    SpanloopError,
)
from services.common.grpc_status import DETAILS_KEY, as_spanloop_error, error_class, status_of
from services.common.logs import configure_logs, get_logger
from services.common.store.port import (
    DuplicateError,
    MissingError,
    RevisionError,
    StoreUnavailableError,
)
from spanloop.common.v1 import error_pb2


def test_reasons_are_those_of_the_contract() -> None:
    documented = {
        name.removeprefix("ERROR_REASON_")
        for name in error_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert {reason.value for reason in Reason} == documented - {"UNSPECIFIED"}
    assert all(reason.name == reason.value for reason in Reason)


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_its_class(code: Code) -> None:
    assert error_class(grpc.StatusCode[code.value]).code is code


def details(error: SpanloopError) -> status_pb2.Status:
    trailers = dict(status_of(error, "rid").trailers)
    raw = trailers[DETAILS_KEY]
    assert isinstance(raw, bytes)
    return status_pb2.Status.FromString(raw)


def test_status_fits_into_metadata_whatever_the_error_holds() -> None:
    error = InvalidArgumentError(
        Reason.FIELD_INVALID,
        "m" * 100_000,
        metadata={"key": "é" * 10_000},
        violations=[
            FieldViolation(field=f"f{number}", description="漢" * 5000) for number in range(1000)
        ],
    )
    status = status_of(error, "rid")
    assert sum(len(key) + len(value) for key, value in status.trailers) < 7000
    assert len(status.message) == 1000
    kinds = [detail.TypeName() for detail in details(error).details]
    assert kinds == ["google.rpc.ErrorInfo", "google.rpc.BadRequest"]


def test_lone_surrogates_do_not_break_a_status() -> None:
    error = InvalidArgumentError(
        Reason.FIELD_INVALID,
        "bad \ud800",
        metadata={"k": "\udfff"},
        violations=[FieldViolation(field="\ud800", description="\ud800")],
    )
    assert status_of(error).message == "bad ?"


def test_error_info() -> None:
    error = InvalidArgumentError(Reason.LABEL_UNKNOWN, "no", metadata={"label": "X"})
    info = error_details_pb2.ErrorInfo()
    assert details(error).details[0].Unpack(info)
    assert (info.reason, info.domain) == ("LABEL_UNKNOWN", "spanloop.dev")
    assert dict(info.metadata) == {"label": "X", "request_id": "rid"}


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (StoreUnavailableError("/secret/path"), Code.UNAVAILABLE, Reason.STORE_UNAVAILABLE),
        (RevisionError("secret"), Code.ABORTED, Reason.ETAG_MISMATCH),
        (MissingError("secret"), Code.NOT_FOUND, Reason.RESOURCE_NOT_FOUND),
        (DuplicateError("secret"), Code.ALREADY_EXISTS, Reason.RESOURCE_EXISTS),
    ],
)
def test_store_errors(error: Exception, code: Code, reason: Reason) -> None:
    mapped = as_spanloop_error(error)
    assert mapped is not None
    assert (mapped.code, mapped.reason) == (code, reason)
    assert "secret" not in mapped.message


def test_bugs_are_not_refusals() -> None:
    assert as_spanloop_error(ValueError("x")) is None


# logs


@pytest.fixture
def _restored_logging() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def int_of_nothing() -> None:
    local_text = "what a user wrote"
    raise ValueError("why" if local_text else "")


@pytest.mark.usefixtures("_restored_logging")
@pytest.mark.parametrize("format", ["json", "console"])
def test_logs(format: str) -> None:
    stream = io.StringIO()
    configure_logs("info", format, "registry", stream)
    local_text = "what a user wrote"
    with pytest.raises(ValueError, match="why") as caught:
        int_of_nothing()
    get_logger("a.b").error("event", n=1, text=local_text, token="t0ken", exc_info=caught.value)
    get_logger("a.b").debug("hidden")
    logging.getLogger("library").warning("from %s", "stdlib")
    written = stream.getvalue()
    assert local_text not in written
    assert "t0ken" not in written
    assert "ValueError: why" in written
    assert "hidden" not in written.replace("(hidden)", "")
    if format == "json":
        first, second = map(json.loads, written.splitlines())
        assert first["event"] == "event"
        assert first["service"] == "registry"
        assert first["level"] == "error"
        assert first["logger"] == "a.b"
        assert first["n"] == 1
        assert "int_of_nothing" in first["exception"]
        assert (second["event"], second["level"]) == ("from stdlib", "warning")
        assert second["time"].endswith("Z")
