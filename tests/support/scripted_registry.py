"""A registry that deploys what a test tells it, right or wrong, behind a real gRPC server."""

# ruff: noqa: N802 - names and signatures are those of the generated base class

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from grpc import aio

from services.common.modeling.manifest import Head
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1 import registry_service_pb2_grpc
from spanloop.registry.v1.adapter_pb2 import Adapter
from spanloop.registry.v1.deployment_pb2 import DeployedModel, Deployment
from spanloop.registry.v1.model_version_pb2 import MODEL_VERSION_STATE_READY, ModelVersion
from spanloop.registry.v1.trunk_pb2 import Trunk
from tests.support.inference import FakeRegistry, TinyAdapter, tiny_trunk

_TYPES = {
    Head.TAGS: evaluation_pb2.MODEL_TYPE_NER,
    Head.CHOICES: evaluation_pb2.MODEL_TYPE_CLASSIFICATION,
    Head.ASSERTION: evaluation_pb2.MODEL_TYPE_ASSERTION,
}


Way = Callable[[str, bytes], Awaitable[bytes]]


async def straight(_: str, data: bytes) -> bytes:
    """Return an artifact as it is."""
    return data


class ScriptedRegistry(registry_service_pb2_grpc.RegistryServiceServicer):
    """One project, ``p``; everything that inference asks of a registry."""

    def __init__(self) -> None:
        self.store = FakeRegistry()
        self.versions: dict[str, ModelVersion] = {}
        self.deployment = Deployment(name="projects/p/deployment")
        self.changed = asyncio.Event()
        self.way: Way = straight
        """What happens to an artifact on the way, by its digest."""
        self.stop: Callable[[], Awaitable[None]]
        """Goes away in the middle of whatever it does."""

    def version(self, adapters: Sequence[TinyAdapter]) -> DeployedModel:
        """Register a version of adapters of one kind, and return it as it would be deployed."""
        manifest = adapters[0].manifest
        for seed in range(2):
            if tiny_trunk(seed).manifest.digest == manifest.trunk_digest:
                self.store.add(*adapters, trunk_seed=seed)
        head = manifest.architecture.head
        control = manifest.label if head is Head.CHOICES else ""
        infix = f"{control}_" if control else ""
        name = f"projects/p/modelVersions/{manifest.model_type}_{infix}p_v{len(self.versions) + 1}"
        model = DeployedModel(
            model_version=name,
            trunk_digest=manifest.trunk_digest,
            adapters={one.manifest.label: one.manifest.digest for one in adapters},
            model_type=_TYPES[head],
            control=control,
        )
        self.versions[name] = ModelVersion(
            name=name,
            state=MODEL_VERSION_STATE_READY,
            adapters=model.adapters,
            trunk_digest=model.trunk_digest,
            model_type=model.model_type,
            control=control,
        )
        return model

    def deploy(self, *models: DeployedModel) -> list[str]:
        """Serve exactly these models, as the next revision; return their versions."""
        revision = self.deployment.revision + 1
        self.deployment = Deployment(name="projects/p/deployment", revision=revision, models=models)
        told, self.changed = self.changed, asyncio.Event()
        told.set()
        return [model.model_version for model in models]

    async def WatchDeployment(
        self, request: pb.WatchDeploymentRequest, context: object
    ) -> AsyncIterator[pb.WatchDeploymentResponse]:
        while True:
            changed = self.changed
            if self.deployment.revision:
                yield pb.WatchDeploymentResponse(deployment=self.deployment)
            await changed.wait()

    async def GetModelVersion(
        self, request: pb.GetModelVersionRequest, context: object
    ) -> pb.GetModelVersionResponse:
        return pb.GetModelVersionResponse(model_version=self.versions[request.name])

    async def GetAdapter(
        self, request: pb.GetAdapterRequest, context: object
    ) -> pb.GetAdapterResponse:
        manifest = await self._manifest("sha256:" + request.name.removeprefix("adapters/"))
        return pb.GetAdapterResponse(adapter=Adapter(manifest=manifest))

    async def GetTrunk(self, request: pb.GetTrunkRequest, context: object) -> pb.GetTrunkResponse:
        manifest = await self._manifest("sha256:" + request.name.removeprefix("trunks/"))
        return pb.GetTrunkResponse(trunk=Trunk(manifest=manifest))

    async def _manifest(self, digest: str) -> bytes:
        return await self.way(digest, self.store.manifests[digest])

    async def DownloadArtifact(
        self, request: pb.DownloadArtifactRequest, context: object
    ) -> AsyncIterator[pb.DownloadArtifactResponse]:
        data = await self.way(request.digest, self.store.blobs[request.digest])
        yield pb.DownloadArtifactResponse(chunk=data[:100])
        yield pb.DownloadArtifactResponse(chunk=data[100:])


@asynccontextmanager
async def scripted_registry(
    listen: str = "127.0.0.1:0",
) -> AsyncIterator[tuple[ScriptedRegistry, str]]:
    """Run a scripted registry; yield it and its address. `listen` brings one back where it was."""
    registry = ScriptedRegistry()
    server = aio.server()
    registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(registry, server)
    port = server.add_insecure_port(listen)
    await server.start()
    registry.stop = partial(server.stop, None)
    try:
        yield registry, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
