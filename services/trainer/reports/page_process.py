"""Makes pages in a process of its own: matplotlib stays out of the server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from services.common.errors import InternalError, Reason
from services.common.logs import get_logger
from services.common.store.port import Document
from services.trainer.child_process import child_environment

PAGE_COMMAND = (sys.executable, "-m", "services.trainer.reports")

_log = get_logger(__name__)
_SECONDS = 120.0


class MakePage(Protocol):
    """Makes a page from what `services.trainer.reports.__main__` reads."""

    async def __call__(self, given: Document) -> bytes:
        """Return the page.

        Raises:
            InternalError: It cannot be made.
        """
        ...


class PageProcess:
    """Makes one page at a time: each takes a core for a second or two."""

    def __init__(self, command: Sequence[str] = PAGE_COMMAND) -> None:
        """Make pages with a command that reads JSON and writes HTML."""
        self._command = command
        self._turn = asyncio.Lock()

    async def __call__(self, given: Document) -> bytes:
        """Return the page.

        Raises:
            InternalError: It cannot be made.
        """
        async with self._turn:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env=child_environment(os.environ),
                )
            except OSError as error:
                raise _failed(str(error)) from error
            try:
                async with asyncio.timeout(_SECONDS):
                    made, errors = await process.communicate(json.dumps(given).encode())
            except TimeoutError:
                raise _failed("it took too long") from None
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode or not made:
            raise _failed(errors.decode("utf-8", "replace")[-2000:])
        return made


def _failed(why: str) -> InternalError:
    _log.error("page_failed", error=why)
    return InternalError(Reason.INTERNAL, "The page could not be made; the trainer's log says why.")
