"""Trying rules: each caller has one thread at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from services.annotation.rules.turns import Turns


async def test_a_caller_waits_for_its_own_work_and_others_do_not() -> None:
    turns = Turns(threads=2)
    hold = threading.Event()
    begun: list[str] = []

    def slow() -> str:
        begun.append("slow")
        assert hold.wait(20)
        return "slow"

    first = [asyncio.create_task(turns.run("ann", slow)) for _ in range(6)]
    async with asyncio.timeout(10):
        assert await turns.run("ben", lambda: "quick") == "quick"
        assert await turns.run("cat", lambda: "quick") == "quick"
        assert begun == ["slow"]
        hold.set()
        assert await asyncio.gather(*first) == ["slow"] * 6


async def test_who_goes_away_is_busy_until_the_work_ends() -> None:
    turns = Turns(threads=2)
    hold, begun, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert hold.wait(20)
        ended.set()
        raise ValueError("nobody is there to hear of it")

    first = asyncio.create_task(turns.run("ann", slow))
    assert await asyncio.to_thread(begun.wait, 10)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(turns.run("ann", ended.is_set))
    third = asyncio.create_task(turns.run("ann", ended.is_set))
    await asyncio.sleep(0.05)
    assert not second.done()
    third.cancel()
    async with asyncio.timeout(10):
        assert await turns.run("ben", lambda: True)
        hold.set()
        assert await second
        assert await turns.run("ann", ended.is_set)


async def test_what_fails_ends_the_turn() -> None:
    turns = Turns(threads=1)

    def bad() -> None:
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            await turns.run("ann", bad)
    async with asyncio.timeout(10):
        assert await turns.run("ann", lambda: 1) == 1
