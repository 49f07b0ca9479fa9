"""The four services as child processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from spanloop._connect import (
    ENDPOINTS_FILE,
    SERVICES,
    ClientOptions,
    Endpoints,
    RetryPolicy,
    discover_token,
)
from spanloop.cli._checkout import find_checkout, service_command
from spanloop.cli._processes import descendants, free_ports, kill_group
from spanloop.client import Client
from spanloop.errors import SpanloopError

_POLL_SECONDS = 0.05


class StackError(SpanloopError):
    """The stack cannot start, or one of its services ended; the message holds its last log lines.

    `reason` is `STACK_FAILED`.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="STACK_FAILED")


@dataclass(frozen=True, kw_only=True)
class ServiceExit:
    """A service that ended by itself; `returncode` is negative for a signal."""

    service: str
    returncode: int


class Stack:
    """The four services on the embedded defaults, started together and stopped together.

    As a context manager it starts them, waits until all of them serve, and stops them at the end,
    whatever happens in between. Each service is a process group of its own; its output goes to
    `<data directory>/logs/<service>.log`. The addresses are written to `endpoints.json` in the data
    directory while the stack runs, where the command line finds them.

    Args:
        data_dir: Data directory; made if needed. One stack at a time may use it.
        ports: `free` takes free ports, `default` those of the services' settings, a number that
            port and the three behind it.
        checkout: Folder that holds the package `services`; None looks for it.
        env: Further environment variables of the services.
        startup_seconds: How long the services may take until all of them serve.
        stop_seconds: How long they may take to stop after SIGTERM; then they are killed.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        ports: str | int = "free",
        checkout: Path | None = None,
        env: Mapping[str, str] | None = None,
        startup_seconds: float = 90.0,
        stop_seconds: float = 20.0,
    ) -> None:
        self.data_dir = Path(data_dir).resolve()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.endpoints = Endpoints()
        self._listen: dict[str, str] = {}
        self._ports = ports
        self._checkout = checkout
        self._env = dict(env or {})
        self._startup_seconds = startup_seconds
        self._stop_seconds = stop_seconds
        self._log_starts: dict[str, int] = {}
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def token(self) -> str:
        """The bearer token that the services accept."""
        found = discover_token(data=self.data_dir, env={**os.environ, **self._env})
        if found is None:
            raise StackError(f"{self.data_dir / 'token'} does not exist: did a service start?")
        return found

    def client(self, options: ClientOptions | None = None) -> Client:
        """Return a client of this stack; close it."""
        return Client(
            endpoints=self.endpoints, token=self.token, data_dir=self.data_dir, options=options
        )

    def start(self, abort: threading.Event | None = None) -> None:
        """Start all services and wait until they serve; a set `abort` ends the waiting early.

        Raises:
            StackError: When the data directory is in use, or a service ends or does not serve in
                time. What was started runs on until `stop`.
        """
        (self.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        self._take_lock()
        self._checkout = self._checkout or find_checkout()
        self._choose_addresses()
        self._write_endpoints()
        for service in SERVICES:
            self.start_service(service)
        self.wait_serving(abort=abort)

    def start_service(self, service: str) -> None:
        """Start one service, e.g. again after it was killed; does not wait for it."""
        log = self.log_path(service)
        env = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            **self._env,
            "SPANLOOP_DATA_DIR": str(self.data_dir),
            **{f"SPANLOOP_{name.upper()}_ADDRESS": at for name, at in self.endpoints.items()},
            f"SPANLOOP_{service.upper()}_LISTEN": self._listen[service],
        }
        with log.open("ab") as file:
            self._log_starts[service] = file.tell()
            self.processes[service] = subprocess.Popen(  # noqa: S603 - fixed command
                service_command(service),
                cwd=self._checkout,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_serving(
        self, service: str | None = None, abort: threading.Event | None = None
    ) -> None:
        """Wait until a service (None: all of them) serves.

        Raises:
            StackError: When one ended or does not serve in time.
        """
        waiting = [service] if service else list(SERVICES)
        deadline = time.monotonic() + self._startup_seconds
        options = ClientOptions(retry=RetryPolicy(attempts=1))
        # Health needs no token, and the file that holds it may not be there yet.
        token = "none"  # noqa: S105 - just that
        with Client(endpoints=self.endpoints, token=token, options=options) as client:
            while waiting and not (abort is not None and abort.is_set()):
                for ended in self.ended():
                    raise StackError(self.describe(ended))
                if time.monotonic() > deadline:
                    raise StackError(
                        f"{waiting[0]} does not serve after {self._startup_seconds:g} s. Its log:\n"
                        + self.log_tail(waiting[0])
                    )
                waiting = [name for name in waiting if not _serves(client, name)]
                if waiting:
                    time.sleep(_POLL_SECONDS)

    def ended(self) -> list[ServiceExit]:
        """Return the services that ended by themselves."""
        return [
            ServiceExit(service=service, returncode=process.returncode)
            for service, process in self.processes.items()
            if process.poll() is not None
        ]

    def describe(self, ended: ServiceExit) -> str:
        """Say which service ended and how, with its last log lines."""
        how = (
            f"was ended by {signal.Signals(-ended.returncode).name}"
            if ended.returncode < 0
            else f"ended with status {ended.returncode}"
        )
        return (
            f"{ended.service} {how}. The end of {self.log_path(ended.service)}:\n"
            f"{self.log_tail(ended.service)}"
        )

    def kill_service(self, service: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal one service alone (not its workers) and wait for its end; return its status."""
        process = self.processes.pop(service)
        process.send_signal(number)
        return process.wait(timeout=self._stop_seconds)

    def stop(self) -> None:
        """Stop all services: SIGTERM, time to drain, then SIGKILL to whatever is left of them."""
        for process in self.processes.values():
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
        deadline = time.monotonic() + self._stop_seconds
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
        self.kill()
        self.processes.clear()
        if self._lock is not None:
            (self.data_dir / ENDPOINTS_FILE).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """Kill all services and their workers at once; safe in a signal handler."""
        for process in self.processes.values():
            alive = process.returncode is None
            children = descendants(process.pid) if alive else []
            kill_group(process.pid)
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            if alive:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=5)

    def log_path(self, service: str) -> Path:
        """Return where a service's output goes."""
        return self.data_dir / "logs" / f"{service}.log"

    def log_tail(self, service: str, lines: int = 20) -> str:
        """Return the last lines that a service printed since it was started."""
        with self.log_path(service).open("rb") as file:
            file.seek(self._log_starts.get(service, 0))
            text = file.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:]) or "(nothing)"

    def _take_lock(self) -> None:
        import fcntl  # Unix only, like this class; the rest of the command line is not

        self._lock = (self.data_dir / "up.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            self._lock = None
            raise StackError(
                f"Services already run on {self.data_dir}: stop them, or use another --data-dir."
            ) from error

    def _choose_addresses(self) -> None:
        if self._ports == "default":
            for service, address in Endpoints().items():
                listen = self._env.get(f"SPANLOOP_{service.upper()}_LISTEN") or os.environ.get(
                    f"SPANLOOP_{service.upper()}_LISTEN"
                )
                self._listen[service] = listen or address
        else:
            first = self._ports
            numbers = (
                [first + i for i in range(len(SERVICES))]
                if isinstance(first, int)
                else free_ports(len(SERVICES))
            )
            self._listen = {
                service: f"127.0.0.1:{number}"
                for service, number in zip(SERVICES, numbers, strict=True)
            }
        # What listens on all interfaces is reached over loopback.
        self.endpoints = replace(
            Endpoints(),
            **{
                service: listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
                for service, listen in self._listen.items()
            },
        )

    def _write_endpoints(self) -> None:
        document = {**dict(self.endpoints.items()), "pid": os.getpid()}
        draft = self.data_dir / f".{ENDPOINTS_FILE}.{os.getpid()}"
        draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.data_dir / ENDPOINTS_FILE)


def _serves(client: Client, service: str) -> bool:
    try:
        return client.health(service, timeout=2.0) == "serving"
    except SpanloopError:
        return False
