"""Who may call which method of the annotation service.

Every method asks for a token. The services' shared token may do everything; of users, a method that
concerns a project asks for one of the roles below. `docs/roles.md` shows the same table (a test
holds the two together).
"""

from __future__ import annotations

from collections.abc import Mapping

from services.annotation.domain import Role
from services.common.auth import Access

PACKAGE = "spanloop.annotation.v1"
SERVICE = f"{PACKAGE}.AnnotationService"
LABELING_SERVICE = f"{PACKAGE}.LabelingService"
MEMBER_SERVICE = f"{PACKAGE}.MemberService"
HISTORY_SERVICE = f"{PACKAGE}.HistoryService"
AGREEMENT_SERVICE = f"{PACKAGE}.AgreementService"
RULE_SERVICE = f"{PACKAGE}.RuleService"
SUGGESTION_SERVICE = f"{PACKAGE}.SuggestionService"

_EVERYBODY = frozenset(Role)
_LEADS = frozenset({Role.OWNER, Role.MANAGER})
_OWNERS = frozenset({Role.OWNER})
_LEADS_AND_SERVICES = _LEADS | {Role.SERVICE}
_AUTHORS = _LEADS | {Role.ANNOTATOR, Role.REVIEWER, Role.SERVICE}
_REVIEWERS = _LEADS | {Role.REVIEWER, Role.SERVICE}

_ANNOTATION: Mapping[str, frozenset[Role]] = {
    "GetProject": _EVERYBODY,
    "UpdateProject": _LEADS,
    "CreateLabel": _LEADS_AND_SERVICES,
    "GetLabel": _EVERYBODY,
    "ListLabels": _EVERYBODY,
    "UpdateLabel": _LEADS,
    "CountLabels": _EVERYBODY,
    "ImportTasks": _LEADS_AND_SERVICES,
    "ExportTasks": _LEADS_AND_SERVICES,
    "ExportSnapshot": _LEADS_AND_SERVICES,
    "CreateTask": _LEADS_AND_SERVICES,
    "GetTask": _EVERYBODY,
    "ListTasks": _EVERYBODY,
    "UpdateTask": _LEADS_AND_SERVICES,
    "TagTasks": _REVIEWERS,
    "DeleteTask": _LEADS,
    "UndeleteTask": _LEADS,
    "PurgeTask": _OWNERS,
    "CreateCompletion": _AUTHORS,
    "GetCompletion": _EVERYBODY,
    "ListCompletions": _EVERYBODY,
    "UpdateCompletion": _AUTHORS,
    "SubmitCompletion": _AUTHORS,
    "ReviewCompletion": _REVIEWERS,
    "StarCompletion": _REVIEWERS,
    "DeleteCompletion": _AUTHORS,
    "UndeleteCompletion": _AUTHORS,
    "WritePredictions": _LEADS_AND_SERVICES,
    "ListPredictions": _EVERYBODY,
    "PreviewSelection": _LEADS_AND_SERVICES,
    "CreateSnapshot": _LEADS_AND_SERVICES,
    "GetSnapshot": _LEADS_AND_SERVICES,
    "ListSnapshots": _LEADS_AND_SERVICES,
    "ReadSnapshot": _LEADS_AND_SERVICES,
    "DiffSnapshots": _LEADS_AND_SERVICES,
    "WatchEvents": _LEADS_AND_SERVICES,
}
_LABELING: Mapping[str, frozenset[Role]] = {
    "ValidateLabelingConfig": _LEADS_AND_SERVICES,
    "AssignModels": _LEADS_AND_SERVICES,
}
_MEMBERS: Mapping[str, frozenset[Role]] = {
    "CreateMember": _LEADS,
    "GetMember": _EVERYBODY,
    "ListMembers": _EVERYBODY,
    "UpdateMember": _LEADS,
    "DeleteMember": _LEADS,
}
_HISTORY: Mapping[str, frozenset[Role]] = {
    "ListRevisions": _EVERYBODY,
    "RestoreRevision": _AUTHORS,
    "ListAuditEntries": _LEADS,
}
_AGREEMENT: Mapping[str, frozenset[Role]] = {"ComputeAgreement": _REVIEWERS}
_RULES: Mapping[str, frozenset[Role]] = {
    "CreateRuleSet": _LEADS,
    "GetRuleSet": _EVERYBODY,
    "ListRuleSets": _EVERYBODY,
    "UpdateRuleSet": _LEADS,
    "DeleteRuleSet": _LEADS,
    "PreviewRules": _EVERYBODY,
    "ApplyRuleSet": _LEADS_AND_SERVICES,
}
_SUGGESTIONS: Mapping[str, frozenset[Role]] = {"SuggestTasks": _EVERYBODY}
# Methods that concern no project, and whom they let in.
WITHOUT_PROJECT: Mapping[str, str] = {
    "CreateProject": "everybody; a user becomes the project's first owner",
    "ListProjects": "everybody; a user sees the projects that they are a member of",
    "GetCaller": "everybody",
    "CreateAccessToken": "users for themselves",
    "ListAccessTokens": "users for themselves",
    "RevokeAccessToken": "users for themselves",
}

ROLES: Mapping[str, frozenset[Role]] = {
    **_ANNOTATION,
    **_LABELING,
    **_MEMBERS,
    **_HISTORY,
    **_AGREEMENT,
    **_RULES,
    **_SUGGESTIONS,
}
"""From the name of a method that concerns a project to the roles that it lets in."""

_SERVICES: Mapping[str, tuple[str, ...]] = {
    SERVICE: (*_ANNOTATION, "CreateProject", "ListProjects"),
    LABELING_SERVICE: (*_LABELING,),
    MEMBER_SERVICE: (
        *_MEMBERS,
        "GetCaller",
        "CreateAccessToken",
        "ListAccessTokens",
        "RevokeAccessToken",
    ),
    HISTORY_SERVICE: (*_HISTORY,),
    AGREEMENT_SERVICE: (*_AGREEMENT,),
    RULE_SERVICE: (*_RULES,),
    SUGGESTION_SERVICE: (*_SUGGESTIONS,),
}

ACCESS = {
    f"/{service}/{method}": Access.AUTHENTICATED
    for service, methods in _SERVICES.items()
    for method in methods
}
