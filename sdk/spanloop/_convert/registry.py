"""Messages of the registry service."""

from __future__ import annotations

from collections.abc import Iterable

from spanloop._convert import basic
from spanloop._types import registry as types
from spanloop.registry.v1 import deployment_pb2, model_alias_pb2, model_version_pb2


def model_version(message: model_version_pb2.ModelVersion) -> types.ModelVersion:
    """Return a model version."""
    parity = message.parity
    return types.ModelVersion(
        name=message.name,
        number=message.number,
        model_type=basic.model_type_from(message.model_type),
        adapters=dict(sorted(message.adapters.items())),
        trunk_digest=message.trunk_digest,
        evaluation=(
            basic.evaluation_from(message.evaluation) if message.HasField("evaluation") else None
        ),
        lineage=lineage(message.lineage),
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
        purge_time=basic.time_from(message.purge_time, message.HasField("purge_time")),
    )


def lineage(message: model_version_pb2.Lineage) -> types.Lineage:
    """Return where a version comes from."""
    return types.Lineage(
        snapshot=message.snapshot,
        snapshot_content_hash=message.snapshot_content_hash,
        training_job=message.training_job,
        code_version=message.code_version,
        base_model_versions=tuple(message.base_model_versions),
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
        pins=tuple(
            types.LabelPin(
                label=pin.label,
                model_version=pin.model_version,
                trunk_digest=pin.trunk_digest,
                adapter=pin.adapter,
            )
            for pin in message.pins
        ),
        actor=message.actor,
    )


def alias(message: model_alias_pb2.ModelAlias) -> types.ModelAlias:
    """Return an alias."""
    return types.ModelAlias(
        name=message.name,
        model_version=message.model_version,
        built_in=message.built_in,
        etag=message.etag,
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
        actor=message.actor,
    )


def states_to(
    states: Iterable[types.ModelVersionState | str],
) -> list[str]:
    """Return model version states as wire names."""
    return [f"MODEL_VERSION_STATE_{types.ModelVersionState(state).name}" for state in states]
