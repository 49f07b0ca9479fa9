"""Whose turn it is before the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from services.inference.fair_queue import PATIENCE, FairQueue


@dataclass(eq=False)
class Request:
    """A request of equal pieces."""

    tenant: str
    pieces: int = 1
    cost: int = 10
    background: bool = False
    device_key: Hashable = "trunk"
    gone: bool = False
    failed: list[Exception] = field(default_factory=list)

    def next_cost(self) -> int | None:
        return self.cost if self.pieces else None

    def take(self) -> Request:
        self.pieces -= 1
        return self

    def is_gone(self, now: float) -> bool:
        return self.gone

    def fail(self, error: Exception) -> None:
        self.failed.append(error)


def queue_of(*requests: Request, batch: int = 40, background: int = 20) -> FairQueue[Request]:
    queue: FairQueue[Request] = FairQueue(batch_tokens=batch, background_tokens=background)
    for request in requests:
        queue.push(request)
    return queue


def tenants(batch: list[Request]) -> list[str]:
    return [request.tenant for request in batch]


def test_tenants_take_turns_within_a_batch() -> None:
    queue = queue_of(Request("a", 10), Request("b", 1), Request("c", 3))
    assert tenants(queue.next_batch()) == ["a", "b", "c", "a"]
    assert tenants(queue.next_batch()) == ["a", "c", "a", "c"]
    assert tenants(queue.next_batch()) == ["a"] * 4


def test_a_tenants_large_request_delays_its_others_by_one_batch() -> None:
    large, small = Request("a", 10), Request("a", 1, cost=1)
    queue = queue_of(large, small)
    assert queue.next_batch() == [large] * 4
    assert queue.next_batch()[0] is small


def test_only_requests_of_one_device_key_share_a_batch() -> None:
    queue = queue_of(
        Request("a", device_key=1), Request("b", device_key=2), Request("c", device_key=1)
    )
    assert tenants(queue.next_batch()) == ["a", "c"]
    assert tenants(queue.next_batch()) == ["b"]
    assert queue.next_batch() == []


def test_a_piece_larger_than_a_batch_goes_alone() -> None:
    queue = queue_of(Request("a", cost=500), Request("b"))
    assert tenants(queue.next_batch()) == ["a"]
    assert tenants(queue.next_batch()) == ["b"]


def test_background_work_waits_but_not_for_ever() -> None:
    job = Request("a", 10, background=True)
    queue = queue_of(job)
    turns = []
    for _ in range(2 * PATIENCE + 3):
        queue.push(Request("b", 4))
        turns.append(queue.next_batch()[0].tenant)
    assert turns.count("a") == 2
    assert turns[PATIENCE] == "a"


def test_background_batches_are_small() -> None:
    assert len(queue_of(Request("a", 10, background=True)).next_batch()) == 2


def test_forgets_who_left_and_fails_all() -> None:
    left, stays = Request("a", gone=True), Request("a")
    queue = queue_of(left, stays)
    queue.drop_gone(0.0)
    assert queue.next_batch() == [stays]
    waits = Request("b")
    queue.push(waits)
    queue.fail(RuntimeError("closed"))
    assert len(waits.failed) == 1
    assert queue.next_batch() == []


@given(
    st.lists(
        st.builds(
            Request,
            tenant=st.sampled_from("abc"),
            pieces=st.integers(1, 5),
            cost=st.integers(1, 60),
            background=st.booleans(),
            device_key=st.sampled_from([1, 2]),
        ),
        max_size=12,
    )
)
def test_every_piece_is_taken_once_and_batches_keep_their_bounds(requests: list[Request]) -> None:
    wanted = Counter({id(request): request.pieces for request in requests})
    queue = queue_of(*requests)
    taken: Counter[int] = Counter()
    while batch := queue.next_batch():
        taken.update(id(request) for request in batch)
        bound = 20 if batch[0].background else 40
        assert len(batch) == 1 or sum(request.cost for request in batch) <= bound
        assert len({(request.device_key, request.background) for request in batch}) == 1
    assert taken == wanted


def test_background_work_rests_and_has_smaller_batches_when_told_to() -> None:
    queue = queue_of(Request("a", 10, background=True))
    assert queue.has_background
    assert queue.next_batch(rests=True) == []
    assert len(queue.next_batch(background=10)) == 1
    assert len(queue.next_batch(background=1000)) == 2
    # That others have had the device often enough counts more than that it rests.
    for _ in range(PATIENCE):
        queue.push(Request("b", 4))
        assert tenants(queue.next_batch(rests=True)) == ["b"] * 4
    queue.push(Request("b"))
    assert tenants(queue.next_batch(rests=True)) == ["a"] * 2
