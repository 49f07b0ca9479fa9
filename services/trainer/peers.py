"""The annotation and registry services over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from google.protobuf import json_format
from grpc import aio

from services.common import artifacts
from services.common.channels import peer_errors
from services.common.errors import FailedPreconditionError, Reason
from services.trainer.convert import evaluation_out
from services.trainer.domain import TrainingData
from services.trainer.job_files import Example, Parity
from services.trainer.ports import (
    Change,
    ChoiceControl,
    ChosenPrecision,
    DeployedVersion,
    NewVersion,
    RegisteredAdapter,
    RegisteredTrunk,
    RegisteredVersion,
    Served,
    Snapshot,
)
from spanloop.annotation.v1 import (
    annotation_service_pb2,
    annotation_service_pb2_grpc,
    event_pb2,
    labeling_service_pb2,
    labeling_service_pb2_grpc,
    snapshot_pb2,
)
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import (
    adapter_pb2,
    model_version_pb2,
    registry_service_pb2,
    registry_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
    trunk_pb2,
)
from spanloop.trainer.v1 import training_job_pb2

_SPLITS = {
    evaluation_pb2.SPLIT_TRAIN: "train",
    evaluation_pb2.SPLIT_DEV: "dev",
    evaluation_pb2.SPLIT_TEST: "test",
}
_MODEL_TYPES = {
    "ner": evaluation_pb2.MODEL_TYPE_NER,
    "classification": evaluation_pb2.MODEL_TYPE_CLASSIFICATION,
    "assertion": evaluation_pb2.MODEL_TYPE_ASSERTION,
}
_MODEL_TYPE_NAMES: Mapping[int, str] = {
    # Deployments and versions of the first release carry none: they are all of this type.
    evaluation_pb2.MODEL_TYPE_UNSPECIFIED: "ner",
    **{number: name for name, number in _MODEL_TYPES.items()},
}
# No message of a stream for this long: the peer is gone, whatever its connection says.
_STREAM_SECONDS = 600.0
_PAGE = 1000


class GrpcAnnotation:
    """AnnotationPeer over a channel."""

    def __init__(self, channel: aio.Channel) -> None:
        """Use an open channel."""
        self._stub = annotation_service_pb2_grpc.AnnotationServiceStub(channel)
        self._labeling = labeling_service_pb2_grpc.LabelingServiceStub(channel)

    async def get_snapshot(self, name: str) -> Snapshot:
        """Return a snapshot; RESOURCE_NOT_FOUND when there is none."""
        with peer_errors("annotation"):
            answer = await self._stub.GetSnapshot(
                annotation_service_pb2.GetSnapshotRequest(name=name)
            )
        return _snapshot(answer.snapshot)

    async def create_snapshot(self, project: str, data: TrainingData, request_id: str) -> Snapshot:
        """Freeze the completions that `data` selects; a repeat returns the first snapshot."""
        wanted = json_format.Parse(data.document, training_job_pb2.TrainingData())
        with peer_errors("annotation"):
            answer = await self._stub.CreateSnapshot(
                annotation_service_pb2.CreateSnapshotRequest(
                    parent=f"projects/{project}",
                    selection=wanted.selection if wanted.HasField("selection") else None,
                    split_policy=wanted.split_policy if wanted.HasField("split_policy") else None,
                    request_id=request_id,
                )
            )
        return _snapshot(answer.snapshot)

    async def choice_controls(self, project: str) -> tuple[ChoiceControl, ...]:
        """Return the `Choices` controls of a project's labelling config; without one: none."""
        with peer_errors("annotation"):
            answer = await self._labeling.ValidateLabelingConfig(
                labeling_service_pb2.ValidateLabelingConfigRequest(parent=f"projects/{project}")
            )
        return tuple(
            ChoiceControl(name=control.name, multiple=control.multiple, train=control.train)
            for control in answer.choice_controls
        )

    async def watch_changes(self, project: str, token: str) -> AsyncIterator[Change]:
        """Yield what happens in a project behind a token."""
        request = annotation_service_pb2.WatchEventsRequest(
            parent=f"projects/{project}", resume_token=token
        )
        with peer_errors("annotation"):
            async for message in self._stub.WatchEvents(request):
                if message.WhichOneof("payload") == "heartbeat":
                    yield Change(token=message.heartbeat)
                    continue
                event = message.event
                yield Change(
                    token=event.resume_token,
                    submitted=event.type == event_pb2.EVENT_TYPE_COMPLETION_SUBMITTED,
                    time=event.time.ToMicroseconds(),
                )

    async def read_snapshot(self, name: str) -> AsyncIterator[Example]:
        """Yield a snapshot's examples in their fixed order."""
        with peer_errors("annotation"):
            stream = self._stub.ReadSnapshot(
                annotation_service_pb2.ReadSnapshotRequest(name=name), timeout=_STREAM_SECONDS
            )
            async for message in stream:
                for example in message.examples:
                    yield Example(
                        text=example.text,
                        spans=tuple((span.start, span.end, span.label) for span in example.spans),
                        split=_SPLITS.get(example.split, "train"),
                        choices=tuple(
                            (choice.name, value)
                            for choice in example.choices
                            for value in choice.values
                        ),
                        # Once for each extent: positives of other labels repeat their span.
                        assertions=tuple(
                            sorted(
                                {
                                    (span.start, span.end, span.assertion)
                                    for span in example.spans
                                    if span.assertion
                                }
                            )
                        ),
                    )


class GrpcRegistry:
    """RegistryPeer over a channel."""

    def __init__(self, channel: aio.Channel) -> None:
        """Use an open channel."""
        self._stub = registry_service_pb2_grpc.RegistryServiceStub(channel)
        self._servers = server_service_pb2_grpc.ServerServiceStub(channel)

    async def find_trunk(self, source: str) -> RegisteredTrunk | None:
        """Return the newest trunk from this source, if any."""
        with peer_errors("registry"):
            answer = await self._stub.ListTrunks(
                registry_service_pb2.ListTrunksRequest(source=source, page_size=1)
            )
        return _trunk(answer.trunks[0]) if answer.trunks else None

    async def get_trunk(self, digest: str) -> RegisteredTrunk:
        """Return a trunk; RESOURCE_NOT_FOUND when there is none."""
        name = f"trunks/{digest.removeprefix('sha256:')}"
        with peer_errors("registry"):
            answer = await self._stub.GetTrunk(registry_service_pb2.GetTrunkRequest(name=name))
        return _trunk(answer.trunk)

    async def choose_precision(self) -> ChosenPrecision:
        """Return the precision of trunks that fits the inference servers."""
        with peer_errors("registry"):
            answer = await self._servers.ChooseTrunkPrecision(
                server_service_pb2.ChooseTrunkPrecisionRequest()
            )
        return ChosenPrecision(precision=answer.precision, reason=answer.reason)

    async def download(self, digest: str, path: Path) -> None:
        """Write an artifact's verified bytes to a file."""
        with peer_errors("registry"):
            await artifacts.download_to(self._stub.DownloadArtifact, digest, path)

    async def upload(self, digest: str, path: Path) -> None:
        """Store a file's bytes under their digest."""
        with peer_errors("registry"):
            await artifacts.upload(self._stub.UploadArtifact, digest, path)

    async def register_trunk(self, manifest: bytes) -> str:
        """Register a trunk whose files are uploaded; returns its digest."""
        with peer_errors("registry"):
            answer = await self._stub.RegisterTrunk(
                registry_service_pb2.RegisterTrunkRequest(trunk=trunk_pb2.Trunk(manifest=manifest))
            )
        return str(answer.trunk.digest)

    async def register_adapter(self, manifest: bytes) -> str:
        """Register an adapter whose files are uploaded; returns its digest."""
        with peer_errors("registry"):
            answer = await self._stub.RegisterAdapter(
                registry_service_pb2.RegisterAdapterRequest(
                    adapter=adapter_pb2.Adapter(manifest=manifest)
                )
            )
        return str(answer.adapter.digest)

    async def get_version(self, name: str) -> RegisteredVersion:
        """Return a model version; RESOURCE_NOT_FOUND when there is none."""
        with peer_errors("registry"):
            answer = await self._stub.GetModelVersion(
                registry_service_pb2.GetModelVersionRequest(name=name)
            )
        return _version(answer.model_version)

    async def create_version(self, version: NewVersion) -> RegisteredVersion:
        """Create a model version, or return the one that the same request created."""
        message = model_version_pb2.ModelVersion(
            model_type=_MODEL_TYPES[version.model_type],
            control=version.control,
            adapters=version.adapters,
            evaluation=evaluation_out(version.evaluation),
            lineage=model_version_pb2.Lineage(
                snapshot=version.snapshot,
                snapshot_content_hash=version.snapshot_content_hash,
                training_job=version.training_job,
                code_version=version.code_version,
                parameters=version.parameters,
                base_model_versions=version.base_model_versions,
            ),
        )
        if version.baseline is not None and version.baseline.evaluation is not None:
            message.baseline.model_version = version.baseline.model_version
            message.baseline.evaluation.CopyFrom(
                evaluation_out([version.baseline.evaluation]).splits[0]
            )
        with peer_errors("registry"):
            answer = await self._stub.CreateModelVersion(
                registry_service_pb2.CreateModelVersionRequest(
                    parent=f"projects/{version.project}",
                    model_version=message,
                    request_id=version.request_id,
                    replace_newest=version.replace_newest,
                )
            )
        return _version(answer.model_version)

    async def find_version_of(self, project: str, training_job: str) -> RegisteredVersion | None:
        """Return the version that a job made, if any."""
        token = ""
        while True:
            with peer_errors("registry"):
                answer = await self._stub.ListModelVersions(
                    registry_service_pb2.ListModelVersionsRequest(
                        parent=f"projects/{project}",
                        page_size=_PAGE,
                        page_token=token,
                        show_replaced=True,
                    )
                )
            for version in answer.model_versions:
                if version.lineage.training_job == training_job:
                    return _version(version)
            token = answer.next_page_token
            if not token:
                return None

    async def get_adapter(self, digest: str) -> RegisteredAdapter:
        """Return an adapter; RESOURCE_NOT_FOUND when there is none."""
        name = f"adapters/{digest.removeprefix('sha256:')}"
        with peer_errors("registry"):
            answer = await self._stub.GetAdapter(registry_service_pb2.GetAdapterRequest(name=name))
        return RegisteredAdapter(
            digest=answer.adapter.digest,
            manifest=answer.adapter.manifest,
            files=dict(answer.adapter.files),
        )

    async def served(self, project: str) -> Served:
        """Return what a project serves."""
        try:
            with peer_errors("registry"):
                answer = await self._stub.GetDeployment(
                    registry_service_pb2.GetDeploymentRequest(name=f"projects/{project}/deployment")
                )
        except FailedPreconditionError as error:
            if error.reason is Reason.NOTHING_DEPLOYED:
                return Served()
            raise
        return Served(
            revision=answer.deployment.revision,
            etag=answer.deployment.etag,
            models=tuple(
                DeployedVersion(
                    name=model.model_version,
                    model_type=_MODEL_TYPE_NAMES[model.model_type],
                    control=model.control,
                    trunk_digest=model.trunk_digest,
                    adapters=dict(model.adapters),
                )
                for model in answer.deployment.models
            ),
        )

    async def deploy(self, version: str, etag: str, request_id: str) -> int:
        """Serve a version; returns the deployment's revision."""
        with peer_errors("registry"):
            answer = await self._stub.Deploy(
                registry_service_pb2.DeployRequest(
                    model_version=version, etag=etag, request_id=request_id
                )
            )
        return int(answer.deployment.revision)

    async def verify_version(self, name: str, parity: Parity) -> RegisteredVersion:
        """Record a version's parity check; returns it READY or FAILED."""
        report = model_version_pb2.ParityReport(
            max_abs_diff=parity.max_abs_diff,
            texts=parity.texts,
            span_mismatches=parity.span_mismatches,
        )
        with peer_errors("registry"):
            answer = await self._stub.VerifyModelVersion(
                registry_service_pb2.VerifyModelVersionRequest(name=name, parity=report)
            )
        return _version(answer.model_version)


def _snapshot(message: snapshot_pb2.Snapshot) -> Snapshot:
    choices: dict[tuple[str, str], int] = {}
    for key, count in message.choice_counts.items():
        control, _, value = key.partition("=")
        choices[control, value] = count
    return Snapshot(
        name=message.name,
        content_hash=message.content_hash,
        labels=tuple(message.labels),
        span_counts=dict(message.span_counts),
        example_counts=dict(message.example_counts),
        choice_counts=choices,
        assertion_counts=dict(message.assertion_counts),
    )


def _trunk(message: trunk_pb2.Trunk) -> RegisteredTrunk:
    return RegisteredTrunk(
        digest=message.digest,
        manifest=message.manifest,
        source=message.source,
        files=dict(message.files),
    )


def _version(message: model_version_pb2.ModelVersion) -> RegisteredVersion:
    state = model_version_pb2.ModelVersionState.Name(message.state)
    return RegisteredVersion(
        name=message.name,
        state=state.removeprefix("MODEL_VERSION_STATE_"),
        adapters=dict(message.adapters),
        trunk_digest=message.trunk_digest,
        failure_message=message.failure_message,
        model_type=_MODEL_TYPE_NAMES[message.model_type],
        control=message.control,
        purged=message.HasField("purge_time"),
    )
