from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spanloop.cli import app
from spanloop.cli._checkout import find_checkout, read_settings
from spanloop.cli._processes import descendants, free_ports, is_free, kill_group
from spanloop.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
GRANDCHILD = (
    "import subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
    " start_new_session=True);"
    "print('ready', flush=True); time.sleep(60)"
)


def test_descendants_are_found_across_sessions_and_can_be_killed() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", GRANDCHILD], stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == b"ready\n"
        (grandchild,) = descendants(child.pid)
        assert child.pid in descendants(os.getpid())
        kill_group(child.pid)
        assert child.wait(timeout=10) == -signal.SIGKILL
        os.kill(grandchild, signal.SIGKILL)  # in a session of its own, so it was still there
    finally:
        child.kill()
        child.stdout.close()
    kill_group(child.pid)  # nothing left is no error


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(4)
    assert len(set(ports)) == 4
    assert all(is_free(f"127.0.0.1:{port}") for port in ports)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not is_free(f"127.0.0.1:{taken.getsockname()[1]}")


def test_the_checkout_is_found_from_below_it() -> None:
    assert find_checkout(ROOT / "services" / "common") == ROOT


def test_without_a_checkout_the_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="checkout"):
        find_checkout()
    result = CliRunner().invoke(app, ["up", "--data-dir", str(tmp_path / "d")])
    assert result.exit_code == 1
    assert "run this in a checkout" in result.stderr
    result = CliRunner().invoke(app, ["up", "--free-ports", "--ports-from", "7000"])
    assert "exclude each other" in result.stderr


def test_settings_that_are_refused_are_told(tmp_path: Path) -> None:
    package = tmp_path / "services" / "broken"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; sys.exit('wrong: SPANLOOP_X')")

    with pytest.raises(ConfigurationError, match="SPANLOOP_X"):
        read_settings("broken", tmp_path)
