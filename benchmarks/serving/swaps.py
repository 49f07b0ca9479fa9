"""Swaps under load: what was done, and everything that was seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grpc import aio

from benchmarks.serving.load import offer
from benchmarks.serving.models import (
    MANY_SPANS,
    Publisher,
    TrunkFolder,
    answered,
    label_names,
    random_adapter,
)
from benchmarks.serving.servers import METADATA, Servers
from benchmarks.serving.texts import pieces_of, text_of
from services.common.modeling.manifest import TOKENIZER_FILE
from services.common.modeling.tokenisation import TextTokenizer
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import inference_service_pb2_grpc
from spanloop.inference.v1.serving_state_pb2 import GenerationState

if TYPE_CHECKING:
    # The name is there for type checkers only.
    from spanloop.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub

PROJECT = "swapped"
TEXTS = 8
_POLL_SECONDS = 0.003
_SERVED_SECONDS = 60.0

Spans = tuple[tuple[int, int, str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A request of the load that was answered.

    Attributes:
        text: Position of its text.
        due: When it was due.
        sent: When it was sent.
        ended: When its answer was there.
        revision: The deployment revision that it names.
        versions: The model versions that it names.
        spans: What it found.
    """

    text: int
    due: float
    sent: float
    ended: float
    revision: int
    versions: frozenset[str]
    spans: Spans

    @property
    def milliseconds(self) -> float:
        """From when it was due until it was answered."""
        return 1000 * (self.ended - self.due)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Time in which a swap or a sham was under way, in the seconds of the answers.

    Attributes:
        begin: Deploy was called.
        end: The new generation was served and had settled.
        served: The new generation was seen READY; of a sham: as long after as for the last swap.
        revision: The deployment revision; 0: a sham.
    """

    begin: float
    end: float
    served: float
    revision: int = 0


@dataclass
class Observed:
    """What happened.

    Attributes:
        answers: Of the whole load.
        failures: Messages of requests that failed.
        windows: Swaps and shams.
        resident: KiB of the inference process after each swap.
        version_of: The version of each revision.
        golden: The spans of each text by version.
        steady_until: When the first swap began.
    """

    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    version_of: dict[int, str] = field(default_factory=dict)
    golden: dict[str, list[Spans]] = field(default_factory=dict)
    steady_until: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done.

    Attributes:
        swaps: Number of deployments under load.
        versions: Versions that are deployed in turns.
        labels: Of each version.
        pieces: Of each text.
        rate: Requests per second.
        steady: Seconds of load before the first swap.
        every: Seconds from the beginning of a swap to that of a sham, and back.
        settle: Seconds after the new generation was served that belong to a swap.
    """

    swaps: int
    versions: int
    labels: int
    pieces: int
    rate: float
    steady: float
    every: float
    settle: float


async def run(plan: Plan, running: Servers, trunk: TrunkFolder) -> Observed:
    """Publish the versions, take their golden outputs, swap them under load."""
    count = pieces_of(TextTokenizer.from_bytes((trunk.folder / TOKENIZER_FILE).read_bytes()))
    texts = [text_of(count, plan.pieces, seed) for seed in range(TEXTS)]
    seen = Observed()
    async with (
        running.peer("registry") as registry,
        running.aio_channel("inference") as channel,
    ):
        publisher = Publisher(registry)
        stub = inference_service_pb2_grpc.InferenceServiceStub(channel)
        await publisher.trunk(trunk)
        versions = []
        for seed in range(plan.versions):
            adapters = [
                random_adapter(trunk.manifest, label, seed + 1, MANY_SPANS)
                for label in label_names(plan.labels)
            ]
            version = await publisher.version(PROJECT, adapters)
            revision = await publisher.deploy(version)
            await answered(stub, PROJECT, revision)
            seen.version_of[revision] = version
            seen.golden[version] = [await _ask(stub, text) for text in texts]
            versions.append(version)
        _check_distinct(seen.golden)
        stop = asyncio.Event()
        send = _sender(stub, texts, seen)
        load = asyncio.create_task(offer(plan.rate, send, until=stop))
        try:
            await _until(time.perf_counter() + plan.steady, load)
            seen.steady_until = time.perf_counter()
            for number in range(plan.swaps):
                # The version after the one that was deployed last.
                version = versions[number % len(versions)]
                swap = await _swap(publisher, stub, version, seen, plan.settle)
                seen.resident.append(running.resident_kib("inference"))
                await _until(swap.begin + plan.every, load)
                sham = await _sham(stub, swap, plan.settle)
                seen.windows += [swap, sham]
                await _until(sham.begin + plan.every, load)
        finally:
            stop.set()
            await load
    return seen


async def _ask(stub: InferenceServiceAsyncStub, text: str) -> Spans:
    answer = await stub.Predict(_request(text), metadata=METADATA, timeout=60)
    return _spans(answer)


def _request(text: str) -> pb.PredictRequest:
    return pb.PredictRequest(project=f"projects/{PROJECT}", texts=[text])


def _spans(answer: pb.PredictResponse) -> Spans:
    (prediction,) = answer.predictions
    return tuple(sorted((s.start, s.end, s.label, s.score) for s in prediction.spans))


def _check_distinct(golden: Mapping[str, Sequence[Spans]]) -> None:
    """Refuse versions that a text does not tell apart: a wrong one's answer would look right.

    Raises:
        SystemExit: There are such.
    """
    for place in range(TEXTS):
        found = {tuple(span[:3] for span in spans[place]) for spans in golden.values()}
        if len(found) < len(golden):
            raise SystemExit(f"text {place} has the same spans in two versions: more --labels")


def _sender(
    stub: InferenceServiceAsyncStub, texts: Sequence[str], seen: Observed
) -> Callable[[int, float], Awaitable[None]]:
    async def send(number: int, due: float) -> None:
        place = number % len(texts)
        sent = time.perf_counter()
        try:
            answer = await stub.Predict(_request(texts[place]), metadata=METADATA, timeout=30)
        except aio.AioRpcError as error:
            seen.failures.append(f"{error.code().name}: {error.details()}")
            return
        seen.answers.append(
            Answer(
                text=place,
                due=due,
                sent=sent,
                ended=time.perf_counter(),
                revision=answer.generation.deployment_revision,
                versions=frozenset(answer.generation.model_versions.values()),
                spans=_spans(answer),
            )
        )

    return send


async def _swap(
    publisher: Publisher,
    stub: InferenceServiceAsyncStub,
    version: str,
    seen: Observed,
    settle: float,
) -> Window:
    begin = time.perf_counter()
    revision = await publisher.deploy(version)
    seen.version_of[revision] = version
    while not await _is_ready(stub, revision):
        if time.perf_counter() > begin + _SERVED_SECONDS:
            raise SystemExit(f"revision {revision} is not served after {_SERVED_SECONDS:g} s")
        await asyncio.sleep(_POLL_SECONDS)
    served = time.perf_counter()
    await asyncio.sleep(settle)
    return Window(begin=begin, end=time.perf_counter(), served=served, revision=revision)


async def _sham(stub: InferenceServiceAsyncStub, swap: Window, settle: float) -> Window:
    begin = time.perf_counter()
    served = begin + swap.served - swap.begin
    while time.perf_counter() < served:
        await _is_ready(stub, swap.revision)
        await asyncio.sleep(_POLL_SECONDS)
    await asyncio.sleep(settle)
    return Window(begin=begin, end=time.perf_counter(), served=served)


async def _is_ready(stub: InferenceServiceAsyncStub, revision: int) -> bool:
    answer = await stub.GetServingState(
        pb.GetServingStateRequest(project=f"projects/{PROJECT}"), metadata=METADATA, timeout=30
    )
    for generation in answer.serving_state.generations:
        if generation.deployment_revision == revision:
            if generation.state == GenerationState.GENERATION_STATE_ERROR:
                raise SystemExit(f"revision {revision}: {generation.error_message}")
            return bool(generation.state == GenerationState.GENERATION_STATE_READY)
    return False


async def _until(moment: float, load: asyncio.Task[int]) -> None:
    if load.done():
        load.result()
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))
