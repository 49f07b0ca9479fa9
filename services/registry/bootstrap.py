"""Puts the registry together from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.blobs import BlobStore
from services.common.clock import Clock, SystemClock
from services.common.server import BackgroundTask, GrpcService, Wiring
from services.common.store.late import opened
from services.registry.access import ACCESS
from services.registry.config import RegistrySettings
from services.registry.deployment_log import LOG_COLLECTION, DeploymentLog
from services.registry.feed import DeploymentFeed
from services.registry.handlers.aliases import Aliases
from services.registry.handlers.artifacts import Artifacts
from services.registry.handlers.deployments import Deployments
from services.registry.handlers.models import Models
from services.registry.handlers.versions import Versions
from services.registry.repository import COLLECTIONS, ArtifactDocuments, VersionDocuments
from services.registry.servicer import RegistryServicer
from spanloop.registry.v1 import registry_service_pb2, registry_service_pb2_grpc

_SERVICE = registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"].full_name


@asynccontextmanager
async def build(settings: RegistrySettings, *, clock: Clock | None = None) -> AsyncIterator[Wiring]:
    """Open the stores, yield what is to be served, close the stores."""
    clock = clock or SystemClock()
    blobs = BlobStore.from_url(settings.artifacts)
    async with opened(settings.database, [*COLLECTIONS, LOG_COLLECTION]) as store:
        log = DeploymentLog(store)
        documents = ArtifactDocuments(store)
        feed = DeploymentFeed(log, poll_seconds=settings.deployment_poll_seconds)
        versions = Versions(VersionDocuments(store), documents, log, clock)
        aliases = Aliases(log, versions, clock)
        servicer = RegistryServicer(
            artifacts=Artifacts(blobs, max_bytes=settings.max_artifact_bytes),
            models=Models(documents, blobs, clock),
            versions=versions,
            aliases=aliases,
            deployments=Deployments(log, aliases, feed, clock),
            feed=feed,
            heartbeat_seconds=settings.watch_heartbeat_seconds,
        )
        yield Wiring(
            services=[
                GrpcService(
                    full_name=_SERVICE,
                    register=lambda server: (
                        registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(
                            servicer, server
                        )
                    ),
                )
            ],
            access=ACCESS,
            background=[BackgroundTask(name="deployment-feed", run=feed.run)],
            checks=[store.ping],
        )
