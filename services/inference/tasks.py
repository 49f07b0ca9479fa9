"""Running several steps at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def all_of(steps: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run the steps together and return their results in order.

    The first failure ends the others and is raised as it is, not wrapped in a group: callers tell
    failures apart by their class.
    """
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
