"""Decisions about a project's deployment. Pure: they see values and return values or refuse."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from services.common.errors import (
    FailedPreconditionError,
    Reason,
    etag_mismatch,
    invalid_field,
)
from services.registry.domain import ModelType, ModelVersion, VersionState, version_name
from services.registry.pointers import (
    Action,
    AliasTable,
    DeployedModel,
    Deployment,
    LabelPin,
    deployed_model,
    deployment_name,
)
from services.registry.trial import Trial


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
        f"{version.name} is {state.name}, only READY versions can be deployed, pinned or named by "
        f"an alias.{why}",
        metadata={"resource": version.name, "state": state.name},
    )


def deploy(
    current: Deployment | None,
    version: ModelVersion,
    now: int,
    actor: str,
    violations: tuple[str, ...] = (),
) -> Deployment:
    """Return the next revision: `version` takes the place of the one of its type and control.

    Args:
        current: The newest revision; its pins stay.
        version: What to deploy.
        now: Microseconds UTC.
        actor: Who deploys.
        violations: Rules of the gate that are overridden.
    """
    return Deployment(
        project=version.project,
        revision=current.revision + 1 if current else 1,
        models=_with(current.models if current else (), deployed_model(version)),
        pins=current.pins if current else (),
        action=Action.DEPLOY,
        create_time=_later(current, now),
        actor=actor,
        moved_version=version.id,
        violations=violations,
    )


def with_candidate(current: Deployment, candidate: DeployedModel) -> Deployment:
    """Return what a revision would serve if a candidate were deployed in it."""
    return replace(current, models=_with(current.models, candidate))


def pin(current: Deployment, label: str, version: ModelVersion, now: int, actor: str) -> Deployment:
    """Return the next revision, in which `version` serves `label`.

    Raises:
        InvalidArgumentError: The version has no adapter for the label (LABEL_UNKNOWN), or none of
            labels at all.
    """
    if version.model_type is not ModelType.NER:
        # A version of another type is one adapter: deploying it changes nothing else.
        raise invalid_field(
            "model_version", f"{version.name} has no labels to pin: deploy the version itself."
        )
    adapter = version.adapters.get(label)
    if adapter is None:
        raise invalid_field(
            "label",
            f"{version.name} has no adapter for {label!r}, only for: "
            f"{', '.join(sorted(version.adapters))}.",
            reason=Reason.LABEL_UNKNOWN,
        )
    new = LabelPin(
        label=label, version=version.id, trunk_digest=version.trunk_digest, adapter=adapter
    )
    others = [one for one in current.pins if one.label != label]
    return replace(
        _following(current, Action.PIN_LABEL, now, actor),
        pins=tuple(sorted([*others, new], key=lambda one: one.label)),
        moved_version=version.id,
        moved_label=label,
    )


def unpin(current: Deployment, label: str, now: int, actor: str) -> Deployment:
    """Return the next revision, in which the deployed version serves `label` again.

    Raises:
        FailedPreconditionError: The label is not pinned (STATE_CONFLICT).
    """
    kept = tuple(one for one in current.pins if one.label != label)
    if len(kept) == len(current.pins):
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"Label {label!r} is not pinned in {current.name}.",
            metadata={"resource": current.name, "label": label},
        )
    return replace(
        _following(current, Action.UNPIN_LABEL, now, actor), pins=kept, moved_label=label
    )


def _following(current: Deployment, action: Action, now: int, actor: str) -> Deployment:
    """Return the next revision with what `current` serves."""
    return Deployment(
        project=current.project,
        revision=current.revision + 1,
        models=current.models,
        pins=current.pins,
        action=action,
        create_time=_later(current, now),
        actor=actor,
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
    """Return whether an unspecified rollback stops at `candidate`: it serves something else."""
    return candidate.revision < current.revision and _served(candidate) != _served(current)


def rollback(
    current: Deployment,
    target: Deployment | None,
    retired: Collection[str],
    now: int,
    actor: str,
) -> Deployment:
    """Return the next revision, which serves the models and pins of `target` again.

    Args:
        current: The newest revision.
        target: The revision to restore; None when there is no such one.
        retired: Ids of versions that must not be served any more.
        now: Microseconds UTC.
        actor: Who rolls back.

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
    for version in sorted(target.versions):
        if version in retired:
            name = version_name(target.project, version)
            raise FailedPreconditionError(
                Reason.MODEL_VERSION_NOT_READY,
                f"Revision {target.revision} cannot be served again: {name} is RETIRED.",
                metadata={"resource": name, "state": VersionState.RETIRED.name},
            )
    return replace(
        _following(current, Action.ROLLBACK, now, actor),
        models=target.models,
        pins=target.pins,
        restored_revision=target.revision,
    )


def check_retirable(
    version: ModelVersion, current: Deployment | None, aliases: AliasTable, trial: Trial | None
) -> None:
    """Refuse to retire what is being served, tried, or named by an alias.

    Raises:
        FailedPreconditionError: The version is deployed, pinned, the candidate of the project's
            newest trial, which runs, or has an alias (STATE_CONFLICT).
    """
    if trial is not None and trial.running and trial.candidate.version == version.id:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{version.name} is what {trial.name} tries: end it first.",
            metadata={"resource": version.name, "trial": trial.name},
        )
    if current is not None and any(model.version == version.id for model in current.models):
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{version.name} is deployed: deploy another version or roll back first.",
            metadata={"resource": version.name, "deployment": current.name},
        )
    pinned = [one.label for one in current.pins if one.version == version.id] if current else []
    if pinned:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{version.name} is pinned for {', '.join(pinned)}: unpin it first.",
            metadata={"resource": version.name, "deployment": deployment_name(version.project)},
        )
    named = [one.name for one in aliases.aliases.values() if one.version == version.id]
    if named:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{version.name} is what {', '.join(sorted(named))} means: move or delete it first.",
            metadata={"resource": version.name, "alias": min(named)},
        )


def _served(deployment: Deployment) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    models = {_place(model): model.version for model in deployment.models}
    return models, {one.label: one.version for one in deployment.pins}


def _later(current: Deployment | None, now: int) -> int:
    """Revisions are ordered in time even when the clock was set back."""
    return now if current is None else max(now, current.create_time + 1)


def _with(models: Iterable[DeployedModel], new: DeployedModel) -> tuple[DeployedModel, ...]:
    """Return the models with a new one in its place."""
    others = [model for model in models if _place(model) != _place(new)]
    return tuple(sorted([*others, new], key=_place))


def _place(model: DeployedModel) -> tuple[str, str]:
    """Return what a deployment has one model of."""
    return model.model_type.value, model.control
