"""The queue before the device."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.clock import ManualClock
from services.common.errors import (
    DeadlineExceededError,
    Reason,
    ResourceExhaustedError,
    UnavailableError,
)
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import PreparedText
from services.inference.batcher import Asked, Batcher, Caller
from services.inference.courtesy import ABOUT_SECONDS
from services.inference.engine.batch import Ask
from services.inference.engine.part import SEGMENT_WORDS, Part, SegmentAnswer, Want
from services.inference.engine.worker import EngineThreads
from tests.support.inference import TEXT, golden_predictor, tiny_adapter, until

Logits: TypeAlias = NDArray[np.float32]
Answers: TypeAlias = list[list[SegmentAnswer]]
CALLER = Caller(tenant="contracts")
PARTY, DATE = tiny_adapter("PARTY"), tiny_adapter("DATE")


class Device:
    """Runs batches only while the gate is open and notes what each held."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.sizes: list[int] = []
        self.fail: Exception | None = None

    async def __call__(
        self, work: Callable[[], list[list[SegmentAnswer]]]
    ) -> list[list[SegmentAnswer]]:
        await self.gate.wait()
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        rows = work()
        await asyncio.sleep(0)  # as the hop to another thread does
        self.sizes.append(len(rows))
        return rows


@asynccontextmanager
async def queue(
    device: Device,
    *,
    batch_tokens: int = 4096,
    background_tokens: int = 4096,
    queue_tokens: int = 100_000,
) -> AsyncIterator[tuple[Batcher, ManualClock]]:
    clock = ManualClock()
    batcher = Batcher(
        device,
        batch_tokens=batch_tokens,
        background_tokens=background_tokens,
        queue_tokens=queue_tokens,
        clock=clock,
    )
    batcher.start()
    yield batcher, clock
    await batcher.close()


@pytest.fixture(scope="module")
def part() -> Part:
    return Part(predictor=golden_predictor([PARTY, DATE]))


async def ask(
    batcher: Batcher,
    part: Part,
    texts: list[str],
    positions: tuple[int, ...] = (0, 1),
    deadline: float | None = None,
    caller: Caller = CALLER,
) -> list[Logits]:
    with batcher.admit(texts, caller) as ticket:
        prepared = part.predictor.prepare(texts)
        ticket.settle(sum(text.cost for text in prepared))
        asked = Asked(asks=[Ask(part=part, want=Want(labels=positions))], texts=prepared)
        (found,) = await ticket.run(asked, deadline)
        return [rows.logits for rows in found]


def logits(part: Part, texts: list[str]) -> list[Logits]:
    return part.predictor.logits(part.predictor.prepare(texts))


async def test_answers_equal_those_of_the_predictor(part: Part) -> None:
    device = Device()
    texts = [TEXT, "", "Ada paid.", TEXT * 3]
    async with queue(device, batch_tokens=40) as (batcher, _):
        found = await ask(batcher, part, texts)
        one = await ask(batcher, part, texts, (1,))
        assert batcher.admitted_tokens == 0
    for got, single, expected in zip(found, one, logits(part, texts), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)
        np.testing.assert_allclose(single, expected[1:], atol=1e-5)
    assert len(device.sizes) > 2


async def test_requests_of_one_trunk_share_a_batch_whatever_they_ask(part: Part) -> None:
    device = Device()
    async with queue(device) as (batcher, _):
        device.gate.clear()
        first = asyncio.create_task(ask(batcher, part, ["first"]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        rest = [asyncio.create_task(ask(batcher, part, [f"word {i}"])) for i in range(5)]
        other = asyncio.create_task(ask(batcher, part, ["other"], (0,)))
        await asyncio.sleep(0)
        device.gate.set()
        await asyncio.gather(first, other, *rest)
    assert device.sizes == [1, 6]


async def test_a_large_request_lets_others_pass(part: Part) -> None:
    device = Device()
    async with queue(device, batch_tokens=50) as (batcher, _):
        device.gate.clear()
        large = asyncio.create_task(ask(batcher, part, [TEXT] * 40))
        await asyncio.sleep(0)
        small = asyncio.create_task(ask(batcher, part, ["word"], (0,)))
        await asyncio.sleep(0)
        device.gate.set()
        await small
        assert not large.done()
        await large
    assert len(device.sizes) > 20


async def test_long_texts_are_cut_into_segments_and_put_together(part: Part) -> None:
    device = Device()
    text = "Ada paid London. " * (SEGMENT_WORDS // 3)
    async with queue(device, batch_tokens=256) as (batcher, _):
        (found,) = await ask(batcher, part, [text])
    assert len(device.sizes) >= 2
    np.testing.assert_allclose(found, logits(part, [text])[0], atol=1e-5)


async def test_refuses_past_its_bound_with_a_time_to_come_back(part: Part) -> None:
    device = Device()
    async with queue(device, queue_tokens=60) as (batcher, _):
        device.gate.clear()
        # Larger than the whole queue: admitted, as it is the only one.
        first = asyncio.create_task(ask(batcher, part, [TEXT] * 10))
        await asyncio.sleep(0)
        with pytest.raises(ResourceExhaustedError) as caught:
            await ask(batcher, part, ["word"])
        assert caught.value.reason is Reason.OVERLOADED
        assert caught.value.retry_after
        device.gate.set()
        await first
        await ask(batcher, part, ["word"])


async def test_a_project_leaves_room_for_the_others(part: Part) -> None:
    device = Device()
    text = "word " * 40
    (prepared,) = part.predictor.prepare([text])
    # There is room for a second one, but not for one of the same project.
    bound = int((prepared.cost + len(text) // 4 + 1) * 1.1)
    async with queue(device, queue_tokens=bound) as (batcher, _):
        device.gate.clear()
        first = asyncio.create_task(ask(batcher, part, [text]))
        await asyncio.sleep(0)
        with pytest.raises(ResourceExhaustedError, match="this project"):
            await ask(batcher, part, [text])
        other = asyncio.create_task(ask(batcher, part, [text], caller=Caller(tenant="letters")))
        await asyncio.sleep(0)
        device.gate.set()
        await asyncio.gather(first, other)
        assert batcher.admitted_tokens == 0


async def test_background_work_is_not_refused_and_yields(part: Part) -> None:
    device = Device()
    job = Caller(tenant="contracts", background=True)
    async with queue(device, batch_tokens=40, background_tokens=20, queue_tokens=60) as (
        batcher,
        _,
    ):
        device.gate.clear()
        first = asyncio.create_task(ask(batcher, part, ["word"]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        work = asyncio.create_task(ask(batcher, part, [TEXT] * 30, caller=job))
        await asyncio.sleep(0)
        assert batcher.background_tokens > 60
        small = asyncio.create_task(ask(batcher, part, ["word"]))
        await asyncio.sleep(0)
        device.gate.set()
        await asyncio.gather(first, small)
        # It came last and was answered first.
        assert not work.done()
        await work
        assert batcher.background_tokens == 0


async def test_projects_share_one_run_of_their_trunk() -> None:
    one = Part(predictor=golden_predictor([PARTY]))
    reader = one.predictor.reader
    runtime = BankRuntime(reader.trunk.manifest, providers=["CPUExecutionProvider"])
    two = Part(predictor=TextPredictor(reader, Bank.stack(runtime, [DATE.load()])))
    device = Device()
    async with queue(device) as (batcher, _):
        device.gate.clear()
        asking = [
            asyncio.create_task(ask(batcher, part, [text], (0,), caller=Caller(tenant=text)))
            for part, text in ((one, "first"), (one, TEXT), (two, TEXT))
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        device.gate.set()
        answers = await asyncio.gather(*asking)
    assert device.sizes == [3]
    np.testing.assert_allclose(answers[1][0], logits(one, [TEXT])[0], atol=1e-5)
    np.testing.assert_allclose(answers[2][0], logits(two, [TEXT])[0], atol=1e-5)


async def test_parts_of_one_trunk_are_asked_in_one_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Part(predictor=golden_predictor([PARTY]))
    reader = one.predictor.reader
    runtime = BankRuntime(reader.trunk.manifest, providers=["CPUExecutionProvider"])
    two = Part(predictor=TextPredictor(reader, Bank.stack(runtime, [DATE.load()])))
    runs: list[int] = []
    real = reader.read
    monkeypatch.setattr(reader, "read", lambda segments: (runs.append(1), real(segments))[1])
    async with queue(Device()) as (batcher, _):
        with batcher.admit([TEXT], CALLER) as ticket:
            prepared = reader.prepare([TEXT])
            want = Want(labels=(0,))
            asks = [Ask(part=one, want=want), Ask(part=two, want=want)]
            found = await ticket.run(Asked(asks=asks, texts=prepared), None)
    assert runs == [1]
    for part, (rows,) in zip((one, two), found, strict=True):
        np.testing.assert_allclose(rows.logits, logits(part, [TEXT])[0], atol=1e-5)


async def test_a_part_that_fails_costs_its_neighbours_in_the_batch_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = Part(predictor=golden_predictor([PARTY]))
    reader = good.predictor.reader
    runtime = BankRuntime(reader.trunk.manifest, providers=["CPUExecutionProvider"])
    bad = Part(predictor=TextPredictor(reader, Bank.stack(runtime, [DATE.load()])))
    straight = Part.answer

    def answer(self: Part, *args: object) -> object:
        if self is bad:
            raise RuntimeError("boom")
        return straight(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Part, "answer", answer)
    device = Device()
    async with queue(device) as (batcher, _):
        device.gate.clear()
        asking = [
            asyncio.create_task(ask(batcher, part, [TEXT], (0,), caller=Caller(tenant=tenant)))
            for part, tenant in ((good, "first"), (good, "a"), (bad, "b"))
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        device.gate.set()
        _, answered, failed = await asyncio.gather(*asking, return_exceptions=True)
        assert device.sizes == [3]
        assert isinstance(failed, RuntimeError)
        monkeypatch.undo()
        assert not isinstance(answered, BaseException)
        np.testing.assert_allclose(answered[0], logits(good, [TEXT])[0], atol=1e-5)


async def test_a_refused_caller_comes_back_when_half_is_done(part: Part) -> None:
    device = Device()
    async with queue(device, queue_tokens=50_000) as (batcher, _):
        device.gate.clear()
        texts = ["word " * 10_000]
        waiting = [
            asyncio.create_task(ask(batcher, part, texts, caller=Caller(tenant=str(i))))
            for i in range(3)
        ]
        await asyncio.sleep(0)
        with pytest.raises(ResourceExhaustedError) as caught:
            await ask(batcher, part, texts * 2, caller=Caller(tenant="last"))
        expected = batcher.admitted_tokens / batcher.tokens_per_second / 2
        assert caught.value.retry_after == pytest.approx(expected)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert batcher.admitted_tokens == 0


async def test_drops_those_whose_deadline_passed_or_who_left(part: Part) -> None:
    device = Device()
    async with queue(device) as (batcher, clock):
        device.gate.clear()
        first = asyncio.create_task(ask(batcher, part, ["first"]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        late = asyncio.create_task(ask(batcher, part, [TEXT], deadline=clock.monotonic() + 1))
        gone = asyncio.create_task(ask(batcher, part, [TEXT]))
        stays = asyncio.create_task(ask(batcher, part, ["stays"]))
        await asyncio.sleep(0)
        clock.advance(2)
        gone.cancel()
        await asyncio.sleep(0)
        device.gate.set()
        await asyncio.gather(first, stays)
        with pytest.raises(DeadlineExceededError):
            await late
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert batcher.admitted_tokens == 0
    assert device.sizes == [1, 1]


async def test_a_failed_batch_fails_its_requests_only(part: Part) -> None:
    device = Device()
    async with queue(device) as (batcher, _):
        device.fail = RuntimeError("device lost")
        with pytest.raises(RuntimeError):
            await ask(batcher, part, ["word"])
        await ask(batcher, part, ["word"])
        assert batcher.admitted_tokens == 0


async def test_closing_fails_what_waits(part: Part) -> None:
    device = Device()
    async with queue(device) as (batcher, _):
        device.gate.clear()
        running = asyncio.create_task(ask(batcher, part, ["first"]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = asyncio.create_task(ask(batcher, part, ["second"]))
        await asyncio.sleep(0)
        await batcher.close()
        for task in (running, waiting):
            with pytest.raises(UnavailableError):
                await task


def test_prepared_texts_cost_their_pieces(part: Part) -> None:
    prepared: list[PreparedText] = part.predictor.prepare([TEXT, ""])
    assert prepared[0].cost > 20
    assert prepared[1].cost == 0


async def test_an_idle_queue_keeps_no_bank() -> None:
    device = Device()
    swapped_out = Part(predictor=golden_predictor([PARTY]))
    kept = weakref.ref(swapped_out)
    async with queue(device) as (batcher, _):
        await ask(batcher, swapped_out, [TEXT], (0,))
        for _ in range(3):
            await asyncio.sleep(0)  # the queue finds itself empty
        del swapped_out
        gc.collect()
        assert kept() is None


async def test_rows_that_do_not_fit_fail_their_request_only(part: Part) -> None:
    class TooFew(Device):
        async def __call__(
            self, work: Callable[[], list[list[SegmentAnswer]]]
        ) -> list[list[SegmentAnswer]]:
            rows = await super().__call__(work)
            return rows[:-1] if len(self.sizes) == 1 else rows

    async with queue(TooFew()) as (batcher, _):
        with pytest.raises(ValueError, match="shorter"):
            await asyncio.wait_for(ask(batcher, part, ["first"]), 5)
        await asyncio.wait_for(ask(batcher, part, ["second"]), 5)


async def test_texts_of_jobs_hold_a_thread_of_their_own_only() -> None:
    threads = EngineThreads()
    held = threading.Event()
    try:
        jobs = [asyncio.create_task(threads.run_text(held.wait, background=True)) for _ in range(4)]
        assert await asyncio.wait_for(threads.run_text(lambda: "tokenised"), 10) == "tokenised"
        held.set()
        assert all(await asyncio.gather(*jobs))
    finally:
        held.set()
        threads.close()


async def test_while_callers_are_about_jobs_leave_the_device_alone_mostly(part: Part) -> None:
    device = Device()
    job = Caller(tenant="contracts", background=True)
    async with queue(device) as (batcher, clock):

        async def timed(work: Callable[[], list[list[SegmentAnswer]]]) -> Any:
            clock.advance(0.1)
            return await device(work)

        batcher._runner = timed
        await ask(batcher, part, [TEXT])
        work = asyncio.create_task(ask(batcher, part, [TEXT] * 20, caller=job))

        async def batches(count: int) -> bool:
            return len(device.sizes) >= count

        await until(partial(batches, 2))
        # Short ones, as many tokens as take 30 ms.
        assert device.sizes[1] < 20
        # And then a rest, in which a caller finds the device idle.
        begun = len(device.sizes)
        answered = await asyncio.wait_for(ask(batcher, part, [TEXT]), 10)
        assert len(answered) == 1
        assert len(device.sizes) == begun + 1
        # Nobody comes any more: the rest is one batch.
        clock.advance(ABOUT_SECONDS)
        await asyncio.wait_for(work, 10)
        assert len(device.sizes) == begun + 2
