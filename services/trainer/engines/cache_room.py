"""Keeps the activation cache within its bound: whole segments go, the least recently used first."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from services.trainer.engines.cache_segment import INDEX, ROWS

LOCK = "lock"
_LOCK_SECONDS = 5.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the cache's lock: only its holder makes or removes segments.

    Raises:
        TimeoutError: Somebody holds it for long, e.g. a process that was paused.
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(0, "another process holds its lock") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def make_room(folder: Path, max_bytes: int, needed: int = 0) -> bool:
    """Evict segments until `needed` more bytes fit; call it with the lock held.

    Segments that any process has mapped or appends to stay.

    Returns:
        Whether they fit now. If they never can, nothing is evicted for them.
    """
    if needed > max_bytes:
        return False
    segments = []
    for path in folder.glob(f"*/*{ROWS}"):
        with suppress(FileNotFoundError):
            status = path.stat()
            segments.append((status.st_mtime_ns, status.st_size, path))
    total = sum(size for _, size, _ in segments)
    for _, size, path in sorted(segments):
        if total + needed <= max_bytes:
            break
        if _evict(path):
            total -= size
    return total + needed <= max_bytes


def _evict(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The rows last: what they take is counted for as long as they are there.
        path.with_suffix(INDEX).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    with suppress(OSError):
        path.parent.rmdir()
    return True
