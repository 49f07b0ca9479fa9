"""Runs the parts of a benchmark that call services from an event loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, as ``asyncio.run`` does, and leave no channel behind."""
    try:
        return asyncio.run(work)
    finally:
        # Channels are in cycles; one that is collected only when the interpreter ends can wait for
        # ever there: grpc's own threads are gone by then.
        gc.collect()
