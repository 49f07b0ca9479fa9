"""Load past what the inference service can do: what it still answers, and how it refuses the rest.

    python -m benchmarks.saturation [--factors 0.5 0.9 1.2 1.6 2.5 4] [--seconds 15]

A registry and an inference service run as processes; the settings are the embedded ones, but for
the bound of the queue (`--queue-tokens`): the embedded bound is more than a minute's work of two
cores, so that a short run would not reach it. What the service can do is measured first, by askers
that wait for their answers. Then requests of `--texts` texts arrive at even rates, multiples of
that, whether or not earlier ones were answered: a step each, with a pause between, and at last the
first one again. While they do, the queue's tokens are read from the metrics page.

The last line is one JSON object: `capacity_texts_per_s`; `steps` with the offered and the answered
rate, milliseconds of answers (from when the request was due) and of refusals (from when it was
sent), what failed otherwise and the largest queue; `flat_ratio`, the least goodput of the steps
that offered more than the best goodput, by that best; `cpu_flat_ratio`, the same by answers per
processor second of the service, which holds on a machine that is busy otherwise; `shed` and
`shed_p99_ms`, of all steps; `shed_without_retry_info`; `queue_tokens_max` and `queue_tokens_bound`;
`recovered_p99_ratio`, the p99 of the first step run again by its first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from grpc import aio

from benchmarks.serving.figures import goals, machine, p50, p99
from benchmarks.serving.gauge import GaugeWatch
from benchmarks.serving.load import offer
from benchmarks.serving.loop import run_async
from benchmarks.serving.models import TrunkFolder, label_names, random_adapter, serve_projects
from benchmarks.serving.servers import METADATA, Servers, end_on_sigterm, servers
from benchmarks.serving.texts import pieces_of, text_of
from benchmarks.serving.trunk import TRUNK_PRECISIONS, exported_trunk
from services.common.grpc_status import received_error
from services.common.modeling.manifest import TOKENIZER_FILE
from services.common.modeling.tokenisation import TextTokenizer
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import inference_service_pb2_grpc

if TYPE_CHECKING:
    # The name is there for type checkers only.
    from spanloop.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub

PROJECT = "saturated"
QUEUE_GAUGE = "spanloop_queue_tokens"
FLAT = 0.9
"""Goodput past saturation that still counts as flat, by the best."""
_ASKERS = 4


@dataclass
class Step:
    """What happened at one rate.

    Attributes:
        factor: The rate by what the service can do.
        rate: Requests per second.
        seconds: How long requests arrived.
        answered: Milliseconds of each answer, from when the request was due.
        shed: Milliseconds of each refusal, from when the request was sent.
        without_retry: Refusals that do not say when to come back.
        failures: Messages of what failed otherwise.
        queue_tokens: The largest queue that was seen.
        lasted: Seconds until the last answer.
        cpu_seconds: Processor seconds of the service until then, of all its threads.
    """

    factor: float
    rate: float
    seconds: float
    answered: list[float] = field(default_factory=list)
    shed: list[float] = field(default_factory=list)
    without_retry: int = 0
    failures: list[str] = field(default_factory=list)
    queue_tokens: float = 0.0
    lasted: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def goodput(self) -> float:
        """Requests answered per second, until the queue was empty again."""
        return len(self.answered) / self.lasted if self.answered else 0.0

    @property
    def per_cpu_second(self) -> float:
        """Requests answered per processor second of the service."""
        return len(self.answered) / self.cpu_seconds if self.cpu_seconds else 0.0

    def figures(self, texts: int) -> dict[str, object]:
        """Return the step's figures; rates in texts."""
        return {
            "factor": self.factor,
            "offered_texts_per_s": round(self.rate * texts, 1),
            "goodput_texts_per_s": round(self.goodput * texts, 1),
            "texts_per_cpu_s": round(self.per_cpu_second * texts, 1),
            "p50_ms": _rounded(p50, self.answered),
            "p99_ms": _rounded(p99, self.answered),
            "shed": len(self.shed),
            "shed_p50_ms": _rounded(p50, self.shed),
            "shed_p99_ms": _rounded(p99, self.shed),
            "failed": len(self.failures),
            "queue_tokens_max": self.queue_tokens,
        }


def _rounded(quantile: Callable[[Sequence[float]], float], values: Sequence[float]) -> float | None:
    return round(quantile(values), 1) if values else None


class Client:
    """Asks for the same texts again and again."""

    def __init__(self, stub: InferenceServiceAsyncStub, texts: Sequence[str]) -> None:
        """Ask over a plain channel."""
        self._stub = stub
        self._request = pb.PredictRequest(project=f"projects/{PROJECT}", texts=texts)

    async def ask(self) -> None:
        """Ask once and wait for the answer."""
        await self._stub.Predict(self._request, metadata=METADATA, timeout=60)

    async def capacity(self, seconds: float) -> float:
        """Return how many requests per second are answered when askers wait for their answers."""
        ends = time.perf_counter() + seconds
        count = 0

        async def go_on() -> None:
            nonlocal count
            while time.perf_counter() < ends:
                await self.ask()
                count += 1

        started = time.perf_counter()
        await asyncio.gather(*(go_on() for _ in range(_ASKERS)))
        return count / (time.perf_counter() - started)

    async def step(self, step: Step, gauge: GaugeWatch) -> None:
        """Send requests at the step's rate and fill in what happened."""
        started = time.perf_counter()

        async def send(_: int, due: float) -> None:
            sent = time.perf_counter()
            try:
                await self.ask()
            except aio.AioRpcError as error:
                now = time.perf_counter()
                if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    step.shed.append(1000 * (now - sent))
                    step.without_retry += received_error(error).retry_after is None
                else:
                    step.failures.append(f"{error.code().name}: {error.details()}")
            else:
                now = time.perf_counter()
                step.answered.append(1000 * (now - due))
                step.lasted = now - started

        gauge.restart()
        await offer(step.rate, send, seconds=step.seconds)
        step.queue_tokens = gauge.largest


async def run(arguments: argparse.Namespace, running: Servers, trunk: TrunkFolder) -> list[Step]:
    """Measure what the service can do and run all steps; the first is the capacity's."""
    count = pieces_of(TextTokenizer.from_bytes((trunk.folder / TOKENIZER_FILE).read_bytes()))
    texts = [text_of(count, arguments.pieces, seed) for seed in range(arguments.texts)]
    labels = label_names(arguments.labels)
    adapters = [random_adapter(trunk.manifest, label, seed=1) for label in labels]
    await serve_projects(running, trunk, {PROJECT: adapters})
    async with (
        running.aio_channel("inference") as channel,
        GaugeWatch(running.metrics["inference"], QUEUE_GAUGE) as gauge,
    ):
        client = Client(inference_service_pb2_grpc.InferenceServiceStub(channel), texts)
        await client.capacity(2.0)
        capacity = await client.capacity(arguments.capacity_seconds)
        steps = []
        for factor in [*arguments.factors, arguments.factors[0]]:
            step = Step(factor=factor, rate=factor * capacity, seconds=arguments.seconds)
            before = running.cpu_seconds("inference")
            await client.step(step, gauge)
            step.cpu_seconds = running.cpu_seconds("inference") - before
            steps.append(step)
            await asyncio.sleep(arguments.pause)
    return steps


def figures(steps: Sequence[Step], *, texts: int, bound: int) -> dict[str, object]:
    """Return the figures that follow from the steps, of which the last repeats the first."""
    first, again = steps[0], steps[-1]
    shed = [value for step in steps for value in step.shed]
    without_retry = sum(step.without_retry for step in steps)
    failures = [failure for step in steps for failure in step.failures]
    best = max(step.goodput for step in steps)
    past = [step.goodput for step in steps if step.rate > best]
    flat = min(past) / best if past else None
    by_cpu: list[float] = [step.per_cpu_second for step in steps]
    cpu_past = [step.per_cpu_second for step in steps if step.rate > best]
    cpu_best = max(by_cpu)
    cpu_flat = min(cpu_past) / cpu_best if cpu_past and cpu_best else None
    largest = max(step.queue_tokens for step in steps)
    shed_p99 = _rounded(p99, shed)
    answered = first.answered and again.answered
    recovered = p99(again.answered) / p99(first.answered) if answered else None
    return {
        "capacity_texts_per_s": round(first.rate / first.factor * texts, 1),
        "flat_ratio": None if flat is None else round(flat, 3),
        "cpu_flat_ratio": None if cpu_flat is None else round(cpu_flat, 3),
        "shed": len(shed),
        "shed_p50_ms": _rounded(p50, shed),
        "shed_p99_ms": shed_p99,
        "shed_without_retry_info": without_retry,
        "failed": len(failures),
        "failures": sorted(set(failures))[:5],
        "queue_tokens_max": largest,
        "queue_tokens_bound": bound,
        "recovered_p99_ratio": None if recovered is None else round(recovered, 2),
        "steps": [step.figures(texts) for step in steps],
        **goals(
            flat_past_saturation=flat is not None and flat >= FLAT,
            queue_within_bound=largest <= bound,
            something_was_shed=bool(shed),
            shed_within_50_ms=shed_p99 is not None and shed_p99 <= 50,
            shed_says_when_to_come_back=not without_retry,
            nothing_failed_otherwise=not failures,
        ),
    }


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Run everything that is asked for; return the figures."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
        trunk = TrunkFolder.open(
            arguments.trunk or exported_trunk(arguments.keep or scratch, arguments.precision)
        )
        running = stack.enter_context(
            servers(
                scratch / "servers",
                intra_op_threads=arguments.threads,
                queue_tokens=arguments.queue_tokens,
            )
        )
        steps = run_async(run(arguments, running, trunk))
        resident = running.resident_kib("inference") / 1024
    return {
        **figures(steps, texts=arguments.texts, bound=arguments.queue_tokens),
        "texts_per_request": arguments.texts,
        "pieces_per_text": arguments.pieces,
        "labels": arguments.labels,
        "resident_mib": round(resident, 1),
        **machine(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--factors", type=float, nargs="+", default=[0.5, 0.9, 1.2, 1.6, 2.5, 4.0])
    parser.add_argument("--seconds", type=float, default=15.0, help="of a step")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between steps")
    parser.add_argument("--capacity-seconds", type=float, default=10.0)
    parser.add_argument("--texts", type=int, default=4, help="of a request")
    parser.add_argument("--pieces", type=int, default=32, help="of a text")
    parser.add_argument("--labels", type=int, default=6)
    parser.add_argument("--queue-tokens", type=int, default=8192, help="bound of the queue")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--precision", choices=TRUNK_PRECISIONS, default="fp32", help="of the trunk"
    )
    parser.add_argument("--trunk", type=Path, help="exported trunk; default: the embedded one")
    parser.add_argument("--keep", type=Path, help="folder that keeps the exported trunk")
    end_on_sigterm()
    sys.stdout.write(json.dumps(measure(parser.parse_args(arguments))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
