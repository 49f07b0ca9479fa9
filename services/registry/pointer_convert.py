"""Deployments and aliases: messages ↔ domain values."""

from __future__ import annotations

from services.common.names import WILDCARD, parse_name
from services.common.times import to_timestamp
from services.common.validate import check_id
from services.registry.convert import MODEL_TYPE_VALUES
from services.registry.domain import version_name
from services.registry.pointers import Action, Deployment, ModelAlias
from spanloop.registry.v1 import deployment_pb2, model_alias_pb2

_DEPLOYMENT = "projects/{project}/deployment"

_ACTION_VALUES = {
    Action.DEPLOY: deployment_pb2.DEPLOYMENT_ACTION_DEPLOY,
    Action.ROLLBACK: deployment_pb2.DEPLOYMENT_ACTION_ROLLBACK,
    Action.PIN_LABEL: deployment_pb2.DEPLOYMENT_ACTION_PIN_LABEL,
    Action.UNPIN_LABEL: deployment_pb2.DEPLOYMENT_ACTION_UNPIN_LABEL,
}


def project_of_deployment(name: str) -> str:
    """Return the project of a deployment's name."""
    return check_id(parse_name(_DEPLOYMENT, name)["project"], "name")


def watched_project(name: str) -> str | None:
    """Return the project of a deployment's name; None when it is ``-``, all projects."""
    project = parse_name(_DEPLOYMENT, name, wildcard=("project",))["project"]
    return None if project == WILDCARD else check_id(project, "name")


def deployment_message(deployment: Deployment) -> deployment_pb2.Deployment:
    """Return the message of a deployment's revision."""
    return deployment_pb2.Deployment(
        name=deployment.name,
        revision=deployment.revision,
        models=[
            deployment_pb2.DeployedModel(
                model_version=version_name(deployment.project, model.version),
                trunk_digest=model.trunk_digest,
                adapters=model.adapters,
                model_type=MODEL_TYPE_VALUES[model.model_type],
                control=model.control,
            )
            for model in deployment.models
        ],
        action=_ACTION_VALUES[deployment.action],
        restored_revision=deployment.restored_revision,
        etag=deployment.etag,
        create_time=to_timestamp(deployment.create_time),
        pins=[
            deployment_pb2.LabelPin(
                label=pin.label,
                model_version=version_name(deployment.project, pin.version),
                trunk_digest=pin.trunk_digest,
                adapter=pin.adapter,
            )
            for pin in deployment.pins
        ],
        actor=deployment.actor,
    )


def alias_message(alias: ModelAlias) -> model_alias_pb2.ModelAlias:
    """Return the message of an alias."""
    return model_alias_pb2.ModelAlias(
        name=alias.name,
        model_version=version_name(alias.project, alias.version),
        built_in=alias.built_in,
        etag=alias.etag,
        update_time=to_timestamp(alias.update_time),
        actor=alias.actor,
    )
