"""What each RPC of the registry asks of its caller."""

from __future__ import annotations

from services.common.auth import Access, AccessRules

_SERVICE = "/spanloop.registry.v1.RegistryService"
_GOVERNANCE = "/spanloop.registry.v1.GovernanceService"
_SERVERS = "/spanloop.registry.v1.ServerService"
_TRIALS = "/spanloop.registry.v1.TrialService"

_REGISTRY_METHODS = (
    "UploadArtifact",
    "DownloadArtifact",
    "RegisterTrunk",
    "GetTrunk",
    "ListTrunks",
    "RegisterAdapter",
    "GetAdapter",
    "CreateModelVersion",
    "VerifyModelVersion",
    "RetireModelVersion",
    "GetModelVersion",
    "ListModelVersions",
    "Deploy",
    "Rollback",
    "PinLabel",
    "UnpinLabel",
    "GetDeployment",
    "ListDeploymentRevisions",
    "WatchDeployment",
    "SetModelAlias",
    "DeleteModelAlias",
    "ListModelAliases",
)
_GOVERNANCE_METHODS = (
    "GetRegistryPolicy",
    "UpdateRegistryPolicy",
    "RunRetention",
    "GetModelCard",
    "GetLineage",
    "ListAuditEvents",
)
_TRIAL_METHODS = ("StartTrial", "GetTrial", "ListTrials", "EndTrial", "ReportTrial")
_SERVER_METHODS = ("ReportServer", "RemoveServer", "ListServers", "ChooseTrunkPrecision")

ACCESS: AccessRules = dict.fromkeys(
    [
        *(f"{_SERVICE}/{method}" for method in _REGISTRY_METHODS),
        *(f"{_GOVERNANCE}/{method}" for method in _GOVERNANCE_METHODS),
        *(f"{_TRIALS}/{method}" for method in _TRIAL_METHODS),
        *(f"{_SERVERS}/{method}" for method in _SERVER_METHODS),
    ],
    Access.AUTHENTICATED,
)
