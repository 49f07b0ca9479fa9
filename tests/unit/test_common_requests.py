"""Names, single fields, idempotency keys and times."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from services.common import validate
from services.common.errors import InvalidArgumentError, Reason
from services.common.idempotency import RequestKey, check_repeat
from services.common.names import format_name, parse_name
from services.common.times import from_timestamp, to_timestamp

TASK = "projects/{project}/tasks/{task}"
ids = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.:\-]{0,50}\Z")


@given(ids, ids)
def test_name_round_trip(project: str, task: str) -> None:
    name = format_name(TASK, project=project, task=task)
    assert parse_name(TASK, name) == {"project": project, "task": task}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "projects/p",
        "projects/p/tasks/",
        "projects//tasks/t",
        "projects/p/tasks/t/",
        "/projects/p/tasks/t",
        "projects/p/tasks/t\n",
        "projects/p/tasks/a b",
        "projects/p/tasks/é",
        "projects/p/tasks/..",
        "projects/p/tasks/-",
        "projects/-/tasks/t",
        "projects/p/labels/t",
        "projects/p/tasks/" + "x" * 201,
        "projects/p/q/tasks/t",
    ],
)
def test_bad_names(name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_name(TASK, name, "task.name")
    assert caught.value.violations[0].field == "task.name"
    assert TASK in caught.value.message or not name


def test_wildcards() -> None:
    assert parse_name(TASK, "projects/p/tasks/-", wildcard=["task"])["task"] == "-"
    with pytest.raises(InvalidArgumentError):
        parse_name(TASK, "projects/-/tasks/-", wildcard=["task"])
    assert parse_name("projects/-/deployment", "projects/-/deployment") == {}


@pytest.mark.parametrize(
    "check",
    [
        lambda: validate.check_text("", "f", min=1),
        lambda: validate.check_text("x" * 11, "f", max=10),
        lambda: validate.check_text("a\0b", "f"),
        lambda: validate.check_line(" a", "f"),
        lambda: validate.check_line("a\nb", "f"),
        lambda: validate.check_line("a\x85b", "f"),
        lambda: validate.check_id("", "f"),
        lambda: validate.check_id("Abc", "f"),
        lambda: validate.check_id("-a", "f"),
        lambda: validate.check_id("a" * 64, "f"),
        lambda: validate.check_id("a\n", "f"),
        lambda: validate.check_range(-1, "f", min=0),
        lambda: validate.check_range(2, "f", max=1),
        lambda: validate.check_range(float("nan"), "f"),
        lambda: validate.check_range(float("nan"), "f", 0, 1),
        lambda: validate.check_present(None, "f"),
        lambda: validate.check_count([], "f", 1, 2),
        lambda: validate.check_count([1, 2, 3], "f", 1, 2),
        lambda: validate.check_mask([], ["a"], "f"),
        lambda: validate.check_mask(["b"], ["a"], "f"),
    ],
)
def test_bad_fields_are_named(check: object) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check()  # type: ignore[operator]  # one of the lambdas above
    assert [violation.field for violation in caught.value.violations] == ["f"]


def test_good_fields_come_back() -> None:
    assert validate.check_text("a\nb", "f", 1, 3) == "a\nb"
    assert validate.check_line("Größe 1", "f") == "Größe 1"
    assert validate.check_id("a-1_b", "f") == "a-1_b"
    assert validate.check_range(0, "f", 0, 1) == 0
    assert validate.check_range(1.0, "f", 0, 1) == 1.0
    assert validate.check_present(0, "f") == 0
    validate.check_count([1], "f", 1, 1)
    assert validate.check_mask(["a", "b", "a"], ["a", "b"]) == ["a", "b"]


def test_request_keys() -> None:
    key = RequestKey.of("CreateTask", "projects/p", "id\0", b"request")
    assert key is not None
    assert RequestKey.of("CreateTask", "projects/p", "id\0", b"request") == key
    assert RequestKey.of("CreateTask", "projects/p", "", b"request") is None
    others = [
        RequestKey.of("CreateLabel", "projects/p", "id\0", b"request"),
        RequestKey.of("CreateTask", "projects/q", "id\0", b"request"),
        RequestKey.of("CreateTask", "projects/p", "id", b"request"),
        RequestKey.of("CreateTaskprojects/p", "", "id\0", b"request"),
    ]
    assert len({key.key, *(other.key for other in others if other)}) == 5
    assert key.key.isalnum()


def test_repeats() -> None:
    key = RequestKey.of("M", "p", "id", b"one")
    other = RequestKey.of("M", "p", "id", b"two")
    assert key is not None
    assert other is not None
    check_repeat(key.fingerprint, key)
    with pytest.raises(InvalidArgumentError) as caught:
        check_repeat(key.fingerprint, other)
    assert caught.value.reason is Reason.REQUEST_ID_REUSED


def test_long_request_id() -> None:
    assert RequestKey.of("M", "p", "x" * 100, b"")
    with pytest.raises(InvalidArgumentError) as caught:
        RequestKey.of("M", "p", "x" * 101, b"")
    assert caught.value.metadata["field"] == "request_id"


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_time_round_trip(micros: int) -> None:
    assert from_timestamp(to_timestamp(micros), "t") == micros


@pytest.mark.parametrize(
    "message",
    [
        Timestamp(seconds=10**15),
        Timestamp(nanos=-1),
        Timestamp(nanos=10**9),
        Timestamp(seconds=-(10**15)),
    ],
)
def test_impossible_times(message: Timestamp) -> None:
    with pytest.raises(InvalidArgumentError):
        from_timestamp(message, "t")
