"""Model versions and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from spanloop._types.choice import Choice
from spanloop._types.text import EvaluationReport, ModelType


class ModelVersionState(Choice):
    """Where a model version stands; only READY ones can be deployed."""

    UNSPECIFIED = "unspecified"
    REGISTERED = "registered"
    READY = "ready"
    RETIRED = "retired"
    FAILED = "failed"


class DeploymentAction(Choice):
    """What moved a deployment."""

    UNSPECIFIED = "unspecified"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    PIN_LABEL = "pin_label"
    UNPIN_LABEL = "unpin_label"


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """How far training framework and onnxruntime differ on the same texts."""

    max_abs_diff: float
    texts: int
    span_mismatches: int


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a model version comes from."""

    snapshot: str
    snapshot_content_hash: str
    training_job: str
    code_version: str
    base_model_versions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """An immutable manifest: label value → digest of its adapter.

    `purge_time`: when retention gave up its artifacts; nothing can serve it any more.
    """

    name: str
    number: int
    model_type: ModelType
    adapters: Mapping[str, str]
    trunk_digest: str
    evaluation: EvaluationReport | None
    lineage: Lineage
    state: ModelVersionState
    failure_message: str
    parity: ParityReport | None
    etag: str
    create_time: datetime | None
    purge_time: datetime | None = None

    @property
    def id(self) -> str:
        """The last part of the name, e.g. `ner_contracts_v3`."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class DeployedModel:
    """One model type of a deployment."""

    model_version: str
    trunk_digest: str
    adapters: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LabelPin:
    """One label that is served from another version than the deployed one."""

    label: str
    model_version: str
    trunk_digest: str
    adapter: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What a project serves; `restored_revision` is 0 unless a rollback made this revision.

    `actor` made it: a user, or `system`. Each of the `pins` wins over the models for its label.
    """

    name: str
    revision: int
    models: tuple[DeployedModel, ...]
    action: DeploymentAction
    restored_revision: int
    etag: str
    create_time: datetime | None
    pins: tuple[LabelPin, ...] = ()
    actor: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelAlias:
    """A second name of a model version, which can be moved to another one.

    `champion` and `previous` of each line are built in and follow the deployment.
    """

    name: str
    model_version: str
    built_in: bool
    etag: str
    update_time: datetime | None
    actor: str

    @property
    def id(self) -> str:
        """The last part of the name, e.g. `ner@staging`."""
        return self.name.rpartition("/")[2]
