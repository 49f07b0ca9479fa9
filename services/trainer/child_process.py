"""One attempt's child process, as the server process sees it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from services.trainer.protocol import (
    STOP,
    FailedMessage,
    Message,
    ProtocolError,
    ResultMessage,
    StoppedMessage,
    parse_message,
)

_MAX_LINE = 16 * 1024 * 1024
_ERROR_LINES = 60
_OOM_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


class ChildDiedError(Exception):
    """The child ended without a final message.

    Attributes:
        status: Its exit status; negative: the signal that killed it.
        out_of_memory: Whether the system killed it because memory ran out.
        errors: The last lines of its standard error.
    """

    def __init__(self, status: int, *, out_of_memory: bool, errors: Sequence[str]) -> None:
        """Remember how it ended."""
        super().__init__(_describe(status))
        self.status = status
        self.out_of_memory = out_of_memory
        self.errors = tuple(errors)

    @property
    def crashed(self) -> bool:
        """Whether it ended by itself, by an unhandled error, rather than by a signal."""
        return self.status > 0


class ChildProcess:
    """A running child in its own process group, and everything that it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take over a process whose three streams are pipes."""
        self._process = process
        self._errors: deque[str] = deque(maxlen=_ERROR_LINES)
        self._draining = asyncio.create_task(self._drain_errors(), name="child-stderr")
        self._oom_kills = count_oom_kills()

    @classmethod
    async def start(
        cls, command: Sequence[str], spec: Path, variables: Mapping[str, str] | None = None
    ) -> ChildProcess:
        """Start ``command spec`` with these environment variables besides.

        Raises:
            OSError: It cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            str(spec),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=child_environment(os.environ) | dict(variables or {}),
            limit=_MAX_LINE,
            # Its own group: it is ended with all its own children, and a Ctrl-C at the terminal
            # reaches the server only, which then stops it in order.
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def messages(self) -> AsyncIterator[Message | ProtocolError]:
        """Yield what the child says; the last one is a final message.

        Raises:
            ChildDiedError: It ended without a final message.
        """
        stream = self._process.stdout
        if stream is None:
            raise ValueError("the child's standard output is no pipe")
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                # Longer than the limit: that part of the stream is skipped.
                yield ProtocolError("a line is too long")
                continue
            if not line:
                break
            try:
                message = parse_message(line)
            except ProtocolError as error:
                yield error
                continue
            yield message
            if isinstance(message, ResultMessage | StoppedMessage | FailedMessage):
                return
        status = await self._process.wait()
        await self._draining
        killed = status == -signal.SIGKILL
        raise ChildDiedError(
            status,
            out_of_memory=killed and count_oom_kills() > self._oom_kills,
            errors=list(self._errors),
        )

    async def end(self, grace: float) -> None:
        """End the child and wait for it: it gets `grace` seconds to reach a checkpoint."""
        try:
            if grace > 0 and self._process.returncode is None:
                self._ask_to_stop()
                with suppress(TimeoutError):
                    async with asyncio.timeout(grace):
                        # Its pipe is read to the end, so that it never waits for us to read.
                        await self._read_to_end()
                        await self._process.wait()
        finally:
            # The whole group: its own children too, and after a cancelled wait as well.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            await self._draining

    def _ask_to_stop(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            with suppress(ConnectionError):
                self._process.stdin.write(STOP)

    async def _read_to_end(self) -> None:
        if self._process.stdout is not None:
            while await self._process.stdout.read(65_536):
                pass

    async def _drain_errors(self) -> None:
        stream = self._process.stderr
        if stream is None:
            return
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                self._errors.append(text[:2000])


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the child's environment: no setting of ours, hence no token and no password."""
    kept = {name: value for name, value in environment.items() if not name.startswith("SPANLOOP_")}
    return {
        # torch's part is many small products: more threads gain little on a quiet machine, and on a
        # busy one they wait for each other, spinning. The trunk has onnxruntime's own threads. The
        # setting `threads`, or the variable itself, says otherwise.
        "OMP_NUM_THREADS": "1",
        **kept,
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def count_oom_kills(counters: Sequence[Path] = _OOM_COUNTERS) -> int:
    """Return how many processes of this container were killed because memory ran out."""
    for path in counters:
        try:
            text = path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            continue
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill" and value.strip().isdigit():
                return int(value)
    return 0


def _describe(status: int) -> str:
    if status >= 0:
        return f"the training process ended with status {status} and no result"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the training process was killed ({name})"
