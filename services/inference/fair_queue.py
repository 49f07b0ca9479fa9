"""Whose turn it is: interactive requests first, tenants in turns, nobody passed over for ever.

Pure bookkeeping: no clock, no event loop, no device.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar

PATIENCE = 8
"""Interactive batches that background work lets pass before it has one batch."""

Piece_co = TypeVar("Piece_co", covariant=True)


class Queued(Protocol[Piece_co]):
    """A request as the queue sees it."""

    @property
    def tenant(self) -> str:
        """Who asks."""
        ...

    @property
    def background(self) -> bool:
        """Whether nobody waits for the answer right now."""
        ...

    @property
    def device_key(self) -> Hashable:
        """Requests with equal keys can share a batch."""
        ...

    def next_cost(self) -> int | None:
        """Return the tokens of its next piece; None: nothing is left."""
        ...

    def take(self) -> Piece_co:
        """Remove and return its next piece."""
        ...

    def is_gone(self, now: float) -> bool:
        """Return whether it is not to be run any more at this time, monotonic seconds."""
        ...

    def fail(self, error: Exception) -> None:
        """Tell who waits that there will be no answer."""
        ...


Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Requests of many tenants."""

    def __init__(self, *, batch_tokens: int, background_tokens: int) -> None:
        """Hold none yet.

        Args:
            batch_tokens: Tokens of a batch, unless a single piece is larger.
            background_tokens: The same for batches of background work: an interactive request
                that comes meanwhile waits for no longer than that takes.
        """
        self._batch_tokens = batch_tokens
        self._background_tokens = background_tokens
        self._interactive: _Tenants[Item] = _Tenants()
        self._background: _Tenants[Item] = _Tenants()
        self._passed = 0

    def push(self, request: Queued[Item]) -> None:
        """Put a request behind its tenant's others."""
        self._of(request).push(request)

    def drop_gone(self, now: float) -> None:
        """Forget the requests that are not to be run any more."""
        self._interactive.drop_gone(now)
        self._background.drop_gone(now)

    def fail(self, error: Exception) -> None:
        """Fail and forget all requests."""
        for tenants in (self._interactive, self._background):
            for request in tenants:
                request.fail(error)
            tenants.clear()

    @property
    def has_background(self) -> bool:
        """Whether background work waits."""
        return bool(self._background)

    def next_batch(self, *, rests: bool = False, background: int | None = None) -> list[Item]:
        """Take the pieces of the next batch; empty: nothing waits that may run.

        Args:
            rests: Background work does not have the device just because nobody else wants it now.
            background: Most tokens of this batch, where it is of background work; None: as always.
        """
        waits, urgent = bool(self._background), bool(self._interactive)
        if waits and (self._passed >= PATIENCE if urgent else not rests):
            self._passed = 0
            most = self._background_tokens
            return self._background.take(most if background is None else min(most, background))
        if not urgent:
            return []
        self._passed = self._passed + 1 if waits else 0
        return self._interactive.take(self._batch_tokens)

    def _of(self, request: Queued[Item]) -> _Tenants[Item]:
        return self._background if request.background else self._interactive


class _Tenants(Generic[Item]):
    """Requests by tenant, the tenant first whose turn is next."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Queued[Item]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[Queued[Item]]:
        for requests in self._waiting.values():
            yield from requests

    def push(self, request: Queued[Item]) -> None:
        self._waiting.setdefault(request.tenant, deque()).append(request)

    def clear(self) -> None:
        self._waiting.clear()

    def drop_gone(self, now: float) -> None:
        for tenant, requests in list(self._waiting.items()):
            kept = deque(request for request in requests if not request.is_gone(now))
            if kept:
                self._waiting[tenant] = kept
            else:
                del self._waiting[tenant]

    def take(self, budget: int) -> list[Item]:
        """Take pieces of one device key, one per tenant in turns, up to a budget of tokens."""
        if not self._waiting:
            return []
        key = next(iter(self)).device_key
        batch: list[Item] = []
        begun: dict[str, Queued[Item]] = {}
        tokens = 0
        turns = deque(self._waiting)
        while turns:
            tenant = turns.popleft()
            found = self._piece(tenant, key)
            if found is None:
                continue
            request, cost = found
            if batch and tokens + cost > budget:
                break
            batch.append(request.take())
            tokens += cost
            begun[tenant] = request
            turns.append(tenant)
        for tenant, request in begun.items():
            self._rotate(tenant, request)
        return batch

    def _piece(self, tenant: str, key: Hashable) -> tuple[Queued[Item], int] | None:
        """Return a tenant's next request with something left for this key, and what that costs."""
        for request in self._waiting[tenant]:
            cost = request.next_cost()
            if cost is not None and request.device_key == key:
                return request, cost
        return None

    def _rotate(self, tenant: str, last: Queued[Item]) -> None:
        """Put a tenant that was served last; and so its request that is not done.

        A large request then delays the others by one batch only.
        """
        requests = deque(
            one for one in self._waiting[tenant] if one is not last and one.next_cost() is not None
        )
        if last.next_cost() is not None:
            requests.append(last)
        del self._waiting[tenant]
        if requests:
            self._waiting[tenant] = requests
