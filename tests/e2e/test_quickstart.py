"""Runs docs/quickstart.md: every `sh` and `python` block, in order, against `spanloop up`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spanloop.cli._processes import free_ports

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "quickstart.md"
SERVICES = ("annotation", "trainer", "registry", "inference")


def blocks() -> list[tuple[str, str]]:
    """The page's fenced blocks as (language, content)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`spanloop up` in a directory with the samples; yields what a shell needs to use it."""
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "COLUMNS": "120",
        **{f"SPANLOOP_{name.upper()}_LISTEN": f"127.0.0.1:{port}" for name, port in ports.items()},
    }
    log = tmp_path / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["spanloop", "up"], cwd=tmp_path, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + 60
        while "inference" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield env
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in {0, 130}, log.read_text()


@pytest.mark.timeout(400)
def test_every_command_of_the_page_works(environment: dict[str, str], tmp_path: Path) -> None:
    outputs: dict[str, str] = {}
    for language, content in blocks():
        if language == "sh":
            commands = [["bash", "-c", line] for line in content.splitlines()]
        elif language == "python":
            commands = [[sys.executable, "-c", content]]
        else:
            continue
        for command in commands:
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
            outputs[command[-1]] = done.stdout
    assert len(outputs) >= 13
    said = "\n".join(outputs.values())
    for label in ("PARTY", "DATE", "MONEY", "LOCATION", "OBLIGATION_TERM"):
        assert label in outputs["spanloop labels contracts"]
    assert "ner_contracts_v1" in outputs["spanloop models contracts"]
    assert "The Tenant pays EUR 900" in said
    exported = (tmp_path / "contracts.jsonl").read_text().splitlines()
    assert len(exported) == 369, "the 367 clauses and the two of the inbox"
    assert all("spans" in json.loads(line) for line in exported), "all are annotated now"
    (answer,) = (text for command, text in outputs.items() if "--json" in command)
    assert "ner_contracts_v2" in answer
