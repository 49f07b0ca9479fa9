"""Reports, logs and history over a real server, with a child that computes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from services.common.store.late import opened
from services.trainer.documents import COLLECTIONS, job_of
from services.trainer.domain import TrainingSource
from services.trainer.repository import JobRepository
from spanloop.trainer.v1 import trainer_service_pb2 as pb
from spanloop.trainer.v1 import training_report_service_pb2 as report_pb
from spanloop.trainer.v1.training_job_pb2 import TrainingSource as PublicSource
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, log_lines, running_loop, state_of


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


async def page(client: TrainerClient, name: str) -> str:
    call = client.reports.DownloadTrainingReport(report_pb.DownloadTrainingReportRequest(name=name))
    return b"".join([message.chunk async for message in call]).decode()


async def logs(client: TrainerClient, name: str) -> bytes:
    call = client.reports.DownloadTrainingLogs(report_pb.DownloadTrainingLogsRequest(name=name))
    return b"".join([message.chunk async for message in call])


async def test_a_report_outlives_the_jobs_folder(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(hold=2)
    async with loop.trainer() as (client, _):
        job = await client.create(snapshot)
        await client.until(job.name, lambda job: job.progress.epoch == 2)
        asked = report_pb.GetTrainingReportRequest(name=job.name)
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
            await client.reports.GetTrainingReport(asked)
        loop.control_child(hold=None)
        done = await client.end(job.name)
        await loop.tidied()
    async with loop.trainer(workers=0) as (client, _):
        report = (await client.reports.GetTrainingReport(asked)).training_report
        made = await page(client, job.name)
        text = (await logs(client, job.name)).decode()
        lines = log_lines(await client.watch(job.name))
    assert report.name == f"{job.name}/report"
    assert list(report.epochs) == list(done.epochs)
    (split,) = report.splits
    assert split.evaluation == done.evaluation.splits[0]
    assert {(cell.annotated, cell.predicted): cell.count for cell in split.confusion} == {
        ("DATE", "DATE"): 1,
        ("", "<i>odd</i>"): 1,
    }
    assert [entry.count for entry in split.calibration] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert split.worst_examples[0].loss == 0.5
    assert [(point.texts, point.micro_f1) for point in report.learning_curve] == [
        (2, 0.25),
        (4, 0.5),
    ]
    assert "<h1>Training report: ner_p_v1</h1>" in made
    assert "Acme paid &lt;b&gt;2024&lt;/b&gt;." in made
    assert made.count("<svg") == 4
    # the log as it was streamed
    assert [line.split(maxsplit=2)[2] for line in text.splitlines()] == [one for _, one in lines]


async def test_a_job_without_a_report_of_its_own_has_its_figures(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(**{"no-report": "yes", "parity": "bad"})
    async with loop.trainer() as (client, _):
        job = await client.end((await client.create(snapshot)).name)
        assert state_of(job) == "FAILED"
        found = await client.reports.GetTrainingReport(
            report_pb.GetTrainingReportRequest(name=job.name)
        )
        (split,) = found.training_report.splits
        assert split.evaluation == job.evaluation.splits[0]
        assert not split.confusion
        assert "<svg" in await page(client, job.name)


async def test_names_of_reports_and_logs_are_checked(loop: Loop) -> None:
    async with loop.trainer(workers=0) as (client, _):
        for name, code in (
            ("", grpc.StatusCode.INVALID_ARGUMENT),
            ("projects/p", grpc.StatusCode.INVALID_ARGUMENT),
            ("projects/p/trainingGroups/", grpc.StatusCode.INVALID_ARGUMENT),
            ("projects/p/trainingGroups/g", grpc.StatusCode.NOT_FOUND),
            ("projects/p/trainingJobs/j", grpc.StatusCode.NOT_FOUND),
        ):
            reason = (
                Reason.RESOURCE_NOT_FOUND
                if code is grpc.StatusCode.NOT_FOUND
                else Reason.FIELD_INVALID
            )
            with refused(code, reason):
                await logs(client, name)
            if "Groups" not in name:
                with refused(code, reason):
                    await page(client, name)


async def test_history_tells_callers_from_policies(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    group = "projects/p/trainingGroups/g1"
    async with loop.trainer(workers=0) as (client, _):
        by_hand = await client.create(snapshot)
        async with opened(loop.settings().database, COLLECTIONS) as store:
            found = await store.get("training_jobs", by_hand.name.split("/")[-1])
            assert found is not None
            learned = replace(
                job_of(found), id="learned", source=TrainingSource.ACTIVE_LEARNING, group=group
            )
            await JobRepository(store).create(learned, None)

        async def names(source: int) -> list[str]:
            answer = await client.stub.ListTrainingJobs(
                pb.ListTrainingJobsRequest(parent="projects/p", source=source)
            )
            return sorted(job.name for job in answer.training_jobs)

        assert await names(PublicSource.TRAINING_SOURCE_MANUAL) == [by_hand.name]
        assert await names(PublicSource.TRAINING_SOURCE_ACTIVE_LEARNING) == [learned.name]
        assert await names(0) == sorted([by_hand.name, learned.name])
        with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="source"):
            await names(9)
        assert (await logs(client, group))[:2] == b"PK"
