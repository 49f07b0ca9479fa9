"""A peer's program that stays open and runs when it is asked to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarks.peers.exchange import child_settings


class Runner:
    """Answers each line with one line of JSON; says one line itself when it is ready."""

    def __init__(self, questions: IO[str], answers: IO[str], log: Path) -> None:
        """Wait until a started program is ready.

        Raises:
            SystemExit: It ended; the end of its log is the message.
        """
        self._questions = questions
        self._answers = answers
        self._log = log
        self.ready = self._answer()

    def ask(self, line: str) -> Any:
        """Send a line and wait for its answer.

        Raises:
            SystemExit: The program ended; the end of its log is the message.
        """
        self._questions.write(f"{line}\n")
        self._questions.flush()
        return self._answer()

    def _answer(self) -> Any:
        line = self._answers.readline()
        if not line:
            raise SystemExit(f"{self._log.stem} ended early:\n{self._log.read_text()[-3000:]}")
        return json.loads(line)


@contextmanager
def runner(command: Sequence[str | Path], *, threads: int, log: Path) -> Iterator[Runner]:
    """Run a program until the end of the block, with so many threads for its libraries."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=child_settings(threads),
        )
    # Both are there: they were asked for.
    questions, answers = process.stdin, process.stdout
    assert questions is not None  # noqa: S101
    assert answers is not None  # noqa: S101
    try:
        yield Runner(questions, answers, log)
    finally:
        process.kill()
        process.wait()
        questions.close()
        answers.close()
