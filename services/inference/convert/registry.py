"""What the registry tells: deployments and model versions."""

from __future__ import annotations

from dataclasses import replace

from services.inference.domain import (
    AdapterKind,
    AdapterRef,
    AdapterSet,
    DeploymentRevision,
    ModelVersion,
    VersionState,
)
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import deployment_pb2, model_version_pb2

_VERSION_STATES = {
    model_version_pb2.MODEL_VERSION_STATE_REGISTERED: VersionState.REGISTERED,
    model_version_pb2.MODEL_VERSION_STATE_READY: VersionState.READY,
    model_version_pb2.MODEL_VERSION_STATE_RETIRED: VersionState.RETIRED,
    model_version_pb2.MODEL_VERSION_STATE_FAILED: VersionState.FAILED,
}
_KINDS = {
    # Registries of the first release told no type: all they had were labels.
    evaluation_pb2.MODEL_TYPE_UNSPECIFIED: AdapterKind.LABEL,
    evaluation_pb2.MODEL_TYPE_NER: AdapterKind.LABEL,
    evaluation_pb2.MODEL_TYPE_CLASSIFICATION: AdapterKind.CONTROL,
    evaluation_pb2.MODEL_TYPE_ASSERTION: AdapterKind.ASSERTION,
}


def deployment_of(message: deployment_pb2.Deployment) -> DeploymentRevision:
    """Return a deployment of the registry; a model of a type that is new to us is left out."""
    deployed = AdapterSet.of(
        (
            _KINDS[model.model_type],
            name,
            AdapterRef(
                digest=digest,
                trunk_digest=model.trunk_digest,
                model_version=model.model_version,
            ),
        )
        for model in message.models
        if model.model_type in _KINDS
        for name, digest in model.adapters.items()
    )
    pinned = {
        pin.label: AdapterRef(
            digest=pin.adapter, trunk_digest=pin.trunk_digest, model_version=pin.model_version
        )
        for pin in message.pins
    }
    return DeploymentRevision(
        project=message.name.split("/")[1],
        revision=message.revision,
        adapters=replace(deployed, labels={**deployed.labels, **pinned}),
    )


def model_version_of(message: model_version_pb2.ModelVersion) -> ModelVersion:
    """Return a model version of the registry; a state that is new to us must not be served."""
    return ModelVersion(
        name=message.name,
        state=_VERSION_STATES.get(message.state, VersionState.REGISTERED),
        purged=message.HasField("purge_time"),
        adapters=AdapterSet.of(
            (
                _KINDS[message.model_type],
                name,
                AdapterRef(
                    digest=digest, trunk_digest=message.trunk_digest, model_version=message.name
                ),
            )
            for name, digest in message.adapters.items()
            if message.model_type in _KINDS
        ),
    )
