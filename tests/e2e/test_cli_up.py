"""The command line and the SDK against the four real services, started as `spanloop up` does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from spanloop import Client, ClientOptions, RetryPolicy, errors
from spanloop._connect import SERVICES
from spanloop.cli import app
from spanloop.cli._stack import Stack, StackError
from spanloop.types import Span, Split, TaskStatus

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "contract_clauses" / "clauses.jsonl"
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), checkout=ROOT) as running:
        yield running


@pytest.fixture(autouse=True)
def _in_data_dir(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANLOOP_DATA_DIR", str(stack.data_dir))
    monkeypatch.delenv("SPANLOOP_TOKEN", raising=False)


def run(*arguments: str) -> Result:
    return RUNNER.invoke(app, list(arguments))


def test_import_lists_and_export(stack: Stack, tmp_path: Path) -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    result = run("import", "contracts", str(SAMPLE))
    assert result.exit_code == 0, result.output
    again = json.loads(run("import", "contracts", str(SAMPLE), "--json").stdout)
    assert again[0]["report"]["unchanged_tasks"] == len(lines)
    labels = json.loads(run("labels", "list", "contracts", "--json").stdout)
    assert {label["value"] for label in labels} == {
        "PARTY",
        "DATE",
        "MONEY",
        "LOCATION",
        "OBLIGATION_TERM",
    }
    with stack.client() as client:
        project = client.get_project("contracts")
        assert project.task_count == project.submitted_task_count == len(lines)
        tasks = list(client.list_tasks("contracts"))
        assert [task.external_id for task in tasks] == [json.loads(line)["id"] for line in lines]
        assert {task.split for task in tasks} == {Split.TRAIN, Split.DEV, Split.TEST}
    target = tmp_path / "out.jsonl"
    assert run("export", "contracts", "-o", str(target)).exit_code == 0
    exported = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    for line, found in zip(lines, exported, strict=True):
        given = json.loads(line)
        assert found["text"] == given["text"]
        assert {(s["start"], s["end"], s["label"]) for s in found["spans"]} == {
            (s["start"], s["end"], s["label"]) for s in given["spans"]
        }


def test_annotating_by_hand(stack: Stack) -> None:
    with stack.client() as client:
        client.create_project("by-hand", request_id="once")
        client.create_project("by-hand", request_id="once")
        with pytest.raises(errors.AlreadyExists) as exists:
            client.create_project("by-hand")
        assert exists.value.reason == "RESOURCE_EXISTS"
        client.create_label("by-hand", "NAME")
        task = client.create_task("by-hand", "Ann met 🙂 Bob")
        span = Span(start=8, end=10, label="NAME")  # the emoji counts as two units of UTF-16
        with pytest.raises(errors.InvalidArgument) as invalid:
            client.create_completion(task, [Span(start=0, end=99, label="NAME")], author="me")
        assert invalid.value.reason == "OFFSET_INVALID"
        assert invalid.value.violations
        draft = client.create_completion(task, [span], author="me", offset_encoding="utf16")
        assert draft.spans[0].end == 10
        assert client.get_completion(draft).spans[0].end == 9
        changed = client.update_completion(draft, [], etag=draft.etag)
        with pytest.raises(errors.Aborted) as aborted:
            client.update_completion(draft, [], etag=draft.etag)
        assert aborted.value.reason == "ETAG_MISMATCH"
        client.submit_completion(changed)
        assert client.get_task(task).status is TaskStatus.SUBMITTED
        snapshot = client.create_snapshot("by-hand")
        assert sum(snapshot.example_counts.values()) == 1
        assert [example.text for example in client.read_snapshot(snapshot)] == ["Ann met 🙂 Bob"]
        events = client.watch_events("by-hand")
        kinds = [next(events).type.value for _ in range(4)]
        events.close()
        assert kinds == ["project_created", "label_created", "task_created", "completion_created"]


def test_user_mistakes_are_told_without_a_traceback(stack: Stack, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "ab", "spans": [{"start": 0, "end": 9, "label": "X"}]}\n')
    for arguments, expected in [
        (("labels", "list", "nothing-here"), "RESOURCE_NOT_FOUND"),
        (("predict", "contracts", "text"), "NOTHING_DEPLOYED"),
        (("train", "empty"), "spanloop"),
        (("import", "empty", str(bad)), ""),
        (("--token", "wrong", "labels", "list", "contracts"), "CREDENTIALS_INVALID"),
    ]:
        result = run(*arguments)
        assert result.exit_code == 1, arguments
        assert expected in result.output
        assert "Traceback" not in result.output


def test_doctor_finds_no_problem_with_the_services(stack: Stack) -> None:
    findings = json.loads(run("doctor", "--json").stdout)
    levels = {finding["check"]: finding["level"] for finding in findings}
    for check in ("service annotation", "service inference", "token", "token accepted"):
        assert levels[check] == "ok", findings


def test_config_prints_all_services(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANLOOP_TOKEN", "very-secret")
    monkeypatch.setenv("SPANLOOP_REGISTRY_LISTEN", "127.0.0.1:7")
    monkeypatch.chdir(ROOT)
    result = run("config", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found) == {"annotation", "trainer", "registry", "inference"}
    listen = {entry["name"]: entry for entry in found["registry"]}["listen"]
    assert listen["value"] == "127.0.0.1:7"
    assert "very-secret" not in result.stdout
    monkeypatch.setenv("SPANLOOP_REGISTRY_LISTEN", "nonsense")
    result = run("config", "registry")
    assert result.exit_code == 1
    assert "SPANLOOP_REGISTRY_LISTEN" in result.stderr


def test_a_data_directory_serves_one_stack_at_a_time(stack: Stack) -> None:
    with pytest.raises(StackError, match="already run"), Stack(stack.data_dir, checkout=ROOT):
        pass
    assert (stack.data_dir / "endpoints.json").exists()


def test_a_killed_service_comes_back_with_what_was_acknowledged(stack: Stack) -> None:
    options = ClientOptions(retry=RetryPolicy(attempts=40, maximum_seconds=0.5))
    with stack.client(options) as client:
        client.create_project("kept")
        assert stack.kill_service("annotation") == -signal.SIGKILL
        stack.start_service("annotation")
        assert client.get_project("kept").id == "kept"  # repeated until the service is back
    stack.wait_serving("annotation")


def test_up_stops_all_and_says_which_service_died(tmp_path: Path) -> None:
    arguments = ["up", "--data-dir", str(tmp_path), "--free-ports"]
    told = tmp_path / "stdout"
    with told.open("w") as stdout:
        up = subprocess.Popen(
            [sys.executable, "-m", "spanloop.cli", *arguments],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            stdout=stdout,
            text=True,
        )
    try:
        _wait_for(tmp_path / "endpoints.json")
        endpoints = json.loads((tmp_path / "endpoints.json").read_text())
        assert endpoints["pid"] == up.pid
        _wait_serving(tmp_path, up)
        deadline = time.monotonic() + 30
        while endpoints["trainer"] not in told.read_text():
            assert time.monotonic() < deadline, "the addresses are not told"
            time.sleep(0.05)
        victim = next(
            int(entry)
            for entry in _children(up.pid)
            if b"services.registry" in Path(f"/proc/{entry}/cmdline").read_bytes()
        )
        os.kill(victim, signal.SIGKILL)
        _, err = up.communicate(timeout=60)
    finally:
        if up.poll() is None:
            up.terminate()
            up.communicate(timeout=30)
    assert up.returncode == 1
    assert "registry was ended by SIGKILL" in err
    assert "listening" in err
    assert not (tmp_path / "endpoints.json").exists()
    assert not _children(up.pid)


def test_a_service_that_cannot_start_is_named_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(StackError, match="registry ended with status 2") as caught,
        Stack(tmp_path, checkout=ROOT, env={"SPANLOOP_REGISTRY_DRAIN_SECONDS": "soon"}),
    ):
        pass
    assert "SPANLOOP_REGISTRY_DRAIN_SECONDS" in caught.value.message
    assert not (tmp_path / "endpoints.json").exists()


def test_ctrl_c_while_starting_stops_all_and_is_no_error(tmp_path: Path) -> None:
    up = subprocess.Popen(
        [sys.executable, "-m", "spanloop.cli", "--data-dir", str(tmp_path), "up", "--free-ports"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for(tmp_path / "logs" / "inference.log")
    up.send_signal(signal.SIGINT)
    _, err = up.communicate(timeout=60)
    assert up.returncode == 0
    assert "Stopped." in err
    assert "Traceback" not in err
    assert not (tmp_path / "endpoints.json").exists()


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _wait_serving(data: Path, up: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    with Client(data_dir=data, token="none") as client:
        for service in SERVICES:
            while True:
                assert up.poll() is None
                assert time.monotonic() < deadline
                try:
                    if client.health(service) == "serving":
                        break
                except errors.Unavailable:
                    time.sleep(0.1)
    time.sleep(0.5)  # `up` sees it too, and prints its table


def _children(parent: int) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(parent):
            found.append(entry.parent.name)
    return found
