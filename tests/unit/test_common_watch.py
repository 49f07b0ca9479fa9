from __future__ import annotations

import asyncio

import pytest

from services.common import watch
from services.common.watch import Signal


async def test_change_before_the_wait_is_not_lost() -> None:
    signal = Signal()
    seen = signal.version("k")
    signal.notify("k")
    assert await signal.wait("k", seen, 10) > seen


async def test_change_during_the_wait_wakes_all_of_the_key() -> None:
    signal = Signal()
    waits = [asyncio.create_task(signal.wait("k", 0, 10)) for _ in range(3)]
    other = asyncio.create_task(signal.wait("other", 0, 10))
    await asyncio.sleep(0)
    signal.notify("k")
    assert set(await asyncio.gather(*waits)) == {1}
    await asyncio.sleep(0)
    assert not other.done()
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other
    assert not signal._waiters


async def test_timeout_returns_what_was_seen() -> None:
    signal = Signal()
    signal.notify("k")
    seen = signal.version("k")
    assert await signal.wait("k", seen, 0.01) == seen
    assert await signal.wait("k", seen, 0) == seen
    assert not signal._waiters


async def test_every_change_is_seen_by_a_watcher_that_reads_first() -> None:
    signal = Signal()
    state = 0

    async def watcher() -> list[int]:
        read = []
        seen = 0
        while not read or read[-1] < 200:
            version = signal.version("k")
            read.append(state)
            seen = await signal.wait("k", version, 5) if state < 200 else seen
        return read

    task = asyncio.create_task(watcher())
    for number in range(1, 201):
        state = number
        signal.notify("k")
        if number % 3:
            await asyncio.sleep(0)
    async with asyncio.timeout(3):
        read = await task
    assert read[-1] == 200
    assert read == sorted(read)


async def test_memory_is_bounded_and_versions_never_go_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "_MAX_KEYS", 10)
    signal = Signal()
    signal.notify("kept")
    before = signal.version("kept")
    waiting = asyncio.create_task(signal.wait("kept", before, 10))
    await asyncio.sleep(0)
    for number in range(100):
        signal.notify(f"k{number}")
    assert len(signal._versions) <= 10
    assert signal.version("kept") >= before
    signal.notify("kept")
    assert await waiting > before
