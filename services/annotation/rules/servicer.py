"""RuleService: converts messages and delegates to the handler."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from collections.abc import AsyncIterator

from services.annotation.convert.basic import encoding_of
from services.annotation.convert.contents import scored_messages
from services.annotation.convert.selections import filter_of
from services.annotation.members.gate import Gate
from services.annotation.names import project_of
from services.annotation.rules import convert
from services.annotation.rules.handler import RuleSets
from services.common.errors import invalid_field
from spanloop.annotation.v1 import rule_service_pb2 as pb
from spanloop.annotation.v1 import rule_service_pb2_grpc


class RuleServicer(rule_service_pb2_grpc.RuleServiceServicer):
    """The methods are documented in ``rule_service.proto``."""

    def __init__(self, rule_sets: RuleSets, gate: Gate) -> None:
        """Delegate to the given handler."""
        self._rule_sets = rule_sets
        self._gate = gate

    async def CreateRuleSet(
        self, request: pb.CreateRuleSetRequest, context: object
    ) -> pb.CreateRuleSetResponse:
        project = project_of(request.parent)
        await self._gate.enter("CreateRuleSet", project)
        made = await self._rule_sets.create(
            project,
            request.rule_set_id,
            request.rule_set.display_name,
            convert.rules_of(request.rule_set.rules, "rules"),
        )
        return pb.CreateRuleSetResponse(rule_set=convert.rule_set_message(made))

    async def GetRuleSet(
        self, request: pb.GetRuleSetRequest, context: object
    ) -> pb.GetRuleSetResponse:
        project, rule_set = convert.rule_set_of(request.name)
        await self._gate.enter("GetRuleSet", project)
        found = await self._rule_sets.rule_set(project, rule_set)
        return pb.GetRuleSetResponse(rule_set=convert.rule_set_message(found))

    async def ListRuleSets(
        self, request: pb.ListRuleSetsRequest, context: object
    ) -> pb.ListRuleSetsResponse:
        project = project_of(request.parent)
        await self._gate.enter("ListRuleSets", project)
        found, token = await self._rule_sets.list_rule_sets(
            project, request.page_size, request.page_token
        )
        return pb.ListRuleSetsResponse(
            rule_sets=map(convert.rule_set_message, found), next_page_token=token
        )

    async def UpdateRuleSet(
        self, request: pb.UpdateRuleSetRequest, context: object
    ) -> pb.UpdateRuleSetResponse:
        wanted = request.rule_set
        project, rule_set = convert.rule_set_of(wanted.name, "rule_set.name")
        await self._gate.enter("UpdateRuleSet", project)
        changed = await self._rule_sets.update(
            project,
            rule_set,
            etag=wanted.etag,
            display_name=wanted.display_name,
            rules=convert.rules_of(wanted.rules, "rules"),
            mask=list(request.update_mask.paths),
        )
        return pb.UpdateRuleSetResponse(rule_set=convert.rule_set_message(changed))

    async def DeleteRuleSet(
        self, request: pb.DeleteRuleSetRequest, context: object
    ) -> pb.DeleteRuleSetResponse:
        project, rule_set = convert.rule_set_of(request.name)
        await self._gate.enter("DeleteRuleSet", project)
        await self._rule_sets.delete(project, rule_set, request.etag)
        return pb.DeleteRuleSetResponse()

    async def PreviewRules(
        self, request: pb.PreviewRulesRequest, context: object
    ) -> pb.PreviewRulesResponse:
        project = project_of(request.parent)
        await self._gate.enter("PreviewRules", project)
        rule_set = ""
        if request.rule_set:
            owner, rule_set = convert.rule_set_of(request.rule_set, "rule_set")
            if owner != project:
                raise invalid_field("rule_set", "is of another project.")
        encoding = encoding_of(request.offset_encoding)
        spans = await self._rule_sets.preview(
            project, convert.rules_of(request.rules, "rules"), rule_set, request.text
        )
        return pb.PreviewRulesResponse(spans=scored_messages(request.text, spans, encoding))

    async def ApplyRuleSet(
        self, request: pb.ApplyRuleSetRequest, context: object
    ) -> AsyncIterator[pb.ApplyRuleSetResponse]:
        project, rule_set = convert.rule_set_of(request.name)
        await self._gate.enter("ApplyRuleSet", project)
        wanted = filter_of(request.filter, project)
        async for progress in self._rule_sets.apply(project, rule_set, wanted):
            yield convert.progress_message(progress)
