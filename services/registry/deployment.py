"""Decisions about a project's deployment. Pure: they see values and return values or refuse."""

from __future__ import annotations

from collections.abc import Collection

from services.common.errors import FailedPreconditionError, Reason, etag_mismatch
from services.registry.domain import (
    Action,
    DeployedModel,
    Deployment,
    ModelVersion,
    VersionState,
    deployment_name,
    version_name,
)


def check_etag(project: str, current: Deployment | None, etag: str) -> None:
    """Refuse a move that is based on another revision than the current one; no etag passes.

    Raises:
        AbortedError: The deployment moved since the caller read `etag` (ETAG_MISMATCH).
    """
    if etag and (current is None or current.etag != etag):
        raise etag_mismatch(deployment_name(project))


def check_deployable(version: ModelVersion, *, retired: bool) -> None:
    """Refuse a version that must not be served.

    Args:
        version: The version as stored.
        retired: Whether its retirement is decided, though perhaps not yet in its state.

    Raises:
        FailedPreconditionError: It is not READY (MODEL_VERSION_NOT_READY); says what it is.
    """
    state = VersionState.RETIRED if retired else version.state
    if state is VersionState.READY:
        return
    why = f" {version.failure_message}" if version.failure_message else ""
    raise FailedPreconditionError(
        Reason.MODEL_VERSION_NOT_READY,
        f"{version.name} is {state.name}, only READY versions can be deployed.{why}",
        metadata={"resource": version.name, "state": state.name},
    )


def deploy(current: Deployment | None, version: ModelVersion, now: int) -> Deployment:
    """Return the next revision: `version` takes the place of the one of its type and control."""
    new = DeployedModel(
        model_type=version.model_type,
        control=version.control,
        version=version.id,
        trunk_digest=version.trunk_digest,
        adapters=dict(version.adapters),
    )
    others = [m for m in (current.models if current else ()) if _place(m) != _place(new)]
    return Deployment(
        project=version.project,
        revision=current.revision + 1 if current else 1,
        models=tuple(sorted([*others, new], key=_place)),
        action=Action.DEPLOY,
        create_time=_later(current, now),
    )


def require(project: str, current: Deployment | None) -> Deployment:
    """Return the current deployment.

    Raises:
        FailedPreconditionError: There is none (NOTHING_DEPLOYED).
    """
    if current is None:
        raise FailedPreconditionError(
            Reason.NOTHING_DEPLOYED,
            f"Project {project} has no deployment yet: deploy a model version first.",
            metadata={"resource": deployment_name(project)},
        )
    return current


def is_target(current: Deployment, candidate: Deployment) -> bool:
    """Return whether an unspecified rollback stops at `candidate`: earlier, with other models."""
    return candidate.revision < current.revision and _served(candidate) != _served(current)


def rollback(
    current: Deployment, target: Deployment | None, retired: Collection[str], now: int
) -> Deployment:
    """Return the next revision, which serves the models of `target` again.

    Args:
        current: The newest revision.
        target: The revision to restore; None when there is no such one.
        retired: Ids of versions that must not be served any more.
        now: Microseconds UTC.

    Raises:
        FailedPreconditionError: `target` is not an earlier revision (NOTHING_TO_ROLL_BACK), or one
            of its versions is retired (MODEL_VERSION_NOT_READY).
    """
    if target is None or target.revision >= current.revision:
        raise FailedPreconditionError(
            Reason.NOTHING_TO_ROLL_BACK,
            f"{current.name} has no such revision before its current one, {current.revision}.",
            metadata={"resource": current.name, "revision": str(current.revision)},
        )
    for model in target.models:
        if model.version in retired:
            name = version_name(target.project, model.version)
            raise FailedPreconditionError(
                Reason.MODEL_VERSION_NOT_READY,
                f"Revision {target.revision} cannot be served again: {name} is RETIRED.",
                metadata={"resource": name, "state": VersionState.RETIRED.name},
            )
    return Deployment(
        project=current.project,
        revision=current.revision + 1,
        models=target.models,
        action=Action.ROLLBACK,
        restored_revision=target.revision,
        create_time=_later(current, now),
    )


def check_retirable(version: ModelVersion, current: Deployment | None) -> None:
    """Refuse to retire what is being served.

    Raises:
        FailedPreconditionError: The version is deployed (STATE_CONFLICT).
    """
    if current is not None and any(model.version == version.id for model in current.models):
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{version.name} is deployed: deploy another version or roll back first.",
            metadata={"resource": version.name, "deployment": current.name},
        )


def _served(deployment: Deployment) -> dict[str, str]:
    return {model.model_type: model.version for model in deployment.models}


def _later(current: Deployment | None, now: int) -> int:
    """Revisions are ordered in time even when the clock was set back."""
    return now if current is None else max(now, current.create_time + 1)


def _place(model: DeployedModel) -> tuple[str, str]:
    """Return what a deployment has one model of."""
    return model.model_type.value, model.control
