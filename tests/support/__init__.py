"""What API tests share: a real server on a free port, and a channel to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc import aio

from services.common.channels import PeerSettings, open_peer
from services.common.server import RunningServer, serve
from services.common.wiring import BuildFn, SettingsT


@asynccontextmanager
async def running(settings: SettingsT, build: BuildFn[SettingsT]) -> AsyncIterator[RunningServer]:
    """Run a service in this process; let `settings` listen on ``127.0.0.1:0``."""
    async with serve(settings, build) as server:
        yield server


@asynccontextmanager
async def client_channel(
    server: RunningServer, *, token: str | None = None
) -> AsyncIterator[aio.Channel]:
    """Open a channel that shows the server's token; or another one, or none for ``""``."""
    peer = PeerSettings(address=server.address, token=server.token if token is None else token)
    async with open_peer(peer) as channel:
        yield channel
