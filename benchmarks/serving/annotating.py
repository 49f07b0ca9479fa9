"""Texts through the Predict RPC, and through a pre-annotation job."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

from benchmarks.serving.models import Publisher, TrunkFolder, answered
from benchmarks.serving.servers import METADATA, TOKEN, Servers
from services.common.modeling.evaluation import Span
from services.trainer.engines.interface import AdapterArtifact
from spanloop import AsyncClient
from spanloop._connect import Endpoints
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import inference_service_pb2_grpc
from spanloop.types import PreannotationJobState


async def deploy(
    running: Servers, trunk: TrunkFolder, project: str, adapters: Sequence[AdapterArtifact]
) -> None:
    """Register a version of the adapters and return when the project is served by it."""
    async with running.peer("registry") as registry, running.aio_channel("inference") as channel:
        publisher = Publisher(registry)
        await publisher.trunk(trunk)
        revision = await publisher.deploy(await publisher.version(project, adapters))
        stub = inference_service_pb2_grpc.InferenceServiceStub(channel)
        await answered(stub, project, revision)


async def predict(
    running: Servers, project: str, texts: Sequence[str], *, batch: int, at_once: int
) -> tuple[list[list[Span]], float]:
    """Return the spans of each text, and the seconds that Predict took for all of them.

    Args:
        running: The services.
        project: Whose models answer.
        texts: The texts, in any order.
        batch: Texts of one request.
        at_once: Requests under way at any time.
    """
    results: list[list[Span]] = [[] for _ in texts]
    free = asyncio.Semaphore(at_once)
    async with running.aio_channel("inference") as channel:
        stub = inference_service_pb2_grpc.InferenceServiceStub(channel)

        async def ask(first: int) -> None:
            async with free:
                answer = await stub.Predict(
                    pb.PredictRequest(
                        project=f"projects/{project}", texts=texts[first : first + batch]
                    ),
                    metadata=METADATA,
                    timeout=300,
                )
            for place, prediction in enumerate(answer.predictions, first):
                results[place] = [(s.start, s.end, s.label) for s in prediction.spans]

        started = time.perf_counter()
        await asyncio.gather(*(ask(first) for first in range(0, len(texts), batch)))
        return results, time.perf_counter() - started


async def preannotate(running: Servers, project: str, texts: Sequence[str]) -> tuple[int, float]:
    """Import texts as open tasks and pre-annotate them; return how many, and the job's seconds.

    Raises:
        SystemExit: The job did not end well.
    """
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    async with AsyncClient(endpoints=Endpoints(**running.addresses), token=TOKEN) as client:
        await client.create_project(project)
        await client.import_file(project, lines.encode(), source_name="texts")
        started = time.perf_counter()
        job = await client.create_preannotation_job(project)
        async for state in client.watch_preannotation_job(job):
            job = state
        seconds = time.perf_counter() - started
    if job.state is not PreannotationJobState.DONE:
        raise SystemExit(f"the pre-annotation is {job.state}: {job.failure_message}")
    return job.done_tasks, seconds
