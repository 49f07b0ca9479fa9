"""The inference service killed in the middle of a pre-annotation job."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import preannotation_job_pb2 as jobs
from tests.support import client_channel, running
from tests.support.annotation import AnnotationClient, annotation_settings
from tests.support.annotation import build as build_annotation
from tests.support.inference import (
    TEXT,
    InferenceClient,
    deploy,
    golden,
    registry_at,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.processes import service_process

TASKS = 300


async def reached(client: InferenceClient, name: str, done_tasks: int) -> bool:
    answer = await client.stub.GetPreannotationJob(pb.GetPreannotationJobRequest(name=name))
    return answer.preannotation_job.done_tasks >= done_tasks


async def test_a_job_goes_on_after_kill_9_and_writes_each_prediction_once(tmp_path: Path) -> None:
    bank = [tiny_adapter("PARTY"), tiny_adapter("DATE")]
    async with (
        registry_at(tmp_path) as (registry, registry_address),
        running(annotation_settings(tmp_path), build_annotation) as server,
        client_channel(server) as channel,
    ):
        annotation = AnnotationClient(channel)
        parent = await annotation.project("p", "PARTY", "DATE")
        lines = [json.dumps({"id": str(i), "text": f"{TEXT} word{i}"}) for i in range(TASKS)]
        await annotation.load(parent, "\n".join(lines).encode())
        await deploy(registry, "p", bank)
        fields = {
            "registry_address": registry_address,
            "annotation_address": server.address,
            "preannotation_page_size": 3,
            "preannotation_lease_seconds": 1,
        }
        name = ""
        for after in (10, 60, 120):
            async with service_process("inference", tmp_path, **fields) as process:
                client = InferenceClient(process.channel)
                if not name:
                    request = pb.CreatePreannotationJobRequest(parent=parent, request_id="once")
                    created = await client.stub.CreatePreannotationJob(request)
                    name = created.preannotation_job.name

                await until(partial(reached, client, name, after), 40)
                await process.kill()
        async with service_process("inference", tmp_path, **fields) as process:
            client = InferenceClient(process.channel)
            request = pb.WatchPreannotationJobRequest(name=name)
            async for message in client.stub.WatchPreannotationJob(request):
                job = message.preannotation_job
        assert job.state == jobs.PREANNOTATION_JOB_STATE_DONE, job
        assert (job.total_tasks, job.done_tasks) == (TASKS, TASKS)
        assert job.generation == "projects/p/generations/1"
        found = await annotation.stub.ListPredictions(
            annotation_pb.ListPredictionsRequest(parent=f"{parent}/tasks/-", page_size=1000)
        )
        assert len(found.predictions) == TASKS
        texts = {task.name: task.text for task in await annotation.tasks(parent)}
        assert {one.task for one in found.predictions} == set(texts)
        for one in found.predictions[::37]:
            assert spans_of(one) == spans_of(golden(bank, texts[one.task]))
