"""Background work of a server: kept alive, watched, and ended with it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from services.common.logs import get_logger
from services.common.wiring import BackgroundTask

_log = get_logger(__name__)

Check: TypeAlias = Callable[[], Awaitable[None]]

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# A task that ran this long before it failed starts anew with the first pause.
_HEALTHY_AFTER = 60.0
CHECK_INTERVAL = 5.0
CHECK_TIMEOUT = 5.0


async def supervise(task: BackgroundTask, on_crash: Callable[[str], None]) -> None:
    """Run a task until it returns; start it again, after a growing pause, when it fails."""
    loop = asyncio.get_running_loop()
    pause = _FIRST_PAUSE
    while True:
        started = loop.time()
        try:
            await task.run()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is logged
            if loop.time() - started > _HEALTHY_AFTER:
                pause = _FIRST_PAUSE
            on_crash(task.name)
            _log.error(
                "background_task_failed",
                task=task.name,
                restart_in_seconds=round(pause, 3),
                exc_info=error,
            )
        else:
            return
        # Jitter: several processes that lost the same database must not return in step.
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        pause = min(pause * 2, _LONGEST_PAUSE)


async def run_checks(checks: Sequence[Check], *, log: bool = True) -> bool:
    """Return whether all checks pass, each within CHECK_TIMEOUT; log failures if asked to."""
    passed = True
    for check in checks:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                await check()
        except Exception as error:  # noqa: BLE001  # any failure counts
            passed = False
            if log:
                name = getattr(check, "__qualname__", type(check).__name__)
                _log.warning("health_check_failed", check=name, exc_info=error)
    return passed


async def cancel_all(tasks: Sequence[asyncio.Task[None]], timeout: float) -> None:
    """Cancel tasks and wait until they are done; give up on those that are not in time."""
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    _, stuck = await asyncio.wait(tasks, timeout=timeout)
    for task in stuck:
        _log.error("background_task_stuck", task=task.get_name())
