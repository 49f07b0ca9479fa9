"""Calls of the registry service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import uuid4

from spanloop import types
from spanloop._convert import registry as convert
from spanloop._names import Named, child_name, deployment_name, name_of, project_name
from spanloop._sync.transport import Transport
from spanloop.registry.v1 import model_alias_pb2
from spanloop.registry.v1 import registry_service_pb2 as pb


class RegistryCalls:
    """Model versions and deployments."""

    _transport: Transport

    def get_model_version(
        self, version: str | Named, *, timeout: float | None = None
    ) -> types.ModelVersion:
        """Read a model version by its full name, or by that of an alias."""
        response = self._transport.unary(
            self._transport.registry.GetModelVersion,
            pb.GetModelVersionRequest(name=name_of(version)),
            timeout=timeout,
        )
        return convert.model_version(response.model_version)

    def list_model_versions(
        self,
        project: str | Named,
        *,
        states: Iterable[types.ModelVersionState | str] = (),
        timeout: float | None = None,
    ) -> Iterator[types.ModelVersion]:
        """Iterate over the model versions of a project, newest first."""
        return self._transport.pages(
            self._transport.registry.ListModelVersions,
            pb.ListModelVersionsRequest(
                parent=project_name(project), states=convert.states_to(states)
            ),
            lambda page: map(convert.model_version, page.model_versions),
            timeout,
        )

    def retire_model_version(
        self, version: str | Named, *, etag: str = "", timeout: float | None = None
    ) -> types.ModelVersion:
        """Take a READY version out of use.

        FailedPrecondition while it is deployed, pinned or named by an alias.
        """
        response = self._transport.unary(
            self._transport.registry.RetireModelVersion,
            pb.RetireModelVersionRequest(name=name_of(version), etag=etag),
            timeout=timeout,
            repeat=False,
        )
        return convert.model_version(response.model_version)

    def deploy(
        self,
        project: str | Named,
        version: str | Named,
        *,
        etag: str = "",
        force: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Deployment:
        """Point the project's deployment at a READY model version (id, full name or alias).

        Aborted when `etag` is given and the deployment moved since; FailedPrecondition with reason
        GATE_FAILED when the project's gate refuses the version, unless `force`: its
        `preconditions` say why.
        """
        request = pb.DeployRequest(
            model_version=child_name(project, "modelVersions", version),
            etag=etag,
            force=force,
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(self._transport.registry.Deploy, request, timeout=timeout)
        return convert.deployment(response.deployment)

    def rollback(
        self,
        project: str | Named,
        *,
        revision: int = 0,
        etag: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Deployment:
        """Serve the models and pins of an earlier revision again, as a new revision.

        Revision 0 is the newest earlier one that serves something else than today's.
        """
        request = pb.RollbackRequest(
            name=deployment_name(project),
            revision=revision,
            etag=etag,
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.registry.Rollback, request, timeout=timeout
        )
        return convert.deployment(response.deployment)

    def pin_label(
        self,
        project: str | Named,
        label: str,
        version: str | Named,
        *,
        etag: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Deployment:
        """Serve a label from a READY version (id, full name or alias), whatever is deployed.

        Aborted when `etag` is given and the deployment moved since.
        """
        request = pb.PinLabelRequest(
            name=deployment_name(project),
            label=label,
            model_version=child_name(project, "modelVersions", version),
            etag=etag,
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.registry.PinLabel, request, timeout=timeout
        )
        return convert.deployment(response.deployment)

    def unpin_label(
        self,
        project: str | Named,
        label: str,
        *,
        etag: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Deployment:
        """Serve a label from the deployed version again."""
        request = pb.UnpinLabelRequest(
            name=deployment_name(project),
            label=label,
            etag=etag,
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.registry.UnpinLabel, request, timeout=timeout
        )
        return convert.deployment(response.deployment)

    def set_model_alias(
        self,
        project: str | Named,
        alias: str,
        version: str | Named,
        *,
        etag: str = "",
        timeout: float | None = None,
    ) -> types.ModelAlias:
        """Point an alias, e.g. `ner@staging`, at a READY version of its line.

        Aborted when `etag` is given and the alias was changed since.
        """
        request = pb.SetModelAliasRequest(
            model_alias=model_alias_pb2.ModelAlias(
                name=child_name(project, "modelVersions", alias),
                model_version=child_name(project, "modelVersions", version),
                etag=etag,
            )
        )
        response = self._transport.unary(
            self._transport.registry.SetModelAlias, request, timeout=timeout, repeat=not etag
        )
        return convert.alias(response.model_alias)

    def delete_model_alias(
        self,
        project: str | Named,
        alias: str,
        *,
        etag: str = "",
        timeout: float | None = None,
    ) -> None:
        """Remove an alias; the version that it means stays."""
        self._transport.unary(
            self._transport.registry.DeleteModelAlias,
            pb.DeleteModelAliasRequest(name=child_name(project, "modelVersions", alias), etag=etag),
            timeout=timeout,
            repeat=False,
        )

    def list_model_aliases(
        self, project: str | Named, *, timeout: float | None = None
    ) -> Iterator[types.ModelAlias]:
        """Iterate over the aliases of a project by name, `champion` and `previous` included."""
        return self._transport.pages(
            self._transport.registry.ListModelAliases,
            pb.ListModelAliasesRequest(parent=project_name(project)),
            lambda page: map(convert.alias, page.model_aliases),
            timeout,
        )

    def get_deployment(
        self, project: str | Named, *, timeout: float | None = None
    ) -> types.Deployment:
        """Read what a project serves; FailedPrecondition (NOTHING_DEPLOYED) before the first."""
        response = self._transport.unary(
            self._transport.registry.GetDeployment,
            pb.GetDeploymentRequest(name=deployment_name(project)),
            timeout=timeout,
        )
        return convert.deployment(response.deployment)

    def list_deployment_revisions(
        self, project: str | Named, *, timeout: float | None = None
    ) -> Iterator[types.Deployment]:
        """Iterate over all revisions of a project's deployment, newest first."""
        return self._transport.pages(
            self._transport.registry.ListDeploymentRevisions,
            pb.ListDeploymentRevisionsRequest(name=deployment_name(project)),
            lambda page: map(convert.deployment, page.deployments),
            timeout,
        )

    def watch_deployment(self, project: str | Named = "-") -> Iterator[types.Deployment]:
        """Iterate over the newest revision and every move; `-` means all projects. Never ends."""
        request = pb.WatchDeploymentRequest(name=deployment_name(project))
        seen: dict[str, int] = {}
        for message in self._transport.watch(self._transport.registry.WatchDeployment, request):
            if message.WhichOneof("payload") != "deployment":
                continue
            found = convert.deployment(message.deployment)
            if seen.get(found.name) != found.revision:  # a reopened stream tells it again
                seen[found.name] = found.revision
                yield found
