"""Puts the registry together from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from services.common.blobs import BlobStore
from services.common.clock import Clock, SystemClock
from services.common.server import BackgroundTask, GrpcService, Wiring
from services.common.store.late import opened
from services.registry.access import ACCESS
from services.registry.artifact_repository import ArtifactDocuments
from services.registry.audit_repository import AuditLog
from services.registry.config import RegistrySettings
from services.registry.deployment_log import LOG_COLLECTION, DeploymentLog
from services.registry.feed import DeploymentFeed
from services.registry.file_uses import USES_COLLECTION, FileUses
from services.registry.governance_servicer import GovernanceServicer
from services.registry.grace import Grace
from services.registry.handlers.aliases import Aliases
from services.registry.handlers.artifacts import Artifacts
from services.registry.handlers.cards import Cards
from services.registry.handlers.deployments import Deployments
from services.registry.handlers.lineage import LineageReader
from services.registry.handlers.models import Models
from services.registry.handlers.policies import Policies
from services.registry.handlers.retention import Retention
from services.registry.handlers.servers import Servers
from services.registry.handlers.trials import Trials
from services.registry.handlers.versions import Versions
from services.registry.precision import PrecisionPolicy
from services.registry.repository import COLLECTIONS, VersionDocuments
from services.registry.server_documents import SERVER_COLLECTION, ServerDocuments
from services.registry.server_servicer import ServerServicer
from services.registry.servicer import RegistryServicer
from services.registry.sweeper import Sweeper
from services.registry.trial_history import TrialHistory
from services.registry.trial_reports import REPORT_COLLECTION, TrialReports
from services.registry.trial_servicer import TrialServicer
from spanloop.registry.v1 import (
    governance_service_pb2,
    registry_service_pb2,
    server_service_pb2,
    trial_service_pb2,
)
from spanloop.registry.v1 import governance_service_pb2_grpc as governance_grpc
from spanloop.registry.v1 import registry_service_pb2_grpc as registry_grpc
from spanloop.registry.v1 import server_service_pb2_grpc as server_grpc
from spanloop.registry.v1 import trial_service_pb2_grpc as trial_grpc

_SERVICE = registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"].full_name
_GOVERNANCE = governance_service_pb2.DESCRIPTOR.services_by_name["GovernanceService"].full_name
_SERVERS = server_service_pb2.DESCRIPTOR.services_by_name["ServerService"].full_name
_TRIALS = trial_service_pb2.DESCRIPTOR.services_by_name["TrialService"].full_name


@asynccontextmanager
async def build(settings: RegistrySettings, *, clock: Clock | None = None) -> AsyncIterator[Wiring]:
    """Open the stores, yield what is to be served, close the stores."""
    clock = clock or SystemClock()
    blobs = BlobStore.from_url(settings.artifacts)
    collections = [
        *COLLECTIONS,
        USES_COLLECTION,
        LOG_COLLECTION,
        REPORT_COLLECTION,
        SERVER_COLLECTION,
    ]
    async with opened(settings.database, collections) as store:
        grace = Grace(seconds=settings.artifact_grace_seconds, clock=clock)
        log = DeploymentLog(store)
        documents, uses = ArtifactDocuments(store), FileUses(store)
        version_documents = VersionDocuments(store)
        feed = DeploymentFeed(log, poll_seconds=settings.deployment_poll_seconds)
        versions = Versions(version_documents, documents, log, grace)
        aliases = Aliases(log, versions, clock)
        deployments = Deployments(log, aliases, feed, clock)
        servicer = RegistryServicer(
            artifacts=Artifacts(blobs, uses, grace, max_bytes=settings.max_artifact_bytes),
            models=Models(documents, blobs, uses, grace),
            versions=versions,
            aliases=aliases,
            deployments=deployments,
            feed=feed,
            heartbeat_seconds=settings.watch_heartbeat_seconds,
        )
        governance = GovernanceServicer(
            policies=Policies(log, clock),
            retention=Retention(
                versions=version_documents,
                artifacts=documents,
                blobs=blobs,
                sweeper=Sweeper(documents, uses, blobs, log, grace),
                log=log,
                aliases=aliases,
                grace=grace,
            ),
            cards=Cards(documents, log, aliases),
            lineage=LineageReader(version_documents, documents, log, aliases),
            audit=AuditLog(store),
        )
        trials = TrialServicer(
            Trials(
                log=log,
                history=TrialHistory(store),
                reports=TrialReports(store),
                deployments=deployments,
                feed=feed,
                clock=clock,
            ),
            clock,
        )
        policy = PrecisionPolicy(cpu=settings.cpu_precision, cuda=settings.cuda_precision)
        servers = ServerServicer(Servers(ServerDocuments(store), policy, clock))

        yield Wiring(
            services=[
                GrpcService(
                    full_name=_SERVICE,
                    register=partial(registry_grpc.add_RegistryServiceServicer_to_server, servicer),
                ),
                GrpcService(
                    full_name=_GOVERNANCE,
                    register=partial(
                        governance_grpc.add_GovernanceServiceServicer_to_server, governance
                    ),
                ),
                GrpcService(
                    full_name=_TRIALS,
                    register=partial(trial_grpc.add_TrialServiceServicer_to_server, trials),
                ),
                GrpcService(
                    full_name=_SERVERS,
                    register=partial(server_grpc.add_ServerServiceServicer_to_server, servers),
                ),
            ],
            access=ACCESS,
            background=[BackgroundTask(name="deployment-feed", run=feed.run)],
            checks=[store.ping],
        )
