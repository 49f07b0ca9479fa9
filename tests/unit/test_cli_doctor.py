from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spanloop.cli import _checks_machine, app
from spanloop.cli._checks import Finding, Level
from spanloop.cli._checks_machine import (
    data_directory,
    packages,
    provider_findings,
    providers,
    python_version,
)
from spanloop.cli._checks_services import service_findings
from spanloop.cli._session import Session
from tests.support.fake_services import TOKEN, fake_services

RUNNER = CliRunner()
BASE = {"spanloop": "1", "grpcio": "1", "protobuf": "1", "typer": "1", "rich": "1"}


def levels(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.check: finding.level.value for finding in findings}


@pytest.fixture(autouse=True)
def _no_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for service in ("ANNOTATION", "TRAINER", "REGISTRY", "INFERENCE"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv(f"SPANLOOP_{service}_ADDRESS", address)
    monkeypatch.delenv("SPANLOOP_TOKEN", raising=False)
    monkeypatch.setenv("SPANLOOP_DATA_DIR", str(tmp_path))


def test_python_and_packages() -> None:
    assert python_version((3, 10)).level is Level.PROBLEM
    assert python_version((3, 11)).level is Level.OK
    assert set(levels(packages(BASE.get)).values()) == {"ok"}
    assert levels(packages({**BASE, "grpcio": None}.get))["grpcio"] == "problem"


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [
        ({}, "ok"),
        ({"onnxruntime": "1", "onnxruntime-gpu": "1"}, "problem"),
        ({"onnxruntime-gpu": "1"}, "ok"),
    ],
)
def test_onnxruntime(
    installed: Mapping[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = {"providers": ["CPUExecutionProvider"], "usable": {"CPUExecutionProvider": True}}
    monkeypatch.setattr(_checks_machine, "_run_probe", lambda: probe)
    assert levels(providers(installed.get))["onnxruntime"] == wanted


@pytest.mark.parametrize(
    ("probe", "wanted"),
    [
        ({"error": "boom"}, Level.PROBLEM),
        (
            {"providers": ["CPUExecutionProvider"], "usable": {"CPUExecutionProvider": False}},
            Level.PROBLEM,
        ),
        (
            {
                "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
                "usable": {"CUDAExecutionProvider": False, "CPUExecutionProvider": True},
            },
            Level.WARNING,
        ),
        (
            {
                "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
                "usable": {"CUDAExecutionProvider": True, "CPUExecutionProvider": True},
            },
            Level.OK,
        ),
    ],
)
def test_execution_providers(probe: dict[str, object], wanted: Level) -> None:
    (finding,) = provider_findings(probe)
    assert finding.level is wanted
    assert bool(finding.fix) is (wanted is not Level.OK)


def test_an_open_token_file_is_a_problem_with_its_fix(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    token.chmod(0o644)
    found = {finding.check: finding for finding in data_directory(tmp_path)}
    assert found["data directory"].level is Level.OK
    assert found["token"].level is Level.PROBLEM
    assert found["token"].fix == f"chmod 600 {token}"
    token.chmod(0o600)
    assert levels(data_directory(tmp_path))["token"] == "ok"
    assert levels(data_directory(tmp_path / "not" / "made")) == {"data directory": "ok"}
    assert levels(data_directory(token)) == {"data directory": "problem"}


def test_services_that_were_never_started_are_a_warning_only(tmp_path: Path) -> None:
    assert set(levels(service_findings(Session())).values()) == {"warning"}
    (tmp_path / "endpoints.json").write_text("{}")
    assert set(levels(service_findings(Session())).values()) == {"problem"}
    (tmp_path / "endpoints.json").write_text("{")
    assert levels(service_findings(Session())) == {"client settings": "problem"}


def test_services_that_run_are_checked_with_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_services() as fake:
        from spanloop.annotation.v1 import annotation_service_pb2

        fake.answers["ListProjects"] = lambda _, __: annotation_service_pb2.ListProjectsResponse()
        for service, address in fake.endpoints.items():
            monkeypatch.setenv(f"SPANLOOP_{service.upper()}_ADDRESS", address)
        assert set(levels(service_findings(Session(token=TOKEN))).values()) == {"ok"}
        found = levels(service_findings(Session(token="wrong")))
        assert found.pop("token accepted") == "problem"
        monkeypatch.setenv("SPANLOOP_TRAINER_ADDRESS", "127.0.0.1:9")
        assert levels(service_findings(Session(token=TOKEN)))["service trainer"] == "problem"


def test_something_else_on_the_port_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setenv("SPANLOOP_REGISTRY_ADDRESS", address)
        found = {finding.check: finding for finding in service_findings(Session())}
    assert found["service registry"].level is Level.PROBLEM
    assert "no Spanloop service" in found["service registry"].found


def test_the_command_exits_with_1_only_for_problems(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    probe = {"providers": ["CPUExecutionProvider"], "usable": {"CPUExecutionProvider": True}}
    monkeypatch.setattr(_checks_machine, "_run_probe", lambda: probe)
    result = RUNNER.invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0, result.output
    assert {entry["level"] for entry in json.loads(result.stdout)} >= {"ok", "warning"}
    (tmp_path / "token").write_text("t")
    (tmp_path / "token").chmod(0o640)
    result = RUNNER.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "chmod 600" in result.stdout
