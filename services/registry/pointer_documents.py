"""Entries of the deployment log ↔ domain values."""

from __future__ import annotations

from dataclasses import asdict

from services.common.store.port import Document, Stored
from services.registry.documents import mapping, pairs
from services.registry.domain import ModelType, Split
from services.registry.pointers import (
    Action,
    AliasTable,
    DeployedModel,
    Deployment,
    LabelPin,
    ModelAlias,
)
from services.registry.policy import Gate, Policy, Retention


def deployment_document(deployment: Deployment) -> Document:
    """Return the body of a revision, without its place in the log."""
    return {
        "project": deployment.project,
        "revision": deployment.revision,
        "models": [
            {
                "model_type": model.model_type,
                "control": model.control,
                "version": model.version,
                "trunk_digest": model.trunk_digest,
                "adapters": pairs(model.adapters),
            }
            for model in deployment.models
        ],
        "pins": [
            {
                "label": pin.label,
                "version": pin.version,
                "trunk_digest": pin.trunk_digest,
                "adapter": pin.adapter,
            }
            for pin in deployment.pins
        ],
        "action": deployment.action,
        "restored_revision": deployment.restored_revision,
        "create_time": deployment.create_time,
        "version": deployment.moved_version,
        "label": deployment.moved_label,
        "violations": list(deployment.violations),
        "actor": deployment.actor,
    }


def deployment_of(stored: Stored) -> Deployment:
    """Return the revision of a document; those of the first releases have fewer fields."""
    body = stored.body
    return Deployment(
        project=body["project"],
        revision=body["revision"],
        models=tuple(
            DeployedModel(
                model_type=ModelType(model["model_type"]),
                control=model.get("control", ""),
                version=model["version"],
                trunk_digest=model["trunk_digest"],
                adapters=mapping(model["adapters"]),
            )
            for model in body["models"]
        ),
        pins=tuple(LabelPin(**pin) for pin in body.get("pins", ())),
        action=Action(body["action"]),
        restored_revision=body["restored_revision"],
        create_time=body["create_time"],
        actor=body.get("actor", ""),
        moved_version=body.get("version", ""),
        moved_label=body.get("label", ""),
        violations=tuple(body.get("violations", ())),
    )


def aliases_document(table: AliasTable, changed: ModelAlias) -> Document:
    """Return the body of an entry: all aliases of a project after one was changed.

    Args:
        table: The aliases.
        changed: The one that was set, or was deleted and is not in the table any more.
    """
    return {
        "project": table.project,
        "alias": changed.id,
        "version": changed.version,
        "deleted": changed.id not in table.aliases,
        "aliases": [
            {
                "line": alias.line,
                "alias": alias.alias,
                "version": alias.version,
                "etag": alias.etag,
                "update_time": alias.update_time,
                "actor": alias.actor,
            }
            for _, alias in sorted(table.aliases.items())
        ],
        "create_time": changed.update_time,
        "actor": changed.actor,
    }


def aliases_of(stored: Stored) -> AliasTable:
    """Return the aliases that a project has after an entry."""
    project = stored.body["project"]
    found = [ModelAlias(project=project, **alias) for alias in stored.body["aliases"]]
    return AliasTable(project=project, aliases={alias.id: alias for alias in found})


def policy_document(policy: Policy) -> Document:
    """Return the body of an entry: the policy of a project after a change."""
    gate = (
        None if policy.gate is None else {**asdict(policy.gate), "split": policy.gate.split.value}
    )
    return {
        "project": policy.project,
        "gate": gate,
        "retention": None if policy.retention is None else asdict(policy.retention),
        "etag": policy.etag,
        "create_time": policy.update_time,
        "actor": policy.actor,
    }


def policy_of(stored: Stored) -> Policy:
    """Return the policy that a project has after an entry."""
    body = stored.body
    gate, retention = body["gate"], body["retention"]
    return Policy(
        project=body["project"],
        gate=Gate(**{**gate, "split": Split(gate["split"])}) if gate else None,
        retention=Retention(**retention) if retention else None,
        etag=body["etag"],
        update_time=body["create_time"],
        actor=body["actor"],
    )
