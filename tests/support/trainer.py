"""What the trainer's tests share: the real services around a child that computes nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from grpc import aio

from services.common.server import RunningServer
from services.trainer.bootstrap import build
from services.trainer.config import TrainerSettings
from services.trainer.resources.machine import Accelerators
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1.completion_pb2 import Completion
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1.model_version_pb2 import ModelVersion
from spanloop.trainer.v1 import (
    resource_service_pb2_grpc,
    trainer_service_pb2_grpc,
    training_group_service_pb2_grpc,
    training_report_service_pb2_grpc,
    training_settings_service_pb2_grpc,
)
from spanloop.trainer.v1 import trainer_service_pb2 as pb
from spanloop.trainer.v1 import training_settings_service_pb2 as settings_pb
from spanloop.trainer.v1.training_job_pb2 import TrainingJob, TrainingJobState
from spanloop.trainer.v1.training_settings_pb2 import ActiveLearningState, TrainingSettings
from tests.support import client_channel, running
from tests.support.annotation import AnnotationClient, annotation_settings
from tests.support.registry import RegistryClient, registry_settings

MIXED = """<View>
  <Text name="text" value="$text"/>
  <Labels name="label" toName="text">
    <Label value="PARTY"/>
    <Label value="Absent" assertion="true"/><Label value="Present" assertion="true"/>
  </Labels>
  <Choices name="topic" toName="text" choice="single" train="true">
    <Choice value="law"/><Choice value="tax"/>
  </Choices>
  <Choices name="flags" toName="text" choice="multiple">
    <Choice value="new"/><Choice value="hot"/>
  </Choices>
</View>
"""
CHILD = Path(__file__).with_name("trainer_child.py")
TERMINAL = {"DONE", "FAILED", "CANCELLED"}


def fake_child(control: Path | str) -> Sequence[str]:
    """Return the command of the child that a control folder directs."""
    return (sys.executable, str(CHILD), str(control))


async def no_gpu() -> Accelerators:
    """Find nothing, without a process that looks for it."""
    return Accelerators()


def state_of(job: TrainingJob) -> str:
    """Return the short name of a job's state."""
    return TrainingJobState.Name(job.state).removeprefix("TRAINING_JOB_STATE_")


class TrainerClient:
    """The stub, and the steps that most tests take."""

    def __init__(self, channel: aio.Channel) -> None:
        self.stub = trainer_service_pb2_grpc.TrainerServiceStub(channel)
        self.resources = resource_service_pb2_grpc.ResourceServiceStub(channel)
        self.settings = training_settings_service_pb2_grpc.TrainingSettingsServiceStub(channel)
        self.groups = training_group_service_pb2_grpc.TrainingGroupServiceStub(channel)
        self.reports = training_report_service_pb2_grpc.TrainingReportServiceStub(channel)

    async def create(self, snapshot: str, request_id: str = "", **fields: object) -> TrainingJob:
        parent = "/".join(snapshot.split("/")[:2])
        answer = await self.stub.CreateTrainingJob(
            pb.CreateTrainingJobRequest(
                parent=parent,
                training_job=TrainingJob(snapshot=snapshot, **fields),
                request_id=request_id,
            )
        )
        return answer.training_job

    async def update_settings(
        self, project: str, *paths: str, etag: str = "", **fields: object
    ) -> TrainingSettings:
        """Change settings; `paths` is the mask."""
        request = settings_pb.UpdateTrainingSettingsRequest(
            training_settings=TrainingSettings(
                name=f"projects/{project}/trainingSettings", etag=etag, **fields
            )
        )
        request.update_mask.paths.extend(paths)
        return (await self.settings.UpdateTrainingSettings(request)).training_settings

    async def learning(self, project: str) -> ActiveLearningState:
        """Return where active learning stands."""
        name = f"projects/{project}/activeLearningState"
        request = settings_pb.GetActiveLearningStateRequest(name=name)
        return (await self.settings.GetActiveLearningState(request)).active_learning_state

    async def learned(
        self, project: str, reached: Callable[[ActiveLearningState], bool]
    ) -> ActiveLearningState:
        """Wait for a condition of it."""
        async with asyncio.timeout(180):
            while not reached(state := await self.learning(project)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return state

    async def decided(self, name: str) -> TrainingJob:
        """Wait until deploying is decided on."""
        return await self.until(name, lambda job: job.HasField("deployment"))

    async def jobs(self, project: str, **fields: object) -> list[TrainingJob]:
        """Return a project's jobs, oldest first."""
        answer = await self.stub.ListTrainingJobs(
            pb.ListTrainingJobsRequest(parent=f"projects/{project}", **fields)
        )
        return list(answer.training_jobs)[::-1]

    async def get(self, name: str) -> TrainingJob:
        answer = await self.stub.GetTrainingJob(pb.GetTrainingJobRequest(name=name))
        return answer.training_job

    async def cancel(self, name: str) -> TrainingJob:
        answer = await self.stub.CancelTrainingJob(pb.CancelTrainingJobRequest(name=name))
        return answer.training_job

    async def watch(self, name: str, token: str = "") -> list[pb.WatchTrainingJobResponse]:
        """Read a stream to its end."""
        request = pb.WatchTrainingJobRequest(name=name, resume_token=token)
        async with asyncio.timeout(180):
            return [message async for message in self.stub.WatchTrainingJob(request)]

    async def until(self, name: str, reached: Callable[[TrainingJob], bool]) -> TrainingJob:
        """Wait for a condition."""
        async with asyncio.timeout(180):
            while not reached(job := await self.get(name)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return job

    async def end(self, name: str) -> TrainingJob:
        """Wait for a terminal state."""
        return await self.until(name, lambda job: state_of(job) in TERMINAL)


def log_lines(messages: Sequence[pb.WatchTrainingJobResponse]) -> list[tuple[int, str]]:
    """Return the log lines of a stream."""
    return [
        (message.log_line.sequence, message.log_line.message)
        for message in messages
        if message.WhichOneof("payload") == "log_line"
    ]


class Loop:
    """Annotation and registry in this process, and trainers started around them as wanted."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.data = folder / "data"
        self.control = folder / "control"
        self.control.mkdir()
        self._stack = stack
        self._registry = AsyncExitStack()
        self.registry_address = ""
        self.annotation_address = ""

    async def start(self) -> None:
        from services.annotation.bootstrap import build as build_annotation

        server = await self._stack.enter_async_context(
            running(annotation_settings(self.data), build_annotation)
        )
        self.annotation_address = server.address
        self.annotation = AnnotationClient(
            await self._stack.enter_async_context(client_channel(server))
        )
        await self.start_registry()
        self._stack.push_async_callback(self.stop_registry)

    async def start_registry(self) -> None:
        from services.registry.bootstrap import build as build_registry

        settings = registry_settings(self.data)
        if self.registry_address:
            settings = settings.model_copy(update={"listen": self.registry_address})
        server = await self._registry.enter_async_context(running(settings, build_registry))
        self.registry_address = server.address
        self.registry = RegistryClient(
            await self._registry.enter_async_context(client_channel(server))
        )

    async def stop_registry(self) -> None:
        await self._registry.aclose()

    def settings(self, **fields: object) -> TrainerSettings:
        values: dict[str, object] = {
            "data_dir": self.data,
            "listen": "127.0.0.1:0",
            "annotation_address": self.annotation_address,
            "registry_address": self.registry_address,
            "trunk_source": "embedded:tiny",
            "poll_seconds": 0.1,
            "lease_seconds": 3,
            "peer_retry_seconds": 5,
            "drain_seconds": 2,
            "stop_seconds": 2,
        }
        return TrainerSettings(**(values | fields))

    def environment(self, **fields: object) -> dict[str, str]:
        """Return what gives a trainer process the same settings."""
        settings = self.settings(**fields)
        return {
            f"SPANLOOP_TRAINER_{name.upper()}": str(getattr(settings, name))
            for name in settings.model_fields_set
        }

    @asynccontextmanager
    async def trainer(self, **fields: object) -> AsyncIterator[tuple[TrainerClient, RunningServer]]:
        """Run a trainer in this process."""
        made = partial(build, child_command=fake_child(self.control), probe=no_gpu)
        async with (
            running(self.settings(**fields), made) as server,
            client_channel(server) as channel,
        ):
            yield TrainerClient(channel), server

    def control_child(self, **settings: object) -> None:
        """Set or (with None) remove control files."""
        for name, value in settings.items():
            if value is None:
                (self.control / name).unlink(missing_ok=True)
            else:
                (self.control / name).write_text(str(value))

    async def child_pid(self) -> int:
        """Wait for a child and return its process id."""
        path = self.control / "pid"
        async with asyncio.timeout(20):
            while not path.exists() or not path.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return int(path.read_text())

    async def tidied(self) -> None:
        """Wait until no job's folder is left; tidying follows the job's end."""
        async with asyncio.timeout(10):
            while list((self.data / "trainer" / "jobs").iterdir()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def trace(self) -> list[int]:
        """Return the passes that children have trained, in order."""
        path = self.control / "trace"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    async def snapshot(self, project: str = "p", labels: Sequence[str] = ("PARTY", "DATE")) -> str:
        """Make a project with six annotated texts and return a snapshot of it."""
        parent = await self.annotation.project(project, *labels)
        lines = []
        for index in range(6):
            split = ("train", "train", "train", "train", "dev", "test")[index]
            spans = [{"start": 0, "end": 4, "label": labels[0]}]
            if len(labels) > 1 and index < 2:
                spans.append({"start": 10, "end": 14, "label": labels[1]})
            text = f"Acme {index} paid 2024 to Bolt."
            lines.append(json.dumps({"text": text, "spans": spans, "split": split}))
        answer = await self.annotation.load(parent, "\n".join(lines).encode())
        assert answer.imported_tasks == 6, answer
        snapshot = await self.annotation.stub.CreateSnapshot(
            annotation_pb.CreateSnapshotRequest(parent=parent)
        )
        return str(snapshot.snapshot.name)

    async def mixed(self, project: str = "m", count: int = 12) -> str:
        """Make a project with spans, statuses and two `Choices` controls; return its name."""
        request = annotation_pb.CreateProjectRequest(project_id=project)
        request.project.labeling_config = MIXED
        parent = str((await self.annotation.stub.CreateProject(request)).project.name)
        for index in range(count):
            task = await self.annotation.task(parent, f"Acme {index} paid Bolt today.")
            completion = Completion(author="ann")
            for start, status in ((0, "Absent" if index % 2 else "Present"), (12, "")):
                completion.spans.add(start=start, end=start + 4, label="PARTY", assertion=status)
            completion.choices.add(name="topic", values=["law" if index % 3 else "tax"])
            completion.choices.add(name="flags", values=["new", "hot"][: 1 + index % 2])
            await self.annotation.stub.CreateCompletion(
                annotation_pb.CreateCompletionRequest(
                    parent=task.name, completion=completion, submit=True
                )
            )
        return parent

    async def annotate(self, project: str, count: int, first: int = 0) -> None:
        """Submit completions of so many new tasks."""
        parent = f"projects/{project}"
        for index in range(first, first + count):
            task = await self.annotation.task(parent, f"Acme {index} paid 2024 to Bolt.")
            await self.annotation.complete(task.name, [(0, 4, "PARTY")])

    async def versions(self, project: str = "p") -> list[ModelVersion]:
        """Return the versions of a project."""
        answer = await self.registry.stub.ListModelVersions(
            registry_pb.ListModelVersionsRequest(parent=f"projects/{project}")
        )
        return list(answer.model_versions)


@asynccontextmanager
async def running_loop(folder: Path) -> AsyncIterator[Loop]:
    """Run annotation and registry on a folder."""
    async with AsyncExitStack() as stack:
        loop = Loop(folder, stack)
        await loop.start()
        yield loop
