"""What points at model versions: a project's deployment and its aliases. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.registry.domain import ModelType, ModelVersion, version_name
from services.registry.naming import line_id


class Action(StrEnum):
    """What moved a deployment."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    PIN_LABEL = "pin_label"
    UNPIN_LABEL = "unpin_label"


@dataclass(frozen=True, kw_only=True)
class DeployedModel:
    """One model type of a deployment; for a classification one control."""

    model_type: ModelType
    control: str = ""
    version: str
    trunk_digest: str
    adapters: Mapping[str, str]

    @property
    def line(self) -> str:
        """What a deployment has one model of, and versions are numbered in."""
        return line_id(self.model_type, self.control)


def deployed_model(version: ModelVersion) -> DeployedModel:
    """Return a version as a deployment holds it."""
    return DeployedModel(
        model_type=version.model_type,
        control=version.control,
        version=version.id,
        trunk_digest=version.trunk_digest,
        adapters=dict(version.adapters),
    )


@dataclass(frozen=True, kw_only=True)
class LabelPin:
    """One label that is served from another version than the deployed one."""

    label: str
    version: str
    trunk_digest: str
    adapter: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One revision of what a project serves.

    Attributes:
        revision: Counts the project's moves from 1.
        models: One per model type and control, in the order of their names.
        pins: By label value; each wins over the models for its label.
        restored_revision: For a rollback the revision that it serves again, else 0.
        actor: Who moved it; empty where an earlier release did.
        moved_version, moved_label: What was deployed or pinned; empty for a rollback.
        violations: Rules of the gate that were overridden by force.
    """

    project: str
    revision: int
    models: tuple[DeployedModel, ...]
    pins: tuple[LabelPin, ...] = ()
    action: Action
    create_time: int
    restored_revision: int = 0
    actor: str = ""
    moved_version: str = ""
    moved_label: str = ""
    violations: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The resource name."""
        return deployment_name(self.project)

    @property
    def etag(self) -> str:
        """Names this revision."""
        return str(self.revision)

    @property
    def versions(self) -> frozenset[str]:
        """Ids of all versions that it serves, deployed or pinned."""
        return frozenset(
            [*(model.version for model in self.models), *(pin.version for pin in self.pins)]
        )


@dataclass(frozen=True, kw_only=True)
class ModelAlias:
    """A second name of a model version.

    Attributes:
        line: The line of versions that it may point into.
        alias: What stands behind the ``@``.
        version: Id of the version.
        etag: Changes with every change; empty for built-in ones.
        actor: Who pointed it there.
    """

    project: str
    line: str
    alias: str
    version: str
    etag: str = ""
    update_time: int
    actor: str = ""
    built_in: bool = False

    @property
    def id(self) -> str:
        """The last part of `name`."""
        return f"{self.line}@{self.alias}"

    @property
    def name(self) -> str:
        """The resource name; it is a name of the version too."""
        return version_name(self.project, self.id)


@dataclass(frozen=True, kw_only=True)
class AliasTable:
    """All aliases that users set in a project, by their ids."""

    project: str
    aliases: Mapping[str, ModelAlias] = field(default_factory=dict)

    @property
    def versions(self) -> frozenset[str]:
        """Ids of all versions that have an alias."""
        return frozenset(alias.version for alias in self.aliases.values())


def deployment_name(project: str) -> str:
    """Return the resource name of a project's deployment."""
    return f"projects/{project}/deployment"
