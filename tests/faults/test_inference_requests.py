"""Requests that no well-behaved client sends, and texts that trip up who counts characters."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc import aio

from services.common.errors import Reason
from services.common.grpc_status import received_error
from services.inference.bootstrap import build
from spanloop.common.v1 import text_pb2
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import predict_pb2
from tests.support import client_channel, running
from tests.support.inference import (
    TEXT,
    InferenceClient,
    deploy,
    golden,
    inference_settings,
    registry_at,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.registry import refused

BANK = [tiny_adapter("PARTY"), tiny_adapter("DATE")]
METHODS = ("Predict", "GetServingState", "CreatePreannotationJob", "GetPreannotationJob")


class Server:
    """A server that serves BANK."""

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.client = InferenceClient(channel)

    async def raw(self, method: str, data: bytes) -> tuple[grpc.StatusCode, Reason | None]:
        """Send bytes as they are; return what is answered."""
        call = self.channel.unary_unary(f"/spanloop.inference.v1.InferenceService/{method}")
        try:
            await call(data)
        except aio.AioRpcError as error:
            return error.code(), received_error(error).reason
        return grpc.StatusCode.OK, None

    async def still_serves(self) -> None:
        answer = await self.client.predict()
        assert spans_of(answer.predictions[0]) == spans_of(golden(BANK))

    async def is_idle(self) -> None:
        async def idle() -> bool:
            state = await self.client.state()
            return not any(one.active_requests for one in state.generations)

        await until(idle)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with registry_at(tmp_path) as (registry, address):
        await deploy(registry, "p", BANK)
        settings = inference_settings(tmp_path, address, max_message_bytes=1024 * 1024)
        async with running(settings, build) as started, client_channel(started) as channel:
            server = Server(channel)
            await server.client.ready()
            yield server


async def test_random_bytes_are_refused_in_our_words(server: Server) -> None:
    draw = random.Random(7)
    good = pb.PredictRequest(project="projects/p", texts=[TEXT]).SerializeToString()
    messages = [draw.randbytes(draw.randrange(1, 200)) for _ in range(60)]
    for _ in range(60):  # a good one with a byte changed, or cut off
        place = draw.randrange(len(good))
        messages.append(good[:place] + draw.randbytes(1) + good[place + 1 :])
        messages.append(good[:place])
    for number, message in enumerate(messages):
        code, reason = await server.raw(METHODS[number % len(METHODS)], message)
        assert (code, reason) == (grpc.StatusCode.OK, None) or reason is not None, message
        assert code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL), message
    await server.still_serves()


async def test_lone_surrogates_are_no_text(server: Server) -> None:
    for surrogate in (b"\xed\xa0\x80", b"\xed\xbf\xbf", b"ab\xed\xa0\xbdcd"):
        good = pb.PredictRequest(project="projects/p", texts=["x" * len(surrogate)])
        raw = good.SerializeToString().replace(b"x" * len(surrogate), surrogate)
        found = await server.raw("Predict", raw)
        assert found == (grpc.StatusCode.INVALID_ARGUMENT, Reason.REQUEST_MALFORMED)
    await server.still_serves()


async def test_oversized_requests_are_refused_and_say_the_limit(server: Server) -> None:
    with refused(
        grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.REQUEST_TOO_LARGE, limit_bytes=str(1024 * 1024)
    ):
        await server.client.predict(["x" * 1_100_000])
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="texts"):
        await server.client.predict(["x"] * 1025)
    await server.still_serves()


async def test_callers_who_leave_leave_nothing_behind(server: Server) -> None:
    """Cancelled, or with a deadline that cannot be kept: their texts are dropped, others served."""
    for round_ in range(3):
        calls = [asyncio.ensure_future(server.client.predict([TEXT] * 40)) for _ in range(10)]
        late = pb.PredictRequest(project="projects/p", texts=[TEXT] * 40)
        hurried = [
            asyncio.ensure_future(server.client.stub.Predict(late, timeout=0.002 * (1 + place)))
            for place in range(10)
        ]
        await server.still_serves()
        for call in calls:
            call.cancel()
        for ended in await asyncio.gather(*calls, *hurried, return_exceptions=True):
            if isinstance(ended, aio.AioRpcError):
                assert ended.code() is grpc.StatusCode.DEADLINE_EXCEEDED, round_

    await server.is_idle()
    await server.still_serves()


async def test_a_stream_that_nobody_reads_holds_itself_up_only(server: Server) -> None:
    """Answers of 100 kB each fill what the transport holds; then no request is read any more."""
    wanted = pb.PredictRequest(
        project="projects/p", texts=[TEXT * 20], granularity=predict_pb2.GRANULARITY_TOKEN
    )
    call = server.client.stub.PredictStream()
    sent = 0

    async def send() -> None:
        nonlocal sent
        while True:
            await call.write(pb.PredictStreamRequest(id=str(sent), predict=wanted))
            sent += 1

    sending = asyncio.create_task(send())

    async def stands_still() -> bool:
        before = sent
        for _ in range(10):
            await server.still_serves()
        return sent == before > 16

    await until(stands_still, timeout=60)
    held = sum(one.active_requests for one in (await server.client.state()).generations)
    assert held <= 16
    sending.cancel()
    call.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await server.is_idle()
    await server.still_serves()


CHARACTERS = {
    "CRLF": "On 1 March 2024,\r\nAda Lovelace\r\n\r\npaid.\r",
    "astral": "😀 Ada 𝕷𝖔𝖛𝖊𝖑𝖆𝖈𝖊 paid 👩‍👩‍👧 in 🇬🇧 London 𠮷野",
    "combining": "Ade\u0301le of E\u0301xample, cafe\u0301 a\u0308\u0323 1\u20e3 London",
    "right to left": "\u202eAda\u202c שלום עולם Example مرحبا 1 March",
    "invisible": "Ada\u200b\u200dLove\u00adlace\ufeff\u2060 paid\u00a0$1,000\u3000London",
    "controls": "Ada\x01\x7f\x85\u2028Lovelace\x0b\x0cpaid\u2029London",
    "nothing else": "\u0301\u0301\u0301",
    "blanks": "\r\n\t \u3000",
    "empty": "",
}


@pytest.mark.parametrize("kind", CHARACTERS)
async def test_offsets_hold_whatever_the_characters(server: Server, kind: str) -> None:
    text = CHARACTERS[kind]
    (spans,) = (await server.client.predict(text)).predictions
    assert spans_of(spans) == spans_of(golden(BANK, text))
    for encoding, codec, width in (
        (text_pb2.TEXT_OFFSET_ENCODING_UTF8, "utf-8", 1),
        (text_pb2.TEXT_OFFSET_ENCODING_UTF16, "utf-16-le", 2),
    ):
        data = text.encode(codec)
        (other,) = (await server.client.predict(text, offset_encoding=encoding)).predictions
        cut = [data[span.start * width : span.end * width].decode(codec) for span in other.spans]
        assert cut == [text[span.start : span.end] for span in spans.spans]
