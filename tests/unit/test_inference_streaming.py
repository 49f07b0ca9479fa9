"""Many requests on one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.inference.streaming import answer_all


async def counted(last: int, read: list[int]) -> AsyncIterator[int]:
    for number in range(last):
        read.append(number)
        yield number


async def test_answers_come_as_they_are_ready() -> None:
    first = asyncio.Event()

    async def answer(number: int) -> int:
        if number == 0:
            await first.wait()
        return number

    found = []
    async for number in answer_all(counted(3, []), answer, at_once=3):
        found.append(number)
        if len(found) == 2:
            first.set()
    assert sorted(found[:2]) == [1, 2]
    assert found[2] == 0


async def test_reads_no_further_than_it_answers() -> None:
    read: list[int] = []
    gate = asyncio.Event()

    async def answer(number: int) -> int:
        await gate.wait()
        return number

    answers = answer_all(counted(100, read), answer, at_once=4)
    waiting = asyncio.ensure_future(anext(answers))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(read) == 5
    gate.set()
    found = [await waiting, *[number async for number in answers]]
    assert sorted(found) == list(range(100))


async def test_ends_what_is_under_way_when_the_caller_leaves() -> None:
    cancelled: list[int] = []

    async def answer(number: int) -> int:
        if number:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(number)
                raise
        return number

    answers = answer_all(counted(4, []), answer, at_once=4)
    assert await anext(answers) == 0
    await answers.aclose()
    assert sorted(cancelled) == [1, 2, 3]


async def test_a_broken_stream_of_requests_is_told() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError("gone")

    async def answer(number: int) -> int:
        return number

    with pytest.raises(ConnectionError):
        async for _ in answer_all(broken(), answer, at_once=2):
            pass
