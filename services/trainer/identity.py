"""Who a trainer process is: a lasting worker id in its data directory, and this start of it."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.common.ids import IdSource
from services.trainer.job_queue import Holder


@dataclass(frozen=True, kw_only=True)
class Identity:
    """This process as a worker.

    Attributes:
        holder: What its claims are signed with.
        alone: Whether the lasting id is this process's alone, so that leases which it still holds
            from before belong to a dead process. A second process on the same data directory gets
            an id of its own instead.
    """

    holder: Holder
    alone: bool


@contextmanager
def worker_identity(folder: Path, ids: IdSource) -> Iterator[Identity]:
    """Hold the data directory's worker id while the block runs.

    The lock is the kernel's: it goes with the process, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    boot = ids.new()
    host = socket.gethostname()
    descriptor = os.open(folder / "worker_id", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Identity(holder=Holder(worker=f"{host}-{boot}", boot=boot), alone=False)
            return
        known = os.read(descriptor, 100).decode("ascii", "ignore").strip()
        if not known:
            known = ids.new()
            os.write(descriptor, known.encode())
            os.fsync(descriptor)
        yield Identity(holder=Holder(worker=f"{host}-{known}", boot=boot), alone=True)
    finally:
        os.close(descriptor)
