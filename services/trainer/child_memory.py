"""How much memory of its own a child process holds.

Nothing is ended for it: what a job takes of a worker decides where it runs, and the system ends
what exceeds the machine. Pages of files that are mapped, such as the activations, are not counted:
the system takes them back when it needs room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

_LOOK_SECONDS = 2.0
_GIB = 1024**3


def own_bytes(pid: int, proc: Path = Path("/proc")) -> int:
    """Return the anonymous memory of a process; 0 when it is gone or the system does not say."""
    try:
        status = (proc / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "RssAnon":
            return int(value.split()[0]) * 1024
    return 0


async def watch_memory(pid: int, limit: int, say: Callable[[str, str], None]) -> None:
    """Say once, as a warning, that a process holds more than its slot; 0: there is no limit."""
    while limit:
        used = own_bytes(pid)
        if used > limit:
            say(
                "warning",
                f"Training holds {used / _GIB:.1f} GiB of memory, more than the "
                f"{limit / _GIB:.1f} GiB that the job takes of the worker: ask for more in "
                "`resources`, or lower batch_words or max_length.",
            )
            return
        await asyncio.sleep(_LOOK_SECONDS)
