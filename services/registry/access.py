"""What each RPC of the registry asks of its caller."""

from __future__ import annotations

from services.common.auth import Access, AccessRules

_SERVICE = "/spanloop.registry.v1.RegistryService"

ACCESS: AccessRules = {
    f"{_SERVICE}/{method}": Access.AUTHENTICATED
    for method in (
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
}
