from __future__ import annotations

import json
from pathlib import Path

import pytest

from spanloop import Client, Endpoints, RetryPolicy, Tls
from spanloop._connect import discover_token
from spanloop._names import child_name, project_name
from spanloop.errors import ConfigurationError


def test_token_is_taken_in_the_documented_order(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-data-dir\n")
    other = tmp_path / "other"
    other.write_text("from-file\n")
    env = {"SPANLOOP_DATA_DIR": str(tmp_path)}
    assert discover_token(env=env) == "from-data-dir"
    env["SPANLOOP_TOKEN_FILE"] = str(other)
    assert discover_token(env=env) == "from-file"
    env["SPANLOOP_TOKEN"] = "from-env"
    assert discover_token(env=env) == "from-env"
    assert discover_token("argument", env=env) == "argument"


def test_no_token_is_no_error_but_an_unreadable_one_is(tmp_path: Path) -> None:
    assert discover_token(data=tmp_path, env={}) is None
    with pytest.raises(ConfigurationError, match="does not exist"):
        discover_token(env={"SPANLOOP_TOKEN_FILE": str(tmp_path / "missing")})
    (tmp_path / "token").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        discover_token(data=tmp_path, env={})


def test_endpoints_come_from_environment_file_or_default(tmp_path: Path) -> None:
    assert Endpoints.discover(tmp_path, {}) == Endpoints()
    (tmp_path / "endpoints.json").write_text(
        json.dumps({"annotation": "127.0.0.1:1", "trainer": "127.0.0.1:2", "pid": 7})
    )
    found = Endpoints.discover(tmp_path, {"SPANLOOP_TRAINER_ADDRESS": "host:9"})
    assert found == Endpoints(annotation="127.0.0.1:1", trainer="host:9")
    for wrong in ("[]", "{"):
        (tmp_path / "endpoints.json").write_text(wrong)
        with pytest.raises(ConfigurationError, match="delete it"):
            Endpoints.discover(tmp_path, {})


def test_tls_files_are_checked_before_any_call(tmp_path: Path) -> None:
    assert Tls.discover({}) is None
    found = Tls.discover({"SPANLOOP_PEER_TLS_CA": str(tmp_path / "ca.pem")})
    assert found == Tls(ca=tmp_path / "ca.pem")
    with (
        Client(tls=found, token="t") as client,
        pytest.raises(ConfigurationError, match=r"ca\.pem"),
    ):
        client.get_project("p")
    with pytest.raises(ConfigurationError, match="both"):
        Tls(cert=tmp_path / "cert.pem").credentials()


def test_retry_pauses_grow_up_to_the_maximum_and_respect_the_server() -> None:
    policy = RetryPolicy(initial_seconds=0.2, maximum_seconds=1.0)
    for attempt, bound in [(1, 0.2), (2, 0.4), (3, 0.8), (4, 1.0), (5000, 1.0)]:
        assert bound / 2 <= policy.pause(attempt, None) <= bound
    assert policy.pause(1, 5.0) == 5.0


def test_names() -> None:
    assert project_name("p") == project_name("projects/p") == "projects/p"
    assert child_name("p", "snapshots", "s") == "projects/p/snapshots/s"
    assert child_name("p", "snapshots", "projects/q/snapshots/s") == "projects/q/snapshots/s"
