"""An annotation service in a process of its own, to be killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.common.channels import PeerSettings, open_peer
from tests.support.annotation import AnnotationClient

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-tests"


class Server:
    """A service in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, client: AnnotationClient) -> None:
        self._process = process
        self.client = client

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[Server]:
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.annotation",
        cwd=ROOT,
        stderr=asyncio.subprocess.DEVNULL,
        env={
            **{name: value for name, value in os.environ.items() if "SPANLOOP" not in name},
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}",
            "SPANLOOP_DATA_DIR": str(folder),
            "SPANLOOP_TOKEN": TOKEN,
            "SPANLOOP_ANNOTATION_LISTEN": "127.0.0.1:0",
            "SPANLOOP_ANNOTATION_PORT_FILE": str(port_file),
            "SPANLOOP_ANNOTATION_IMPORT_BATCH_TASKS": "50",
            "SPANLOOP_ANNOTATION_IMPORT_STALE_SECONDS": "2",
            "SPANLOOP_ANNOTATION_RELAY_INTERVAL_SECONDS": "0.5",
        },
    )
    try:
        async with asyncio.timeout(30):
            while not port_file.exists():
                assert process.returncode is None, "it did not start"
                await asyncio.sleep(0.02)
        peer = PeerSettings(address=port_file.read_text().strip(), token=TOKEN)
        async with open_peer(peer) as channel:
            yield Server(process, AnnotationClient(channel))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
