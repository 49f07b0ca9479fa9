"""GovernanceService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from collections.abc import AsyncIterator

from services.common.paging import parse_page
from services.registry import governance_convert as convert
from services.registry.audit_repository import AuditLog
from services.registry.convert import version_or_alias
from services.registry.governance_convert import AdapterDigest, RevisionOf, VersionOf
from services.registry.handlers.cards import Cards
from services.registry.handlers.lineage import LineageReader
from services.registry.handlers.policies import Policies
from services.registry.handlers.retention import Retention, Summary
from spanloop.registry.v1 import governance_service_pb2 as pb
from spanloop.registry.v1 import governance_service_pb2_grpc, retention_pb2

_ITEMS_PER_MESSAGE = 200


class GovernanceServicer(governance_service_pb2_grpc.GovernanceServiceServicer):
    """The methods are documented in ``governance_service.proto``."""

    def __init__(
        self,
        *,
        policies: Policies,
        retention: Retention,
        cards: Cards,
        lineage: LineageReader,
        audit: AuditLog,
    ) -> None:
        """Delegate to the given handlers."""
        self._policies = policies
        self._retention = retention
        self._cards = cards
        self._lineage = lineage
        self._audit = audit

    async def GetRegistryPolicy(
        self, request: pb.GetRegistryPolicyRequest, context: object
    ) -> pb.GetRegistryPolicyResponse:
        policy = await self._policies.get(convert.project_of_policy(request.name, "name"))
        return pb.GetRegistryPolicyResponse(registry_policy=convert.policy_message(policy))

    async def UpdateRegistryPolicy(
        self, request: pb.UpdateRegistryPolicyRequest, context: object
    ) -> pb.UpdateRegistryPolicyResponse:
        policy = await self._policies.update(*convert.update_of(request))
        return pb.UpdateRegistryPolicyResponse(registry_policy=convert.policy_message(policy))

    async def RunRetention(
        self, request: pb.RunRetentionRequest, context: object
    ) -> AsyncIterator[pb.RunRetentionResponse]:
        project = convert.project_or_all(request.parent)
        items: list[retention_pb2.RetentionItem] = []
        async for found in self._retention.run(project, apply=request.apply):
            if isinstance(found, Summary):
                yield pb.RunRetentionResponse(items=items, summary=convert.summary_message(found))
                return
            items.append(convert.item_message(found))
            if len(items) == _ITEMS_PER_MESSAGE:
                yield pb.RunRetentionResponse(items=items)
                items = []

    async def GetModelCard(
        self, request: pb.GetModelCardRequest, context: object
    ) -> pb.GetModelCardResponse:
        card = await self._cards.card(*version_or_alias(request.name, "name"))
        return pb.GetModelCardResponse(markdown=card)

    async def GetLineage(
        self, request: pb.GetLineageRequest, context: object
    ) -> pb.GetLineageResponse:
        match convert.lineage_of(request.name):
            case AdapterDigest(digest):
                steps = await self._lineage.of_adapter(digest)
            case RevisionOf(project, revision):
                steps = await self._lineage.of_deployment(project, revision)
            case VersionOf(project, version):
                steps = await self._lineage.of_version(project, version)
        return pb.GetLineageResponse(
            steps=[
                convert.step_message(step) for step in steps if request.label in ("", step.label)
            ]
        )

    async def ListAuditEvents(
        self, request: pb.ListAuditEventsRequest, context: object
    ) -> pb.ListAuditEventsResponse:
        wanted = convert.audit_filter_of(request)
        scope = f"ListAuditEvents\n{wanted}"
        page = parse_page(request.page_size, request.page_token, scope)
        events, token = await self._audit.page(wanted, page, scope)
        return pb.ListAuditEventsResponse(
            audit_events=map(convert.event_message, events), next_page_token=token
        )
