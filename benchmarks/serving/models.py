"""Models to serve: adapters of the right shapes with random weights, and their registration."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
from grpc import aio

from benchmarks.serving.servers import METADATA, Servers
from services.common.artifacts import upload
from services.common.modeling.adapter import pack_adapter
from services.common.modeling.manifest import (
    ADAPTER_FILE,
    AdapterManifest,
    Decoding,
    FileDigest,
    LadderArchitecture,
    TrunkManifest,
)
from services.common.modeling.onnx.trunk import MANIFEST_FILE
from services.common.modeling.word_features import FEATURE_COUNT, FEATURISER
from services.common.modeling.words import WORD_SPLITTER
from services.trainer.engines.interface import AdapterArtifact
from services.trainer.engines.params import LadderParams
from spanloop.common.v1 import evaluation_pb2
from spanloop.inference.v1 import inference_service_pb2 as inference_pb
from spanloop.inference.v1 import inference_service_pb2_grpc
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1 import registry_service_pb2_grpc
from spanloop.registry.v1.adapter_pb2 import Adapter
from spanloop.registry.v1.model_version_pb2 import ModelVersion, ParityReport
from spanloop.registry.v1.trunk_pb2 import Trunk

if TYPE_CHECKING:
    # The name is there for type checkers only.
    from spanloop.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub

_SERVED_SECONDS = 120.0
FEW_SPANS, MANY_SPANS = 4.0, 2.0
"""Biases of O: with the first a label has about a span in six short texts, as in real ones, with
the second several in each, so that what models say differs in any text."""


@dataclass(frozen=True, kw_only=True)
class TrunkFolder:
    """An exported trunk on disk."""

    manifest: TrunkManifest
    folder: Path

    @classmethod
    def open(cls, folder: Path) -> TrunkFolder:
        """Read a folder's manifest.

        Raises:
            SystemExit: It holds no exported trunk.
        """
        try:
            data = (folder / MANIFEST_FILE).read_bytes()
        except OSError as error:
            raise SystemExit(f"{folder} holds no exported trunk: {error.strerror}") from error
        return cls(manifest=TrunkManifest.from_bytes(data), folder=folder)


def label_names(count: int) -> list[str]:
    """Return names of so many labels."""
    return [f"L{number:03d}" for number in range(count)]


def random_adapter(
    trunk: TrunkManifest, label: str, seed: int, outside_bias: float = FEW_SPANS
) -> AdapterArtifact:
    """Return an adapter of the shape that training gives, with random weights."""
    params = LadderParams()
    architecture = LadderArchitecture(
        hidden_size=trunk.hidden_size,
        width=params.width,
        taps=tuple(range(trunk.taps)),
        context=params.context,
        features=FEATURE_COUNT,
    )
    rng = np.random.default_rng([seed, *label.encode()])
    weights = pack_adapter(
        {
            name: _random(rng, name, shape).astype(np.float32)
            for name, shape in architecture.tensor_shapes().items()
        }
    )
    manifest = AdapterManifest(
        label=label,
        trunk_digest=trunk.digest,
        tokenizer_digest=trunk.tokenizer_digest,
        architecture=architecture,
        decoding=Decoding(outside_bias=outside_bias),
        max_length=min(params.max_length, trunk.max_length),
        stride=params.stride,
        files={ADAPTER_FILE: FileDigest.of(weights)},
        word_splitter=WORD_SPLITTER,
        featuriser=FEATURISER,
        lineage={"seed": seed},
    )
    return AdapterArtifact(manifest=manifest.to_bytes(), weights=weights)


def _random(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    # Sums of products stay of one size whatever the number of inputs; biases are small.
    inputs = shape[-2] if len(shape) > 1 and not name.endswith("bias") else 100
    return rng.normal(scale=1 / np.sqrt(inputs), size=shape)


class Publisher:
    """Registers trunks, adapters and versions, and deploys them."""

    def __init__(self, channel: aio.Channel) -> None:
        """Use the registry behind a channel that shows the token."""
        self._stub = registry_service_pb2_grpc.RegistryServiceStub(channel)

    async def trunk(self, trunk: TrunkFolder) -> None:
        """Upload and register a trunk."""
        for name, file in trunk.manifest.files.items():
            await upload(self._stub.UploadArtifact, file.digest, trunk.folder / name)
        message = Trunk(manifest=trunk.manifest.to_bytes())
        await self._stub.RegisterTrunk(pb.RegisterTrunkRequest(trunk=message), timeout=120)

    async def version(self, project: str, adapters: Sequence[AdapterArtifact]) -> str:
        """Upload and register adapters of NER labels; return the name of their READY version."""
        digests = {}
        for adapter in adapters:
            manifest = AdapterManifest.from_bytes(adapter.manifest)
            await upload(
                self._stub.UploadArtifact, manifest.files[ADAPTER_FILE].digest, adapter.weights
            )
            await self._stub.RegisterAdapter(
                pb.RegisterAdapterRequest(adapter=Adapter(manifest=adapter.manifest))
            )
            digests[manifest.label] = manifest.digest
        message = ModelVersion(model_type=evaluation_pb2.MODEL_TYPE_NER, adapters=digests)
        message.lineage.snapshot = f"projects/{project}/snapshots/benchmark"
        # A registry refuses versions that were not evaluated; this one's scores mean nothing.
        split = message.evaluation.splits.add(split=evaluation_pb2.SPLIT_TEST, texts=1)
        for label in digests:
            split.labels[label].CopyFrom(
                evaluation_pb2.SpanMetrics(precision=1, recall=1, f1=1, support=1)
            )
        split.micro.f1 = 1
        made = await self._stub.CreateModelVersion(
            pb.CreateModelVersionRequest(parent=f"projects/{project}", model_version=message)
        )
        name = str(made.model_version.name)
        await self._stub.VerifyModelVersion(
            pb.VerifyModelVersionRequest(
                name=name, parity=ParityReport(max_abs_diff=0, texts=1, span_mismatches=0)
            )
        )
        return name

    async def deploy(self, version: str) -> int:
        """Deploy a version; return the deployment's revision."""
        answer = await self._stub.Deploy(pb.DeployRequest(model_version=version), timeout=60)
        return int(answer.deployment.revision)


async def serve_projects(
    running: Servers, trunk: TrunkFolder, projects: Mapping[str, Sequence[AdapterArtifact]]
) -> dict[str, str]:
    """Register and deploy a version per project; return their names when all of them answer."""
    async with running.peer("registry") as channel:
        publisher = Publisher(channel)
        await publisher.trunk(trunk)
        versions = {}
        for project, adapters in projects.items():
            versions[project] = await publisher.version(project, adapters)
            await publisher.deploy(versions[project])
    async with running.aio_channel("inference") as channel:
        stub = inference_service_pb2_grpc.InferenceServiceStub(channel)
        for project in projects:
            await answered(stub, project)
    return versions


async def answered(stub: InferenceServiceAsyncStub, project: str, revision: int = 1) -> None:
    """Return when the inference service answers with a revision of a project's deployment.

    Raises:
        SystemExit: It does not.
    """
    request = inference_pb.PredictRequest(project=f"projects/{project}", texts=["word"])
    deadline = time.monotonic() + _SERVED_SECONDS
    refusal = "another revision answers"
    while time.monotonic() < deadline:
        try:
            answer = await stub.Predict(request, metadata=METADATA, timeout=60)
        except aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise SystemExit(f"{project} is not served: {error.details()}") from error
            refusal = error.details() or ""
        else:
            if answer.generation.deployment_revision >= revision:
                return
        await asyncio.sleep(0.05)
    raise SystemExit(f"{project} is not served: {refusal}")
