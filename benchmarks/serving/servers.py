"""The real services as processes on loopback, with the embedded settings, in a folder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
from grpc import aio

from services.common.channels import PeerSettings, open_peer
from spanloop.cli._processes import free_ports, kill_group

ROOT = Path(__file__).parents[2]
TOKEN = "benchmark"  # noqa: S105 - of servers on loopback that live for minutes
METADATA = (("authorization", f"Bearer {TOKEN}"),)
_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
_MESSAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Running services.

    Attributes:
        addresses: By service.
        metrics: Addresses of the Prometheus pages, by service.
        processes: By service.
    """

    addresses: Mapping[str, str]
    metrics: Mapping[str, str]
    processes: Mapping[str, subprocess.Popen[bytes]]

    def peer(self, service: str) -> aio.Channel:
        """Return a channel that shows the token and repeats what may be repeated: to set up."""
        return open_peer(PeerSettings(address=self.addresses[service], token=TOKEN))

    def channel(self, service: str) -> grpc.Channel:
        """Return a plain channel that repeats nothing; calls need METADATA."""
        return grpc.insecure_channel(self.addresses[service], options=_OPTIONS)

    def aio_channel(self, service: str) -> aio.Channel:
        """Return a plain channel of an event loop that repeats nothing; calls need METADATA."""
        return aio.insecure_channel(self.addresses[service], options=_OPTIONS)

    def resident_kib(self, service: str) -> float:
        """Return the memory that the service's process holds."""
        process = psutil.Process(self.processes[service].pid)
        return float(process.memory_info().rss) / 1024

    def cpu_seconds(self, service: str) -> float:
        """Return the processor time that the service's process has taken, of all its threads."""
        times = psutil.Process(self.processes[service].pid).cpu_times()
        return float(times.user + times.system)


_OPTIONS = [
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
]


@contextmanager
def servers(
    folder: Path,
    names: Sequence[str] = ("registry", "inference"),
    **settings: object,
) -> Iterator[Servers]:
    """Run services on a folder, wait until they listen, and end them for sure.

    Args:
        folder: Their data directory; their output goes to its `logs`.
        names: Which services.
        settings: Of the inference service, as in its environment variables; None: not set.

    Raises:
        SystemExit: One does not start; the end of its log is the message.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    ports = free_ports(2 * len(names))
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(names, ports, strict=False)}
    pages = {
        name: f"127.0.0.1:{port}" for name, port in zip(names, ports[len(names) :], strict=True)
    }
    processes: dict[str, subprocess.Popen[bytes]] = {}
    env = {
        **{name: value for name, value in os.environ.items() if "SPANLOOP" not in name},
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}",
        "SPANLOOP_DATA_DIR": str(folder),
        "SPANLOOP_TOKEN": TOKEN,
        **{f"SPANLOOP_{name.upper()}_ADDRESS": at for name, at in addresses.items()},
        **{f"SPANLOOP_{name.upper()}_LISTEN": at for name, at in addresses.items()},
        **{f"SPANLOOP_{name.upper()}_METRICS_LISTEN": at for name, at in pages.items()},
        **{
            f"SPANLOOP_INFERENCE_{name.upper()}": str(value)
            for name, value in settings.items()
            if value is not None
        },
    }
    try:
        for name in names:
            with (folder / "logs" / f"{name}.log").open("ab") as log:
                processes[name] = subprocess.Popen(
                    [sys.executable, "-m", f"services.{name}"],
                    cwd=ROOT,
                    env={**env, f"SPANLOOP_{name.upper()}_PORT_FILE": str(folder / f"{name}.port")},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # A signal to the benchmark's group must not end them before it has its figures.
                    start_new_session=True,
                )
        for name, process in processes.items():
            _wait(name, process, folder)
        yield Servers(addresses=addresses, metrics=pages, processes=processes)
    finally:
        _stop(processes.values())


def _wait(name: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not (folder / f"{name}.port").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "logs" / f"{name}.log").read_text("utf-8", "replace")
            raise SystemExit(f"the {name} service did not start:\n{log[-3000:]}")
        time.sleep(0.05)


def _stop(running: Collection[subprocess.Popen[bytes]]) -> None:
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        kill_group(process.pid)
        process.wait()


def end_on_sigterm() -> None:
    """Let SIGTERM end the benchmark as an exception does, so that its servers end, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
