"""What each RPC of the inference service asks of its caller."""

from __future__ import annotations

from services.common.auth import Access, AccessRules

_SERVICE = "/spanloop.inference.v1.InferenceService"
_OPEN = "/inference.GRPCInferenceService"

_OWN: AccessRules = {
    f"{_SERVICE}/{method}": Access.AUTHENTICATED
    for method in (
        "Predict",
        "PredictStream",
        "GetServingState",
        "ExportModelVersion",
        "CreatePreannotationJob",
        "GetPreannotationJob",
        "ListPreannotationJobs",
        "CancelPreannotationJob",
        "WatchPreannotationJob",
    )
}

_OPEN_INFERENCE: AccessRules = {
    # They tell what the health service, which is public too, tells.
    f"{_OPEN}/ServerLive": Access.PUBLIC,
    f"{_OPEN}/ServerReady": Access.PUBLIC,
    **{
        f"{_OPEN}/{method}": Access.AUTHENTICATED
        for method in (
            "ModelReady",
            "ServerMetadata",
            "ModelMetadata",
            "ModelInfer",
            "ModelConfig",
            "RepositoryIndex",
            "RepositoryModelLoad",
            "RepositoryModelUnload",
        )
    },
}

ACCESS: AccessRules = {**_OWN, **_OPEN_INFERENCE}
