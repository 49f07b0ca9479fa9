"""What each RPC of the inference service asks of its caller."""

from __future__ import annotations

from services.common.auth import Access, AccessRules

_SERVICE = "/spanloop.inference.v1.InferenceService"

ACCESS: AccessRules = {
    f"{_SERVICE}/{method}": Access.AUTHENTICATED
    for method in (
        "Predict",
        "PredictStream",
        "GetServingState",
        "CreatePreannotationJob",
        "GetPreannotationJob",
        "ListPreannotationJobs",
        "CancelPreannotationJob",
        "WatchPreannotationJob",
    )
}
