"""The command line as a process of its own, against a real annotation service."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.annotation.bootstrap import build
from services.common.server import RunningServer
from tests.support import running
from tests.support.annotation import annotation_settings

BATCH = str(Path(__file__).parent / "cli_batch.py")
# The frames of tables and of usage errors, and the line breaks within them.
_FRAME = re.compile(r"[\s│┃╭╮╰╯─━]+")


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed on stdout with --json."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """What it printed on stderr, without frames and line breaks."""
        return _FRAME.sub(" ", self.err)

    def rows(self) -> list[list[str]]:
        """The cells of the tables on stdout, row by row."""
        return [
            [cell.strip() for cell in line.strip("│").split("│")]
            for line in self.out.splitlines()
            if line.startswith("│")
        ]


@dataclass(frozen=True)
class Mistake:
    """A wrong command, split at blanks, and what its user must be told."""

    command: str
    told: tuple[str, ...]
    env: Mapping[str, str]
    status: int


def mistake(command: str, *told: str, **env: str) -> Mistake:
    """Return a call that must fail."""
    return Mistake(command, told, env, 1)


def misuse(command: str, *told: str) -> Mistake:
    """Return wrong usage, which must be noticed before any call: there is nothing to call."""
    return Mistake(command, told, {"SPANLOOP_ANNOTATION_ADDRESS": "127.0.0.1:9"}, 2)


class CommandLine:
    """Runs `spanloop` in a folder."""

    def __init__(self, server: RunningServer, folder: Path) -> None:
        self.folder = folder
        # More at once than cores would only run into their own time limits.
        self._turns = asyncio.Semaphore(2)
        self._env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "COLUMNS": "300",
            "SPANLOOP_TOKEN": server.token,
            "SPANLOOP_ANNOTATION_ADDRESS": server.address,
        }

    async def run(self, *arguments: str, stdin: str = "", **env: str) -> Done:
        """Run a command to its end; none may end with a traceback."""
        done = await self._start([sys.executable, "-m", "spanloop.cli", *arguments], stdin, env)
        assert "Traceback" not in done.err, (arguments, done.err)
        return done

    async def _start(self, command: list[str], stdin: str, env: Mapping[str, str]) -> Done:
        async with self._turns:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self.folder,
                env={**self._env, **env},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Done(status=process.returncode, out=out.decode(), err=err.decode())

    async def do(self, *arguments: str, **env: str) -> Done:
        """Run a command that must succeed."""
        done = await self.run(*arguments, **env)
        assert done.status == 0, (arguments, done.out, done.err)
        return done

    async def batch(self, *commands: str, **env: str) -> list[Done]:
        """Run commands, split at blanks, that must succeed, in one process after the other."""
        found = await self._batch([(command, env) for command in commands])
        for command, done in zip(commands, found, strict=True):
            assert done.status == 0, (command, done)
        return found

    async def refused(self, *mistakes: Mistake) -> None:
        """Expect commands to be refused with nothing on stdout, and to say what to do.

        A failed call: one line, behind it the reason and the advice. Wrong usage: the option and
        its values.
        """
        found = await self._batch([(one.command, one.env) for one in mistakes])
        for mistake, done in zip(mistakes, found, strict=True):
            assert (done.status, done.out) == (mistake.status, ""), (mistake, done)
            if mistake.status == 1:
                first, *rest = done.err.splitlines()
                assert first.startswith("error: "), (mistake, done.err)
                assert len(rest) <= 2, (mistake, done.err)
            assert [part for part in mistake.told if part not in done.said] == [], (mistake, done)

    async def _batch(self, commands: Sequence[tuple[str, Mapping[str, str]]]) -> list[Done]:
        asked = json.dumps([(command.split(), env) for command, env in commands])
        answered = await self._start([sys.executable, BATCH], asked, {})
        assert answered.status == 0, answered
        found = []
        for status, out, err in answered.json:
            found.append(Done(status=status, out=out, err=err))
            assert "Traceback" not in err, found[-1]
        return found

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


@asynccontextmanager
async def command_line(folder: Path) -> AsyncIterator[CommandLine]:
    """Run an annotation service; commands run in a folder beside its data."""
    work = folder / "work"
    work.mkdir()
    async with running(annotation_settings(folder / "server"), build) as server:
        yield CommandLine(server, work)


def last(name: str) -> str:
    """Return the id at the end of a resource's name."""
    return name.rpartition("/")[2]
