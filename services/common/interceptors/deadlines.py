"""No handler works past the moment at which its caller stops waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.call import CallInfo, calling, deadline_exceeded
from services.common.interceptors.chain import Call


class Deadlines:
    """Ends calls at their deadline and makes it known to the handler as `current_call`.

    Unary calls without one get a default; streams do not.
    """

    def __init__(self, default_seconds: float) -> None:
        """Give unary calls `default_seconds`."""
        self._default = default_seconds

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Concern.around`."""
        left = call.context.time_remaining()
        if left is None and call.shape == "unary_unary":
            left = self._default
        call.deadline = None if left is None else time.monotonic() + left
        info = CallInfo(
            method=call.method,
            request_id=call.request_id,
            caller=call.caller,
            user=call.user,
            deadline=call.deadline,
        )
        if left is not None and left <= 0:
            raise deadline_exceeded()
        with calling(info):
            try:
                async with asyncio.timeout(left) as timeout:
                    yield
            except TimeoutError as error:
                if not timeout.expired():
                    raise  # the handler's own
                raise deadline_exceeded() from error
