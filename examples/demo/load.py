"""A client that keeps asking while a model is swapped, and remembers every answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from spanloop import AsyncClient, SpanloopError


@dataclass
class Load:
    """Asks for predictions one after the other, with several askers at once.

    Attributes:
        first_answer: By deployment revision: when its first answer came, in monotonic seconds.
        answers: By deployment revision: how many answers it gave.
        failures: Messages of the requests that failed; nothing is retried.
        latencies: Seconds of each answered request, in order.
    """

    client: AsyncClient
    project: str
    texts: Sequence[str]
    askers: int = 2
    first_answer: dict[int, float] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        """Start asking."""
        self._tasks = [asyncio.create_task(self._ask(n)) for n in range(self.askers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop asking; a request under way is finished."""
        tasks, self._tasks = self._tasks, []
        await asyncio.gather(*tasks)

    async def _ask(self, number: int) -> None:
        count = number
        # The first look at the list of tasks comes before it is filled.
        await asyncio.sleep(0)
        while self._tasks:
            text = self.texts[count % len(self.texts)]
            count += self.askers
            began = time.monotonic()
            try:
                answer = await self.client.predict(self.project, [text])
            except SpanloopError as error:
                self.failures.append(str(error))
                continue
            now = time.monotonic()
            self.latencies.append(now - began)
            revision = answer.generation.deployment_revision
            self.first_answer.setdefault(revision, now)
            self.answers[revision] = self.answers.get(revision, 0) + 1
            self._news.set()

    async def answered(self, revision: int, timeout: float) -> float:
        """Wait until `revision` has answered; return when, in monotonic seconds.

        Raises:
            TimeoutError: It did not within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while revision not in self.first_answer:
                self._news.clear()
                await self._news.wait()
        return self.first_answer[revision]
