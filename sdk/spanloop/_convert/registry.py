"""Messages of the registry service."""

from __future__ import annotations

from collections.abc import Iterable

from spanloop._convert import basic
from spanloop._types import registry as types
from spanloop.registry.v1 import deployment_pb2, model_version_pb2


def model_version(message: model_version_pb2.ModelVersion) -> types.ModelVersion:
    """Return a model version."""
    lineage, parity = message.lineage, message.parity
    return types.ModelVersion(
        name=message.name,
        number=message.number,
        model_type=basic.model_type_from(message.model_type),
        adapters=dict(sorted(message.adapters.items())),
        trunk_digest=message.trunk_digest,
        evaluation=(
            basic.evaluation_from(message.evaluation) if message.HasField("evaluation") else None
        ),
        lineage=types.Lineage(
            snapshot=lineage.snapshot,
            snapshot_content_hash=lineage.snapshot_content_hash,
            training_job=lineage.training_job,
            code_version=lineage.code_version,
        ),
        state=basic.enum_from(
            types.ModelVersionState,
            model_version_pb2.ModelVersionState,
            "MODEL_VERSION_STATE_",
            message.state,
        ),
        failure_message=message.failure_message,
        parity=(
            types.ParityReport(
                max_abs_diff=parity.max_abs_diff,
                texts=parity.texts,
                span_mismatches=parity.span_mismatches,
            )
            if message.HasField("parity")
            else None
        ),
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
    )


def deployment(message: deployment_pb2.Deployment) -> types.Deployment:
    """Return a deployment revision."""
    return types.Deployment(
        name=message.name,
        revision=message.revision,
        models=tuple(
            types.DeployedModel(
                model_version=model.model_version,
                trunk_digest=model.trunk_digest,
                adapters=dict(sorted(model.adapters.items())),
            )
            for model in message.models
        ),
        action=basic.enum_from(
            types.DeploymentAction,
            deployment_pb2.DeploymentAction,
            "DEPLOYMENT_ACTION_",
            message.action,
        ),
        restored_revision=message.restored_revision,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
    )


def states_to(
    states: Iterable[types.ModelVersionState | str],
) -> list[str]:
    """Return model version states as wire names."""
    return [f"MODEL_VERSION_STATE_{types.ModelVersionState(state).name}" for state in states]
