"""The `adapters` library's `Parallel` in a process that runs when it is asked to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import PEERS
from benchmarks.peers.exchange import child_settings


class ParallelPeer:
    """Runs the first N of its adapters over one text, when asked."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        """Use a started runner; it may still be loading."""
        self._process = process
        self._log = log
        self.pieces = int(self._answer()["pieces"])

    def run(self, adapters: int) -> float:
        """Run so many adapters once; return the milliseconds."""
        if self._process.stdin is None:
            raise AssertionError("started without a pipe")
        self._process.stdin.write(f"{adapters}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> Any:
        if self._process.stdout is None:
            raise AssertionError("started without a pipe")
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"adapters' Parallel failed:\n{self._log.read_text()[-3000:]}")
        return json.loads(line)


@contextmanager
def parallel_peer(
    command: Sequence[str | Path], *, threads: int, log: Path
) -> Iterator[ParallelPeer]:
    """Run `command` as the runner until the end of the block."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=child_settings(threads),
        )
    try:
        yield ParallelPeer(process, log)
    finally:
        # It ends by itself when there is nothing more to read; killed, it ends for sure.
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def runner_command(
    python: Path, *, weights: Path, text: str, adapters: int, threads: int
) -> list[str | Path]:
    """Return the command of the runner."""
    command: list[str | Path] = [python, PEERS / "adapters" / "parallel.py"]
    command += ["--weights", weights, "--text", text]
    return [*command, "--adapters", str(adapters), "--threads", str(threads)]
