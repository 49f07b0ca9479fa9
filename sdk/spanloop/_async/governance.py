"""Calls about what to keep, what may be deployed, where models come from, and who changed what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from google.protobuf.field_mask_pb2 import FieldMask

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import annotation as annotation_convert
from spanloop._convert import governance as convert
from spanloop._names import Named, name_of, project_name
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.errors import NotFound
from spanloop.registry.v1 import governance_service_pb2 as pb
from spanloop.registry.v1 import registry_policy_pb2


class GovernanceCalls:
    """Policies, retention, model cards, lineage and audit."""

    _transport: AsyncTransport

    async def get_registry_policy(
        self, project: str | Named, *, timeout: float | None = None
    ) -> types.RegistryPolicy:
        """Read what the registry asks of a project's versions, and how long it keeps them."""
        response = await self._transport.unary(
            self._transport.governance.GetRegistryPolicy,
            pb.GetRegistryPolicyRequest(name=f"{project_name(project)}/registryPolicy"),
            timeout=timeout,
        )
        return convert.policy(response.registry_policy)

    async def update_registry_policy(
        self, policy: types.RegistryPolicy, *, timeout: float | None = None
    ) -> types.RegistryPolicy:
        """Replace gate and retention of a policy that was read; Aborted when it changed since."""
        message = registry_policy_pb2.RegistryPolicy(name=policy.name, etag=policy.etag)
        if policy.gate is not None:
            message.gate.CopyFrom(convert.gate_to(policy.gate))
        if policy.retention is not None:
            message.retention.CopyFrom(convert.retention_to(policy.retention))
        response = await self._transport.unary(
            self._transport.governance.UpdateRegistryPolicy,
            pb.UpdateRegistryPolicyRequest(
                registry_policy=message, update_mask=FieldMask(paths=["gate", "retention"])
            ),
            timeout=timeout,
            repeat=not policy.etag,
        )
        return convert.policy(response.registry_policy)

    async def run_retention(
        self, project: str | Named = "-", *, apply: bool = False, timeout: float | None = None
    ) -> AsyncIterator[types.RetentionItem | types.RetentionSummary]:
        """Iterate over what is kept and what goes, with reasons; a summary comes last.

        Nothing is changed unless `apply`. `-` means the versions of all projects.
        """
        request = pb.RunRetentionRequest(parent=project_name(project), apply=apply)
        async for message in self._transport.download(
            self._transport.governance.RunRetention, request, timeout
        ):
            for item in message.items:
                yield convert.item(item)
            if message.HasField("summary"):
                yield convert.summary(message.summary)

    async def get_model_card(self, version: str | Named, *, timeout: float | None = None) -> str:
        """Return the card of a version (full name or alias): Markdown for the Hugging Face Hub."""
        response = await self._transport.unary(
            self._transport.governance.GetModelCard,
            pb.GetModelCardRequest(name=name_of(version)),
            timeout=timeout,
        )
        return response.markdown

    async def get_lineage(
        self, resource: str | Named, *, label: str = "", timeout: float | None = None
    ) -> list[types.LineageStep]:
        """Tell which training made the adapters of a version, alias, deployment or revision of one.

        `adapters/{digest}` asks about one adapter, `label` about that of one label.
        """
        response = await self._transport.unary(
            self._transport.governance.GetLineage,
            pb.GetLineageRequest(name=name_of(resource), label=label),
            timeout=timeout,
        )
        return [convert.step(step) for step in response.steps]

    async def trace_prediction(
        self, prediction: str | Named, *, timeout: float | None = None
    ) -> list[types.LineageStep]:
        """Tell which training made each adapter that answered in a prediction (full name).

        None for predictions of rules and of imported files. NotFound when the task has no such
        prediction.
        """
        name = name_of(prediction)
        wanted = await self._prediction(name, timeout)
        versions = {**wanted.model_versions, **wanted.choice_model_versions}
        if wanted.assertion_model_version:
            versions["assertion"] = wanted.assertion_model_version
        steps = []
        for label, version in sorted(versions.items()):
            steps += await self.get_lineage(version, label=label, timeout=timeout)
        return steps

    async def _prediction(self, name: str, timeout: float | None) -> types.Prediction:
        task, _, _ = name.partition("/predictions/")
        found = self._transport.pages(
            self._transport.annotation.ListPredictions,
            annotation_pb.ListPredictionsRequest(parent=task),
            lambda page: map(annotation_convert.prediction, page.predictions),
            timeout,
        )
        async for prediction in found:
            if prediction.name == name:
                return prediction
        raise NotFound(f"{name} does not exist.", metadata={"resource": name})

    def list_registry_audit(
        self,
        project: str | Named = "-",
        *,
        resource: str = "",
        actions: Iterable[types.AuditAction | str] = (),
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[types.AuditEvent]:
        """Iterate over who changed what in the registry, newest first; `-` means everything.

        `resource` is the full name of what was changed, or of the model version it is about.
        """
        request = pb.ListAuditEventsRequest(
            parent=project_name(project), resource=resource, actions=convert.actions_to(actions)
        )
        if start_time is not None:
            request.start_time.FromDatetime(start_time)
        if end_time is not None:
            request.end_time.FromDatetime(end_time)
        return self._transport.pages(
            self._transport.governance.ListAuditEvents,
            request,
            lambda page: map(convert.event, page.audit_events),
            timeout,
        )
