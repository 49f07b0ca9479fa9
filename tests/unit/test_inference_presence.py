"""A server tells the registry that it is there, whatever becomes of the registry."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.common.errors import Reason, SpanloopError, UnavailableError
from services.inference import presence
from services.inference.domain import Device
from services.inference.presence import Presence

AWAY = UnavailableError(Reason.PEER_UNAVAILABLE, "The registry is away.")


class Registry:
    def __init__(self) -> None:
        self.known: dict[str, tuple[Device, float]] = {}
        self.reports = 0
        self.trouble: SpanloopError | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def report_server(self, server: str, device: Device, lifetime: float) -> None:
        self.reports += 1
        if self.trouble is not None:
            raise self.trouble
        await self.answers.wait()
        self.known[server] = (device, lifetime)

    async def remove_server(self, server: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.known.pop(server, None)


def presence_at(registry: Any, pause: float = 0.01) -> Presence:
    return Presence(registry, "s", Device.CUDA, pause_seconds=pause)


async def until_reported(registry: Registry, more: int) -> None:
    goal = registry.reports + more
    async with asyncio.timeout(10):
        while registry.reports < goal:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_it_reports_again_and_again_and_takes_leave() -> None:
    registry = Registry()
    here = presence_at(registry)
    running = asyncio.create_task(here.run())
    try:
        await until_reported(registry, 3)
        device, lifetime = registry.known["s"]
        assert (device, lifetime) == (Device.CUDA, pytest.approx(0.03))
        await here.leave()
        assert registry.known == {}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    # A turn that comes after the leave, before the task is cancelled.
    before = registry.reports
    late = asyncio.create_task(here.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert (registry.reports, registry.known) == (before, {})
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)


async def test_a_registry_that_is_away_is_told_later_and_noted_once() -> None:
    registry = Registry()
    registry.trouble = AWAY
    here = presence_at(registry)
    with capture_logs() as lines:
        running = asyncio.create_task(here.run())
        await until_reported(registry, 3)
        registry.trouble = None
        await until_reported(registry, 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        registry.trouble = AWAY
        await here.leave()
    assert "s" in registry.known
    events = [line["event"] for line in lines]
    assert events == ["server_not_reported", "server_reported_again", "server_not_removed"]
    assert lines[0]["reason"] == "PEER_UNAVAILABLE"


async def test_a_report_under_way_does_not_bring_it_back() -> None:
    registry = Registry()
    registry.answers.clear()
    here = presence_at(registry)
    running = asyncio.create_task(here.run())
    await until_reported(registry, 1)
    leaving = asyncio.create_task(here.leave())
    await asyncio.sleep(0)
    assert not leaving.done()
    registry.answers.set()
    await leaving
    assert registry.known == {}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_silent_registry_does_not_hold_up_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "_LEAVING_SECONDS", 0.05)
    monkeypatch.setattr(presence, "_SECONDS", 0.05)
    registry = Registry()
    registry.answers.clear()
    here = presence_at(registry)
    with capture_logs() as lines:
        running = asyncio.create_task(here.run())
        await until_reported(registry, 2)
        await here.leave()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {(line["event"], line["reason"]) for line in lines} >= {
        ("server_not_reported", "SILENT")
    }
