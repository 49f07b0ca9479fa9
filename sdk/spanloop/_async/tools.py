"""Calls of the labelling config, of rules and of agreement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import annotation as convert
from spanloop._convert import basic, team
from spanloop._names import Named, child_name, project_name
from spanloop.annotation.v1 import agreement_service_pb2 as agreement_pb
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1 import labeling_service_pb2 as labeling_pb
from spanloop.annotation.v1 import project_pb2
from spanloop.annotation.v1 import rule_service_pb2 as rule_pb


class ToolCalls:
    """Labelling configs, rule sets and agreement."""

    _transport: AsyncTransport

    async def validate_labeling_config(
        self,
        project: str | Named,
        xml: str = "",
        *,
        models: Mapping[str, Iterable[str]] | None = None,
        timeout: float | None = None,
    ) -> types.ValidatedConfig:
        """Check a labelling config, by default that of the project.

        Args:
            project: Id or name.
            xml: The config.
            models: The models that exist with the labels that they know (none: not known); None:
                whether models exist is not checked.
            timeout: Seconds.
        """
        request = labeling_pb.ValidateLabelingConfigRequest(
            parent=project_name(project),
            labeling_config=xml,
            check_models=models is not None,
            models=[
                labeling_pb.KnownModel(name=name, labels=labels)
                for name, labels in (models or {}).items()
            ],
        )
        response = await self._transport.unary(
            self._transport.labeling.ValidateLabelingConfig, request, timeout=timeout
        )
        return team.validated(response)

    async def set_labeling_config(
        self, project: str | Named, xml: str, *, etag: str = "", timeout: float | None = None
    ) -> types.Project:
        """Use a labelling config; FailedPrecondition when it has errors."""
        request = pb.UpdateProjectRequest(
            project=project_pb2.Project(name=project_name(project), labeling_config=xml, etag=etag),
            update_mask=FieldMask(paths=["labeling_config"]),
        )
        response = await self._transport.unary(
            self._transport.annotation.UpdateProject, request, timeout=timeout, repeat=not etag
        )
        return convert.project(response.project)

    async def set_tie_break(
        self,
        project: str | Named,
        tie_break: types.TieBreak | str,
        *,
        timeout: float | None = None,
    ) -> types.Project:
        """Say which of several submitted completions is trained on when none is accepted."""
        request = pb.UpdateProjectRequest(update_mask=FieldMask(paths=["tie_break"]))
        request.project.name = project_name(project)
        request.project.tie_break = convert.tie_break_to(tie_break)  # type: ignore[assignment]
        response = await self._transport.unary(
            self._transport.annotation.UpdateProject, request, timeout=timeout
        )
        return convert.project(response.project)

    async def assign_models(
        self,
        project: str | Named,
        label_models: Mapping[str, str],
        *,
        choices_models: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> tuple[str, bool]:
        """Name models in a project's labelling config; return it and whether it was changed."""
        request = labeling_pb.AssignModelsRequest(
            parent=project_name(project),
            label_models=label_models,
            choices_models=choices_models or {},
        )
        response = await self._transport.unary(
            self._transport.labeling.AssignModels, request, timeout=timeout
        )
        return response.labeling_config, response.changed

    async def agreement(
        self,
        project: str | Named,
        *,
        filter: types.TaskFilter | None = None,
        authors: Iterable[str] = (),
        labels: Iterable[str] = (),
        timeout: float | None = None,
    ) -> types.Agreement:
        """Measure how far annotators agree; FailedPrecondition when no task has two of them."""
        request = agreement_pb.ComputeAgreementRequest(
            parent=project_name(project),
            filter=team.filter_to(filter),
            authors=authors,
            labels=labels,
        )
        response = await self._transport.unary(
            self._transport.agreement.ComputeAgreement, request, timeout=timeout
        )
        return team.agreement(response)

    async def create_rule_set(
        self,
        project: str | Named,
        rule_set_id: str,
        rules: Iterable[Mapping[str, Any]],
        *,
        display_name: str = "",
        timeout: float | None = None,
    ) -> types.RuleSet:
        """Create a rule set; a rule is e.g. `{"label": "D", "dictionary": {"terms": ["a"]}}`."""
        request = rule_pb.CreateRuleSetRequest(
            parent=project_name(project),
            rule_set_id=rule_set_id,
            rule_set=rule_pb.RuleSet(display_name=display_name, rules=team.rules_to(rules)),
        )
        response = await self._transport.unary(
            self._transport.rules.CreateRuleSet, request, timeout=timeout, repeat=False
        )
        return team.rule_set(response.rule_set)

    async def get_rule_set(
        self, project: str | Named, rule_set: str | Named, *, timeout: float | None = None
    ) -> types.RuleSet:
        """Read a rule set."""
        response = await self._transport.unary(
            self._transport.rules.GetRuleSet,
            rule_pb.GetRuleSetRequest(name=child_name(project, "ruleSets", rule_set)),
            timeout=timeout,
        )
        return team.rule_set(response.rule_set)

    def list_rule_sets(
        self, project: str | Named, *, timeout: float | None = None
    ) -> AsyncIterator[types.RuleSet]:
        """Iterate over the rule sets of a project."""
        return self._transport.pages(
            self._transport.rules.ListRuleSets,
            rule_pb.ListRuleSetsRequest(parent=project_name(project)),
            lambda page: map(team.rule_set, page.rule_sets),
            timeout,
        )

    async def update_rule_set(
        self,
        project: str | Named,
        rule_set: str | Named,
        rules: Iterable[Mapping[str, Any]],
        *,
        etag: str = "",
        timeout: float | None = None,
    ) -> types.RuleSet:
        """Replace the rules of a rule set, which makes a new revision if they differ."""
        request = rule_pb.UpdateRuleSetRequest(
            rule_set=rule_pb.RuleSet(
                name=child_name(project, "ruleSets", rule_set),
                rules=team.rules_to(rules),
                etag=etag,
            ),
            update_mask=FieldMask(paths=["rules"]),
        )
        response = await self._transport.unary(
            self._transport.rules.UpdateRuleSet, request, timeout=timeout, repeat=not etag
        )
        return team.rule_set(response.rule_set)

    async def delete_rule_set(
        self, project: str | Named, rule_set: str | Named, *, timeout: float | None = None
    ) -> None:
        """Delete a rule set; predictions made by it stay."""
        await self._transport.unary(
            self._transport.rules.DeleteRuleSet,
            rule_pb.DeleteRuleSetRequest(name=child_name(project, "ruleSets", rule_set)),
            timeout=timeout,
            repeat=False,
        )

    async def preview_rules(
        self,
        project: str | Named,
        text: str,
        *,
        rule_set: str | Named = "",
        rules: Iterable[Mapping[str, Any]] = (),
        offset_encoding: types.OffsetEncoding | str | None = None,
        timeout: float | None = None,
    ) -> tuple[types.ScoredSpan, ...]:
        """Return what a stored rule set, or rules that are not stored, find in a text."""
        request = rule_pb.PreviewRulesRequest(
            parent=project_name(project),
            text=text,
            rule_set=child_name(project, "ruleSets", rule_set) if rule_set else "",
            rules=team.rules_to(rules),
            offset_encoding=basic.encoding_to(offset_encoding),
        )
        response = await self._transport.unary(
            self._transport.rules.PreviewRules, request, timeout=timeout
        )
        return basic.scored_from(response.spans)

    async def apply_rule_set(
        self,
        project: str | Named,
        rule_set: str | Named,
        *,
        filter: types.TaskFilter | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[types.RuleProgress]:
        """Pre-annotate tasks with a rule set, telling how far it is; repeat it to go on."""
        request = rule_pb.ApplyRuleSetRequest(
            name=child_name(project, "ruleSets", rule_set), filter=team.filter_to(filter)
        )
        async for message in self._transport.download(
            self._transport.rules.ApplyRuleSet, request, timeout
        ):
            yield team.progress(message)
