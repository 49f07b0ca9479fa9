"""Services in processes of their own, which can be killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from grpc import aio

from services.common.channels import PeerSettings, open_peer

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class ServiceProcess:
    """A running service."""

    child: asyncio.subprocess.Process
    channel: aio.Channel
    address: str

    async def kill(self) -> None:
        """End it with no time to do anything."""
        self.child.send_signal(signal.SIGKILL)
        assert await self.child.wait() == -signal.SIGKILL


@asynccontextmanager
async def service_process(
    name: str, folder: Path, *, log: Path | None = None, file_bytes: int = 0, **fields: object
) -> AsyncIterator[ServiceProcess]:
    """Start a service on a folder, connect to it, and end it.

    Args:
        name: The service.
        folder: Its data directory.
        log: Where its standard error goes; None: where that of the test goes.
        file_bytes: Bytes beyond which no file may grow, as on a disk that is full; 0: any.
        fields: Settings.
    """
    port_file = folder / f"{name}.port"
    port_file.unlink(missing_ok=True)
    prefix = f"SPANLOOP_{name.upper()}_"
    stderr = None if log is None else log.open("wb")
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", f"services.{name}"),
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "sdk"),
                "SPANLOOP_DATA_DIR": str(folder),
                "SPANLOOP_LOG_LEVEL": "error" if log is None else "debug",
                f"{prefix}LISTEN": "127.0.0.1:0",
                f"{prefix}PORT_FILE": str(port_file),
                **{f"{prefix}{key.upper()}": str(value) for key, value in fields.items()},
            },
            stderr=stderr,
        )
    finally:
        if stderr is not None:
            stderr.close()
    try:
        async with asyncio.timeout(60):
            while not port_file.exists():
                assert child.returncode is None
                await asyncio.sleep(0.02)
        if file_bytes:
            bounds = (file_bytes, resource.RLIM_INFINITY)
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, bounds)
        address = port_file.read_text().strip()
        token = (folder / "token").read_text().strip()
        async with open_peer(PeerSettings(address=address, token=token)) as channel:
            yield ServiceProcess(child=child, channel=channel, address=address)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
