"""Starts one program within limits and ends everything that it started. A process of its own.

``python -m services.trainer.scripts.supervisor <plan as JSON> <report descriptor>``. The program
has the standard streams; how it ended goes to the descriptor as one JSON object (`Outcome`).

All that the program starts stays below this process, also what breaks away from its session: this
process is where orphans go. When it is told to end (SIGTERM, which also comes when the process that
started it dies), or the program ends or exceeds its time or its folder, it kills all of them.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from services.trainer.scripts import landlock

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_SECONDS = 0.2
_KILL_SECONDS = 10.0
_OPEN_FILES = 1024
_NOT_STARTED = 126
_BLOCK = 512
_BATCH = 200


class End(StrEnum):
    """How a program ended."""

    EXITED = "EXITED"
    KILLED = "KILLED"
    """By a signal of its own or the system's."""
    TIME = "TIME"
    FOLDER = "FOLDER"
    STOPPED = "STOPPED"
    NOT_STARTED = "NOT_STARTED"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a program ended: exit status or signal; `message`: why it did not start."""

    end: End
    status: int = 0
    message: str = ""

    @classmethod
    def of_json(cls, text: str | bytes) -> Outcome:
        """Read the JSON form."""
        document = json.loads(text)
        return cls(**{**document, "end": End(document["end"])})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to start, and within which limits.

    Attributes:
        command: The program with its arguments.
        folder: Where it runs, and the only place where it may write.
        environment: All of its environment.
        readable: What else it may read, where the kernel can confine it.
        devices: Files that it may write besides.
        wall_seconds: Seconds by the clock.
        memory_bytes: Address space of each process.
        file_bytes: Size of any one file that it writes.
        folder_bytes: Size of all files in its folder.
        parent: Process that starts the supervisor.
    """

    command: tuple[str, ...]
    folder: str
    wall_seconds: float
    memory_bytes: int
    file_bytes: int
    folder_bytes: int
    parent: int
    environment: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the JSON form."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Plan:
        """Read the JSON form."""
        document = json.loads(text)
        for name in ("command", "readable", "devices"):
            document[name] = tuple(document[name])
        return cls(**document)


def supervise(plan: Plan) -> Outcome:
    """Run a program to its end, and end what is left of it."""
    waited = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != plan.parent:
        return Outcome(end=End.STOPPED)
    deadline = time.monotonic() + plan.wall_seconds
    error_in, error_out = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(error_in)
        _become(plan, error_out)
    os.close(error_out)
    end: End | None = None
    status: int | None = None
    while status is None and end is None:
        got = signal.sigtimedwait(waited, _LOOK_SECONDS)
        status = _ended(pid)
        if got is not None and got.si_signo == signal.SIGTERM:
            end = End.STOPPED
        elif status is None and time.monotonic() > deadline:
            end = End.TIME
        elif folder_bytes(Path(plan.folder), plan.folder_bytes) > plan.folder_bytes:
            end = End.FOLDER
    _kill_all(pid)
    refused = os.read(error_in, 4096).decode("utf-8", "replace")
    if refused:
        return Outcome(end=End.NOT_STARTED, message=refused)
    if end is not None:
        return Outcome(end=end)
    code = status or 0
    return (
        Outcome(end=End.EXITED, status=code) if code >= 0 else Outcome(end=End.KILLED, status=-code)
    )


def folder_bytes(folder: Path, enough: int) -> int:
    """Return the size of all files in a folder, or more than `enough` when that is known to be.

    Everything counts as a block at least: empty files and folders take room too. What cannot be
    looked into, or lies deeper than a path can name, counts as too much: it could hide anything.
    """
    total = 0
    left = [str(folder)]
    while left and total <= enough:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        total += _BLOCK
                        left.append(entry.path)
                    else:
                        # Links count as themselves: what they point at is not the folder's.
                        total += max(entry.stat(follow_symlinks=False).st_size, _BLOCK)
        except FileNotFoundError:
            continue  # Gone since.
        except OSError:
            return enough + 1
    return total


def _become(plan: Plan, error_out: int) -> None:
    """Turn this process into the program; never returns."""
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir(plan.folder)
        os.umask(0o077)
        for kind, limit in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_AS, plan.memory_bytes),
            (resource.RLIMIT_FSIZE, plan.file_bytes),
            (resource.RLIMIT_NOFILE, _OPEN_FILES),
            (resource.RLIMIT_CPU, int(plan.wall_seconds * (os.cpu_count() or 1)) + 1),
        ):
            _limit(kind, limit)
        if sys.platform == "linux":
            landlock.drop_capabilities()
        if landlock.version():
            landlock.confine(
                [Path(path) for path in plan.readable],
                [Path(plan.folder), *(Path(path) for path in plan.devices)],
            )
        os.execve(plan.command[0], list(plan.command), dict(plan.environment))  # noqa: S606
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        os.write(error_out, f"{type(error).__name__}: {error}".encode()[:4000])
    os._exit(_NOT_STARTED)


def _limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (bound, bound))


def _ended(pid: int) -> int | None:
    """Return how `pid` ended, a signal as a negative number; None: it runs.

    Orphans that ended are taken up. `pid` itself is left, so that its number, which is also its
    group's, is nobody else's before all have been killed.
    """
    while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if found.si_pid == pid:
            return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        os.waitpid(found.si_pid, 0)
    return None


def _kill_all(pid: int) -> None:
    """Kill everything below this process until nothing is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        below = list(_descendants())
        for start in range(0, len(below), _BATCH):
            _kill(below[start : start + _BATCH])
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not below:
            return
        time.sleep(0.01)


def _kill(processes: Iterable[int]) -> None:
    """Kill these processes, those that still are below this one."""
    with ExitStack() as stack:
        handles: dict[int, int] = {}
        for process in processes:
            with suppress(OSError):
                handles[process] = os.pidfd_open(process)
                stack.callback(os.close, handles[process])
        # A handle stays with its process when another one gets the number. What is below now and
        # has a handle from before is what the handle is of, or that has ended.
        still = handles.keys() & set(_descendants())
        # Stopped first: what forks faster than it is killed would never end.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in still:
                with suppress(OSError):
                    signal.pidfd_send_signal(handles[process], number)


def _descendants() -> Iterator[int]:
    """Yield all processes below this one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name, in brackets, may hold blanks and brackets.
            fields = entry.read_bytes().rpartition(b")")[2].split()
            parents[int(entry.parent.name)] = int(fields[1])
    found = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
        yield from more


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def main() -> None:
    """Supervise what the first argument says; tell how it ended on the second's descriptor."""
    report = int(sys.argv[2])
    os.set_inheritable(report, False)
    outcome = supervise(Plan.of_json(sys.argv[1]))
    os.write(report, json.dumps(asdict(outcome)).encode())


if __name__ == "__main__":
    main()
