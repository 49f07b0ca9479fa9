"""The registry and the annotation service over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager

import grpc
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from services.common.artifacts import download
from services.common.channels import peer_errors
from services.common.errors import Reason, ResourceExhaustedError
from services.inference.convert.annotation import newest_sources, prediction_message, task_page_of
from services.inference.convert.registry import deployment_of, model_version_of
from services.inference.domain import (
    AdapterDigests,
    DeploymentRevision,
    Device,
    ModelVersion,
    TaskPage,
    TaskPrediction,
)
from services.inference.trials import convert as trial_convert
from services.inference.trials.domain import Trial, TrialOver, TrialReport
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import (
    annotation_service_pb2_grpc,
    labeling_service_pb2_grpc,
    prediction_pb2,
    task_pb2,
)
from spanloop.annotation.v1 import labeling_service_pb2 as labeling_pb
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1 import (
    registry_service_pb2_grpc,
    server_pb2,
    server_service_pb2_grpc,
    trial_pb2,
    trial_service_pb2_grpc,
)
from spanloop.registry.v1 import server_service_pb2 as server_pb

_REGISTRY = "registry"
_ANNOTATION = "annotation"
_DEVICES = {Device.CPU: server_pb2.DEVICE_CPU, Device.CUDA: server_pb2.DEVICE_CUDA}


class RegistryPeer:
    """The `Registry` port."""

    def __init__(self, channel: aio.Channel, *, silence_seconds: float) -> None:
        """Call through a channel that carries the token.

        A download of which nothing comes for `silence_seconds` is given up: it would hold up what
        loads for ever.
        """
        self._silence = silence_seconds
        self._stub = registry_service_pb2_grpc.RegistryServiceStub(channel)
        self._trials = trial_service_pb2_grpc.TrialServiceStub(channel)
        self._servers = server_service_pb2_grpc.ServerServiceStub(channel)

    async def watch_deployments(
        self,
    ) -> AsyncIterator[DeploymentRevision | Trial | TrialOver | None]:
        """See `Registry.watch_deployments`."""
        request = registry_pb.WatchDeploymentRequest(name="projects/-/deployment", trials=True)
        with peer_errors(_REGISTRY):
            async for message in self._stub.WatchDeployment(request):
                match message.WhichOneof("payload"):
                    case "deployment":
                        yield deployment_of(message.deployment)
                    case "trial":
                        yield trial_convert.trial_of(message.trial)
                    case _:
                        yield None

    async def report_trial(self, report: TrialReport) -> bool:
        """See `Registry.report_trial`."""
        with peer_errors(_REGISTRY):
            response = await self._trials.ReportTrial(trial_convert.report_request(report))
        return bool(response.trial.state == trial_pb2.TRIAL_STATE_RUNNING)

    async def report_server(self, server: str, device: Device, lifetime: float) -> None:
        """See `Registry.report_server`."""
        request = server_pb.ReportServerRequest(
            server=server_pb2.InferenceServer(name=f"servers/{server}", device=_DEVICES[device]),
            time_to_live=Duration(seconds=int(lifetime), nanos=int(lifetime % 1 * 1e9)),
        )
        with peer_errors(_REGISTRY):
            await self._servers.ReportServer(request)

    async def remove_server(self, server: str) -> None:
        """See `Registry.remove_server`."""
        with peer_errors(_REGISTRY):
            await self._servers.RemoveServer(
                server_pb.RemoveServerRequest(name=f"servers/{server}")
            )

    async def deployment(self, project: str) -> DeploymentRevision:
        """See `Registry.deployment`."""
        request = registry_pb.GetDeploymentRequest(name=f"projects/{project}/deployment")
        with peer_errors(_REGISTRY):
            response = await self._stub.GetDeployment(request)
        return deployment_of(response.deployment)

    async def model_version(self, project: str, version: str) -> ModelVersion:
        """See `Registry.model_version`."""
        request = registry_pb.GetModelVersionRequest(
            name=f"projects/{project}/modelVersions/{version}"
        )
        with peer_errors(_REGISTRY):
            response = await self._stub.GetModelVersion(request)
        return model_version_of(response.model_version)

    async def adapter_manifest(self, digest: str) -> bytes:
        """See `Registry.adapter_manifest`."""
        name = f"adapters/{digest.removeprefix('sha256:')}"
        with peer_errors(_REGISTRY):
            response = await self._stub.GetAdapter(registry_pb.GetAdapterRequest(name=name))
        return bytes(response.adapter.manifest)

    async def trunk_manifest(self, digest: str) -> bytes:
        """See `Registry.trunk_manifest`."""
        name = f"trunks/{digest.removeprefix('sha256:')}"
        with peer_errors(_REGISTRY):
            response = await self._stub.GetTrunk(registry_pb.GetTrunkRequest(name=name))
        return bytes(response.trunk.manifest)

    async def download(self, digest: str) -> bytes:
        """See `Registry.download`."""
        with peer_errors(_REGISTRY):
            return await download(
                self._stub.DownloadArtifact, digest, silence_seconds=self._silence
            )


class AnnotationPeer:
    """The `Annotation` port."""

    def __init__(self, channel: aio.Channel) -> None:
        """Call through a channel that carries the token."""
        self._stub = annotation_service_pb2_grpc.AnnotationServiceStub(channel)
        self._labeling = labeling_service_pb2_grpc.LabelingServiceStub(channel)

    async def open_tasks(self, project: str, cursor: str, page_size: int) -> TaskPage:
        """See `Annotation.open_tasks`."""
        request = annotation_pb.ListTasksRequest(
            parent=f"projects/{project}",
            page_size=page_size,
            page_token=cursor,
            statuses=[task_pb2.TASK_STATUS_INCOMPLETE],
        )
        with peer_errors(_ANNOTATION), _oversize():
            response = await self._stub.ListTasks(request)
        return task_page_of(response)

    async def newest_sources(
        self, project: str, tasks: Sequence[str]
    ) -> Mapping[str, AdapterDigests]:
        """See `Annotation.newest_sources`."""
        request = annotation_pb.ListPredictionsRequest(
            parent=f"projects/{project}/tasks/-", tasks=tasks, sources_only=True, page_size=1000
        )
        found: list[prediction_pb2.Prediction] = []
        with peer_errors(_ANNOTATION):
            while True:
                response = await self._stub.ListPredictions(request)
                found.extend(response.predictions)
                if not response.next_page_token:
                    return newest_sources(found)
                request.page_token = response.next_page_token

    async def write_predictions(
        self, project: str, predictions: Sequence[TaskPrediction]
    ) -> tuple[int, int]:
        """See `Annotation.write_predictions`."""
        request = annotation_pb.WritePredictionsRequest(
            parent=f"projects/{project}",
            predictions=[prediction_message(prediction) for prediction in predictions],
        )
        with peer_errors(_ANNOTATION):
            response = await self._stub.WritePredictions(request)
        return response.written, response.unchanged

    async def assign_models(
        self, project: str, labels: Mapping[str, str], controls: Mapping[str, str]
    ) -> bool:
        """See `Annotation.assign_models`."""
        request = labeling_pb.AssignModelsRequest(
            parent=f"projects/{project}", label_models=labels, choices_models=controls
        )
        with peer_errors(_ANNOTATION):
            response = await self._labeling.AssignModels(request)
        return bool(response.changed)


@contextmanager
def _oversize() -> Iterator[None]:
    """Tell an answer larger than this side takes from a refusal: gRPC gives both one code."""
    try:
        yield
    except aio.AioRpcError as error:
        trailers = error.trailing_metadata() or ()
        explained = any(key == "grpc-status-details-bin" for key, _ in trailers)
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and not explained:
            raise ResourceExhaustedError(
                Reason.REQUEST_TOO_LARGE, "The tasks' texts are too large for one answer."
            ) from error
        raise
