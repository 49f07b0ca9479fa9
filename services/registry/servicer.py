"""RegistryService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from collections.abc import AsyncIterator

from services.common.errors import invalid_field
from services.common.validate import check_line
from services.registry import convert, pointer_convert, trial_convert
from services.registry.domain import check_digest
from services.registry.feed import DeploymentFeed
from services.registry.handlers.aliases import Aliases
from services.registry.handlers.artifacts import Artifacts
from services.registry.handlers.deployments import Deployments
from services.registry.handlers.models import Models
from services.registry.handlers.versions import Versions
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1 import registry_service_pb2_grpc


class RegistryServicer(registry_service_pb2_grpc.RegistryServiceServicer):
    """The methods are documented in ``registry_service.proto``."""

    def __init__(
        self,
        *,
        artifacts: Artifacts,
        models: Models,
        versions: Versions,
        aliases: Aliases,
        deployments: Deployments,
        feed: DeploymentFeed,
        heartbeat_seconds: float,
    ) -> None:
        """Delegate to the given handlers."""
        self._artifacts = artifacts
        self._models = models
        self._versions = versions
        self._aliases = aliases
        self._deployments = deployments
        self._feed = feed
        self._heartbeat_seconds = heartbeat_seconds

    async def UploadArtifact(
        self,
        request_iterator: AsyncIterator[pb.UploadArtifactRequest],
        context: object,
    ) -> pb.UploadArtifactResponse:
        digest, chunks = await convert.upload_of(request_iterator)
        size = await self._artifacts.upload(digest, chunks)
        return pb.UploadArtifactResponse(digest=digest, size_bytes=size)

    async def DownloadArtifact(
        self, request: pb.DownloadArtifactRequest, context: object
    ) -> AsyncIterator[pb.DownloadArtifactResponse]:
        digest = check_digest(request.digest, "digest")
        async for chunk in self._artifacts.download(digest):
            yield pb.DownloadArtifactResponse(chunk=chunk)

    async def RegisterTrunk(
        self, request: pb.RegisterTrunkRequest, context: object
    ) -> pb.RegisterTrunkResponse:
        trunk = await self._models.register_trunk(request.trunk.manifest)
        return pb.RegisterTrunkResponse(trunk=convert.trunk_message(trunk))

    async def GetTrunk(self, request: pb.GetTrunkRequest, context: object) -> pb.GetTrunkResponse:
        trunk = await self._models.trunk(convert.trunk_digest_of(request.name))
        return pb.GetTrunkResponse(trunk=convert.trunk_message(trunk))

    async def ListTrunks(
        self, request: pb.ListTrunksRequest, context: object
    ) -> pb.ListTrunksResponse:
        trunks, token = await self._models.trunks(
            request.source, request.page_size, request.page_token
        )
        return pb.ListTrunksResponse(
            trunks=map(convert.trunk_message, trunks), next_page_token=token
        )

    async def RegisterAdapter(
        self, request: pb.RegisterAdapterRequest, context: object
    ) -> pb.RegisterAdapterResponse:
        adapter = await self._models.register_adapter(request.adapter.manifest)
        return pb.RegisterAdapterResponse(adapter=convert.adapter_message(adapter))

    async def GetAdapter(
        self, request: pb.GetAdapterRequest, context: object
    ) -> pb.GetAdapterResponse:
        adapter = await self._models.adapter(convert.adapter_digest_of(request.name))
        return pb.GetAdapterResponse(adapter=convert.adapter_message(adapter))

    async def CreateModelVersion(
        self, request: pb.CreateModelVersionRequest, context: object
    ) -> pb.CreateModelVersionResponse:
        version = await self._versions.create(
            convert.draft_of(request), request.request_id, replace_newest=request.replace_newest
        )
        return pb.CreateModelVersionResponse(model_version=convert.version_message(version))

    async def VerifyModelVersion(
        self, request: pb.VerifyModelVersionRequest, context: object
    ) -> pb.VerifyModelVersionResponse:
        name = convert.version_of_name(request.name, "name")
        version = await self._versions.verify(*name, convert.parity_of(request))
        return pb.VerifyModelVersionResponse(model_version=convert.version_message(version))

    async def RetireModelVersion(
        self, request: pb.RetireModelVersionRequest, context: object
    ) -> pb.RetireModelVersionResponse:
        name = convert.version_of_name(request.name, "name")
        version = await self._versions.retire(*name, request.etag)
        return pb.RetireModelVersionResponse(model_version=convert.version_message(version))

    async def GetModelVersion(
        self, request: pb.GetModelVersionRequest, context: object
    ) -> pb.GetModelVersionResponse:
        version = await self._aliases.version(*convert.version_or_alias(request.name, "name"))
        return pb.GetModelVersionResponse(model_version=convert.version_message(version))

    async def ListModelVersions(
        self, request: pb.ListModelVersionsRequest, context: object
    ) -> pb.ListModelVersionsResponse:
        versions, token = await self._versions.page(
            convert.project_of(request.parent),
            convert.filter_of(request),
            request.page_size,
            request.page_token,
        )
        return pb.ListModelVersionsResponse(
            model_versions=map(convert.version_message, versions), next_page_token=token
        )

    async def Deploy(self, request: pb.DeployRequest, context: object) -> pb.DeployResponse:
        name = convert.version_or_alias(request.model_version, "model_version")
        deployment = await self._deployments.deploy(
            *name, request.etag, request.request_id, force=request.force
        )
        return pb.DeployResponse(deployment=pointer_convert.deployment_message(deployment))

    async def Rollback(self, request: pb.RollbackRequest, context: object) -> pb.RollbackResponse:
        deployment = await self._deployments.rollback(
            pointer_convert.project_of_deployment(request.name),
            request.revision,
            request.etag,
            request.request_id,
        )
        return pb.RollbackResponse(deployment=pointer_convert.deployment_message(deployment))

    async def PinLabel(self, request: pb.PinLabelRequest, context: object) -> pb.PinLabelResponse:
        project = pointer_convert.project_of_deployment(request.name)
        owner, version = convert.version_or_alias(request.model_version, "model_version")
        if owner != project:
            raise invalid_field("model_version", "must be a version of the same project.")
        deployment = await self._deployments.pin(
            project,
            check_line(request.label, "label", 1, 100),
            version,
            request.etag,
            request.request_id,
        )
        return pb.PinLabelResponse(deployment=pointer_convert.deployment_message(deployment))

    async def UnpinLabel(
        self, request: pb.UnpinLabelRequest, context: object
    ) -> pb.UnpinLabelResponse:
        deployment = await self._deployments.unpin(
            pointer_convert.project_of_deployment(request.name),
            check_line(request.label, "label", 1, 100),
            request.etag,
            request.request_id,
        )
        return pb.UnpinLabelResponse(deployment=pointer_convert.deployment_message(deployment))

    async def GetDeployment(
        self, request: pb.GetDeploymentRequest, context: object
    ) -> pb.GetDeploymentResponse:
        project = pointer_convert.project_of_deployment(request.name)
        deployment = await self._deployments.current(project)
        return pb.GetDeploymentResponse(deployment=pointer_convert.deployment_message(deployment))

    async def ListDeploymentRevisions(
        self, request: pb.ListDeploymentRevisionsRequest, context: object
    ) -> pb.ListDeploymentRevisionsResponse:
        deployments, token = await self._deployments.revisions(
            pointer_convert.project_of_deployment(request.name),
            request.page_size,
            request.page_token,
        )
        return pb.ListDeploymentRevisionsResponse(
            deployments=map(pointer_convert.deployment_message, deployments), next_page_token=token
        )

    async def WatchDeployment(
        self, request: pb.WatchDeploymentRequest, context: object
    ) -> AsyncIterator[pb.WatchDeploymentResponse]:
        project = pointer_convert.watched_project(request.name)
        told = self._feed.watch(project, self._heartbeat_seconds, trials=request.trials)
        async for update in told:
            yield trial_convert.watch_message(update)

    async def SetModelAlias(
        self, request: pb.SetModelAliasRequest, context: object
    ) -> pb.SetModelAliasResponse:
        message = request.model_alias
        project, alias_id = convert.version_or_alias(message.name, "model_alias.name")
        owner, version = convert.version_or_alias(
            message.model_version, "model_alias.model_version"
        )
        if owner != project:
            raise invalid_field("model_alias.model_version", "must be of the same project.")
        alias = await self._aliases.set(project, alias_id, version, message.etag)
        return pb.SetModelAliasResponse(model_alias=pointer_convert.alias_message(alias))

    async def DeleteModelAlias(
        self, request: pb.DeleteModelAliasRequest, context: object
    ) -> pb.DeleteModelAliasResponse:
        project, alias_id = convert.version_or_alias(request.name, "name")
        await self._aliases.delete(project, alias_id, request.etag)
        return pb.DeleteModelAliasResponse()

    async def ListModelAliases(
        self, request: pb.ListModelAliasesRequest, context: object
    ) -> pb.ListModelAliasesResponse:
        aliases, token = await self._aliases.page(
            convert.project_of(request.parent), request.page_size, request.page_token
        )
        return pb.ListModelAliasesResponse(
            model_aliases=map(pointer_convert.alias_message, aliases), next_page_token=token
        )
