"""What the registry's tests share: tiny valid manifests and a client that makes whole versions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import aio

from services.common.artifacts import download, upload
from services.common.blobs import digest_of
from services.common.clock import Clock
from services.common.errors import Reason
from services.common.grpc_status import received_error
from services.common.modeling.manifest import (
    ADAPTER_FILE,
    TOKENIZER_FILE,
    TRUNK_FILE,
    AdapterManifest,
    Decoding,
    FileDigest,
    Head,
    LadderArchitecture,
    TrunkManifest,
)
from services.registry.bootstrap import build
from services.registry.config import RegistrySettings
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import (
    governance_service_pb2,
    governance_service_pb2_grpc,
    registry_service_pb2_grpc,
    server_service_pb2_grpc,
    trial_pb2,
    trial_service_pb2,
    trial_service_pb2_grpc,
)
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1.adapter_pb2 import Adapter
from spanloop.registry.v1.deployment_pb2 import Deployment
from spanloop.registry.v1.model_alias_pb2 import ModelAlias
from spanloop.registry.v1.model_version_pb2 import ModelVersion, ParityReport
from spanloop.registry.v1.registry_policy_pb2 import (
    DeployGate,
    RegistryPolicy,
    RetentionPolicy,
)
from spanloop.registry.v1.retention_pb2 import RetentionItem, RetentionSummary
from spanloop.registry.v1.trunk_pb2 import Trunk
from tests.support import client_channel, running

MODEL = b"onnx bytes"
TOKENIZER = b'{"tokenizer": "json"}'
GOOD = ParityReport(max_abs_diff=1e-5, texts=3)
BAD = ParityReport(max_abs_diff=0.5, texts=3, span_mismatches=2)


def trunk_manifest(*, source: str = "embedded:tiny", model: bytes = MODEL) -> TrunkManifest:
    """Return a small valid manifest; its files are `model` and TOKENIZER."""
    return TrunkManifest(
        name="tiny",
        source=source,
        architecture="bert",
        hidden_size=8,
        taps=3,
        max_length=32,
        pad_token_id=0,
        precision="fp32",
        opset=17,
        files={TRUNK_FILE: FileDigest.of(model), TOKENIZER_FILE: FileDigest.of(TOKENIZER)},
    )


def adapter_manifest(
    label: str,
    *,
    trunk: TrunkManifest | None = None,
    weights: bytes = b"weights",
    taps: tuple[int, ...] = (1, 2),
    hidden_size: int = 8,
    max_length: int = 32,
    head: Head = Head.TAGS,
    classes: tuple[str, ...] = (),
) -> AdapterManifest:
    """Return a small valid manifest; its file is `weights`."""
    trunk = trunk or trunk_manifest()
    return AdapterManifest(
        label=label,
        trunk_digest=trunk.digest,
        tokenizer_digest=trunk.tokenizer_digest,
        architecture=LadderArchitecture(
            hidden_size=hidden_size,
            width=4,
            taps=taps,
            context=1,
            features=39,
            head=head,
            classes=len(classes) or 3,
        ),
        decoding=Decoding(scheme="bio" if head is Head.TAGS else "single"),
        classes=classes,
        max_length=max_length,
        stride=8,
        files={ADAPTER_FILE: FileDigest.of(weights)},
        word_splitter="v1",
        featuriser="v1",
        metrics={"dev": {"f1": 0.5}},
        lineage={"seed": 1},
    )


class RegistryClient:
    """The stub, and the steps that most tests begin with."""

    def __init__(self, channel: aio.Channel) -> None:
        self.stub = registry_service_pb2_grpc.RegistryServiceStub(channel)
        self.governance = governance_service_pb2_grpc.GovernanceServiceStub(channel)
        self.server_stub = server_service_pb2_grpc.ServerServiceStub(channel)
        self.trial_stub = trial_service_pb2_grpc.TrialServiceStub(channel)

    async def upload(self, data: bytes) -> str:
        digest = digest_of(data)
        await upload(self.stub.UploadArtifact, digest, data)
        return digest

    async def download(self, digest: str) -> bytes:
        return await download(self.stub.DownloadArtifact, digest)

    async def trunk(self, manifest: TrunkManifest | None = None, model: bytes = MODEL) -> Trunk:
        await self.upload(model)
        await self.upload(TOKENIZER)
        data = (manifest or trunk_manifest(model=model)).to_bytes()
        answer = await self.stub.RegisterTrunk(pb.RegisterTrunkRequest(trunk=Trunk(manifest=data)))
        return answer.trunk

    async def register_adapter(self, manifest: AdapterManifest) -> Adapter:
        answer = await self.stub.RegisterAdapter(
            pb.RegisterAdapterRequest(adapter=Adapter(manifest=manifest.to_bytes()))
        )
        return answer.adapter

    async def adapter(
        self,
        label: str,
        weights: bytes = b"weights",
        head: Head = Head.TAGS,
        classes: tuple[str, ...] = (),
    ) -> str:
        await self.trunk()
        await self.upload(weights)
        manifest = adapter_manifest(label, weights=weights, head=head, classes=classes)
        return (await self.register_adapter(manifest)).digest

    async def version(
        self,
        project: str,
        adapters: dict[str, str],
        request_id: str = "",
        *,
        replace_newest: bool = False,
        bases: Sequence[str] = (),
    ) -> ModelVersion:
        request = version_request(project, adapters, request_id=request_id)
        request.model_version.lineage.base_model_versions.extend(bases)
        request.replace_newest = replace_newest
        answer = await self.stub.CreateModelVersion(request)
        return answer.model_version

    async def listed(self, project: str, **fields: object) -> list[str]:
        """Return the ids of a project's versions, newest first."""
        answer = await self.stub.ListModelVersions(
            pb.ListModelVersionsRequest(parent=f"projects/{project}", **fields)
        )
        return [version.name.rpartition("/")[2] for version in answer.model_versions]

    async def verify(self, name: str, parity: ParityReport = GOOD) -> ModelVersion:
        answer = await self.stub.VerifyModelVersion(
            pb.VerifyModelVersionRequest(name=name, parity=parity)
        )
        return answer.model_version

    async def ready(self, project: str, label: str = "PARTY", count: int = 1) -> list[str]:
        """Make READY versions and return their names."""
        adapters = {label: await self.adapter(label)}
        made = [await self.version(project, adapters) for _ in range(count)]
        return [(await self.verify(version.name)).name for version in made]

    async def retire(self, name: str, etag: str = "") -> ModelVersion:
        answer = await self.stub.RetireModelVersion(
            pb.RetireModelVersionRequest(name=name, etag=etag)
        )
        return answer.model_version

    async def get_version(self, name: str) -> ModelVersion:
        answer = await self.stub.GetModelVersion(pb.GetModelVersionRequest(name=name))
        return answer.model_version

    async def deploy(self, version: str, etag: str = "", request_id: str = "") -> Deployment:
        answer = await self.stub.Deploy(
            pb.DeployRequest(model_version=version, etag=etag, request_id=request_id)
        )
        return answer.deployment

    async def rollback(
        self, project: str, revision: int = 0, etag: str = "", request_id: str = ""
    ) -> Deployment:
        answer = await self.stub.Rollback(
            pb.RollbackRequest(
                name=f"projects/{project}/deployment",
                revision=revision,
                etag=etag,
                request_id=request_id,
            )
        )
        return answer.deployment

    async def pin(
        self, project: str, label: str, version: str, etag: str = "", request_id: str = ""
    ) -> Deployment:
        answer = await self.stub.PinLabel(
            pb.PinLabelRequest(
                name=f"projects/{project}/deployment",
                label=label,
                model_version=version,
                etag=etag,
                request_id=request_id,
            )
        )
        return answer.deployment

    async def unpin(
        self, project: str, label: str, etag: str = "", request_id: str = ""
    ) -> Deployment:
        answer = await self.stub.UnpinLabel(
            pb.UnpinLabelRequest(
                name=f"projects/{project}/deployment",
                label=label,
                etag=etag,
                request_id=request_id,
            )
        )
        return answer.deployment

    async def set_alias(self, name: str, version: str, etag: str = "") -> ModelAlias:
        answer = await self.stub.SetModelAlias(
            pb.SetModelAliasRequest(
                model_alias=ModelAlias(name=name, model_version=version, etag=etag)
            )
        )
        return answer.model_alias

    async def delete_alias(self, name: str, etag: str = "") -> None:
        await self.stub.DeleteModelAlias(pb.DeleteModelAliasRequest(name=name, etag=etag))

    async def aliases(self, project: str) -> dict[str, str]:
        """Return ids of versions by ids of aliases."""
        answer = await self.stub.ListModelAliases(
            pb.ListModelAliasesRequest(parent=f"projects/{project}")
        )
        return {
            alias.name.rpartition("/")[2]: alias.model_version.rpartition("/")[2]
            for alias in answer.model_aliases
        }

    async def set_policy(
        self,
        project: str,
        *,
        gate: DeployGate | None = None,
        retention: RetentionPolicy | None = None,
        etag: str = "",
    ) -> RegistryPolicy:
        """Set those of the two that are given."""
        policy = RegistryPolicy(name=f"projects/{project}/registryPolicy", etag=etag)
        mask = []
        if gate is not None:
            policy.gate.CopyFrom(gate)
            mask.append("gate")
        if retention is not None:
            policy.retention.CopyFrom(retention)
            mask.append("retention")
        answer = await self.governance.UpdateRegistryPolicy(
            governance_service_pb2.UpdateRegistryPolicyRequest(
                registry_policy=policy, update_mask=FieldMask(paths=mask)
            )
        )
        return answer.registry_policy

    async def retention(
        self, parent: str = "projects/-", *, apply: bool = True
    ) -> tuple[dict[str, RetentionItem], RetentionSummary]:
        """Run the retention; return the items by their last segment, and the summary."""
        items: dict[str, RetentionItem] = {}
        summary: RetentionSummary | None = None
        async for message in self.governance.RunRetention(
            governance_service_pb2.RunRetentionRequest(parent=parent, apply=apply)
        ):
            for item in message.items:
                assert item.resource not in items
                items[item.resource] = item
            if message.HasField("summary"):
                summary = message.summary
        assert summary is not None
        return {name.removeprefix("projects/p/modelVersions/"): i for name, i in items.items()}, (
            summary
        )

    async def start_trial(
        self,
        version: str,
        *,
        mode: trial_pb2.TrialMode = trial_pb2.TRIAL_MODE_SHADOW,
        share: float = 0.5,
        limits: trial_pb2.TrialLimits | None = None,
        request_id: str = "",
        force: bool = False,
    ) -> trial_pb2.Trial:
        answer = await self.trial_stub.StartTrial(
            trial_service_pb2.StartTrialRequest(
                parent="/".join(version.split("/")[:2]),
                trial=trial_pb2.Trial(model_version=version, mode=mode, share=share, limits=limits),
                request_id=request_id,
                force=force,
            )
        )
        return answer.trial

    async def get_trial(self, name: str) -> trial_pb2.Trial:
        answer = await self.trial_stub.GetTrial(trial_service_pb2.GetTrialRequest(name=name))
        return answer.trial

    async def trials(self, project: str = "p") -> list[trial_pb2.Trial]:
        answer = await self.trial_stub.ListTrials(
            trial_service_pb2.ListTrialsRequest(parent=f"projects/{project}")
        )
        return list(answer.trials)

    async def end_trial(self, name: str, **fields: object) -> trial_service_pb2.EndTrialResponse:
        request = trial_service_pb2.EndTrialRequest(name=name, **fields)  # type: ignore[arg-type]
        return await self.trial_stub.EndTrial(request)

    async def report(
        self,
        name: str,
        reporter: str,
        sequence: int,
        counts: trial_pb2.TrialCounts | None = None,
    ) -> trial_pb2.Trial:
        answer = await self.trial_stub.ReportTrial(
            trial_service_pb2.ReportTrialRequest(
                name=name,
                reporter=reporter,
                sequence=sequence,
                counts=counts,
                candidate_state=trial_pb2.CANDIDATE_STATE_READY,
            )
        )
        return answer.trial

    async def deployment(self, project: str) -> Deployment:
        answer = await self.stub.GetDeployment(
            pb.GetDeploymentRequest(name=f"projects/{project}/deployment")
        )
        return answer.deployment

    async def revisions(self, project: str) -> list[Deployment]:
        """Return all revisions, oldest first."""
        found: list[Deployment] = []
        token = ""
        while True:
            answer = await self.stub.ListDeploymentRevisions(
                pb.ListDeploymentRevisionsRequest(
                    name=f"projects/{project}/deployment", page_size=7, page_token=token
                )
            )
            found += answer.deployments
            token = answer.next_page_token
            if not token:
                return found[::-1]


def version_request(
    project: str, adapters: dict[str, str], *, request_id: str = "", **fields: object
) -> pb.CreateModelVersionRequest:
    """Return the request for a version with an evaluation and a lineage."""
    message = ModelVersion(model_type=evaluation_pb2.MODEL_TYPE_NER, adapters=adapters)
    message.lineage.snapshot = f"projects/{project}/snapshots/s1"
    split = message.evaluation.splits.add(split=evaluation_pb2.SPLIT_TEST, texts=5)
    for label in adapters:
        split.labels[label].CopyFrom(
            evaluation_pb2.SpanMetrics(precision=1, recall=0.5, f1=2 / 3, support=4)
        )
    split.micro.f1 = 2 / 3
    return pb.CreateModelVersionRequest(
        parent=f"projects/{project}", model_version=message, request_id=request_id
    )


@contextmanager
def refused(
    code: grpc.StatusCode, reason: Reason, *, field: str = "", **metadata: str
) -> Iterator[None]:
    """Expect a call to fail with a code, a reason, a bad field, facts."""
    with pytest.raises(aio.AioRpcError) as caught:
        yield
    error = received_error(caught.value)
    assert (error.code, error.reason) == (code, reason), error
    if field:
        assert [violation.field for violation in error.violations] == [field]
    assert error.metadata.items() >= metadata.items()


def registry_settings(folder: Path, **fields: object) -> RegistrySettings:
    """Return settings for a server of this process, or of another one on the same data."""
    return RegistrySettings(data_dir=folder, listen="127.0.0.1:0", **fields)


@asynccontextmanager
async def registry(
    folder: Path, clock: Clock | None = None, **fields: object
) -> AsyncIterator[RegistryClient]:
    """Run a registry on a folder and connect to it."""
    async with (
        running(registry_settings(folder, **fields), partial(build, clock=clock)) as server,
        client_channel(server) as channel,
    ):
        yield RegistryClient(channel)
