"""What the registry keeps: trunks, adapters, model versions, deployments. Pure values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.common.errors import InvalidArgumentError, invalid_field

_VERSION = re.compile(
    r"(?P<type>[a-z]+)_(?P<project>[a-z0-9][a-z0-9_-]{0,62})_v(?P<number>[1-9][0-9]{0,8})"
    r"(?:_r(?P<replacement>[1-9][0-9]{0,8}))?"
)
_HEX = re.compile(r"[0-9a-f]{64}")


class ModelType(StrEnum):
    """What a model predicts; the value begins the names of its versions."""

    NER = "ner"


class VersionState(StrEnum):
    """Where a model version stands; `version_state` holds the allowed moves."""

    REGISTERED = "registered"
    READY = "ready"
    RETIRED = "retired"
    FAILED = "failed"


class Split(StrEnum):
    """Part of a snapshot that was measured on."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Action(StrEnum):
    """What moved a deployment."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """A registered trunk.

    Attributes:
        digest: ``sha256:<hex>`` of `manifest`.
        manifest: The manifest's canonical JSON, as it was registered.
        files: Digest of each file by its name; all were uploaded.
        create_time: When it was registered, microseconds UTC.
        source, precision, hidden_size, taps: From the manifest.
    """

    digest: str
    manifest: bytes
    source: str
    precision: str
    hidden_size: int
    taps: int
    files: Mapping[str, str]
    create_time: int


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A registered adapter; the attributes are those of `Trunk` in kind."""

    digest: str
    manifest: bytes
    label: str
    model_type: ModelType
    trunk_digest: str
    files: Mapping[str, str]
    create_time: int


@dataclass(frozen=True, kw_only=True)
class SpanMetrics:
    """Exact-span quality; shares between 0 and 1, counts not negative."""

    precision: float = 0.0
    recall: float = 0.0
    f1: float = 0.0
    support: int = 0
    predicted: int = 0
    correct: int = 0


@dataclass(frozen=True, kw_only=True)
class SplitEvaluation:
    """Quality on one split: by label value, over all spans, and averaged over the labels."""

    split: Split
    labels: Mapping[str, SpanMetrics]
    micro: SpanMetrics
    macro: SpanMetrics
    texts: int


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a version comes from: resource names and hashes, empty where unknown."""

    snapshot: str = ""
    snapshot_content_hash: str = ""
    training_job: str = ""
    code_version: str = ""


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """Trainer against onnxruntime on the same texts.

    Attributes:
        max_abs_diff: Largest absolute difference of any logit; NaN or infinite when logits were.
        texts: How many texts were compared.
        span_mismatches: On how many of them the decoded spans differ.
    """

    max_abs_diff: float
    texts: int
    span_mismatches: int


@dataclass(frozen=True, kw_only=True)
class VersionDraft:
    """A model version as its maker describes it, before it has a number.

    Attributes:
        adapters: Digest of the adapter by label value.
        evaluation: At most one entry per split.
    """

    project: str
    model_type: ModelType
    adapters: Mapping[str, str]
    evaluation: tuple[SplitEvaluation, ...] = ()
    lineage: Lineage = Lineage()


@dataclass(frozen=True, kw_only=True)
class ModelVersion(VersionDraft):
    """A registered model version.

    Attributes:
        number: Counts from 1 per project and type.
        replacement: Counts the versions that took the place of the first with this number; 0: it.
        replaced_by: Id of the version that took its place, or empty.
        etag: Changes with every change of the state.
        create_time: Microseconds UTC; grows with `number`.
    """

    number: int
    replacement: int = 0
    replaced_by: str = ""
    trunk_digest: str
    state: VersionState
    etag: str
    create_time: int
    failure_message: str = ""
    parity: ParityReport | None = None

    @property
    def id(self) -> str:
        """``<type>_<project>_v<n>``, of a replacement with ``_r<k>`` behind it."""
        return version_id(self.model_type, self.project, self.number, self.replacement)

    @property
    def name(self) -> str:
        """The resource name."""
        return version_name(self.project, self.id)


@dataclass(frozen=True, kw_only=True)
class VersionFilter:
    """Which versions of a project; what is empty or None does not restrict.

    Attributes:
        replaced: Whether those whose place another version took are among them.
    """

    states: tuple[VersionState, ...] = ()
    model_type: ModelType | None = None
    control: str = ""
    replaced: bool = False


@dataclass(frozen=True, kw_only=True)
class DeployedModel:
    """One model type of a deployment."""

    model_type: ModelType
    version: str
    trunk_digest: str
    adapters: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One revision of what a project serves.

    Attributes:
        revision: Counts the project's moves from 1.
        models: One per model type, in the order of the types' names.
        restored_revision: For a rollback the revision that it serves again, else 0.
    """

    project: str
    revision: int
    models: tuple[DeployedModel, ...]
    action: Action
    create_time: int
    restored_revision: int = 0

    @property
    def name(self) -> str:
        """The resource name."""
        return deployment_name(self.project)

    @property
    def etag(self) -> str:
        """Names this revision."""
        return str(self.revision)


def version_id(model_type: ModelType, project: str, number: int, replacement: int = 0) -> str:
    """Return the id of a model version."""
    suffix = f"_r{replacement}" if replacement else ""
    return f"{model_type}_{project}_v{number}{suffix}"


def version_name(project: str, version: str) -> str:
    """Return the resource name of a model version."""
    return f"projects/{project}/modelVersions/{version}"


def deployment_name(project: str) -> str:
    """Return the resource name of a project's deployment."""
    return f"projects/{project}/deployment"


def is_version_id(project: str, version: str) -> bool:
    """Return whether a model version of the project could have this id."""
    parts = _VERSION.fullmatch(version)
    return (
        parts is not None
        and parts["project"] == project
        and parts["type"] in {model_type.value for model_type in ModelType}
    )


def digest_from_id(id: str, field: str, collection: str) -> str:
    """Return the digest behind the last part of ``trunks/{digest}`` or ``adapters/{digest}``.

    Raises:
        InvalidArgumentError: It is not the hexadecimal part of a digest.
    """
    if _HEX.fullmatch(id) is None:
        raise _digest_form(field, f"{collection}/ and the 64 lower-case hex digits of the digest")
    return f"sha256:{id}"


def check_digest(digest: str, field: str) -> str:
    """Return a digest.

    Raises:
        InvalidArgumentError: It is not ``sha256:`` and 64 lower-case hexadecimal digits.
    """
    if not digest.startswith("sha256:") or _HEX.fullmatch(digest.removeprefix("sha256:")) is None:
        raise _digest_form(field, "'sha256:' and 64 lower-case hex digits")
    return digest


def hex_of(digest: str) -> str:
    """Return the hexadecimal part of a digest."""
    return digest.removeprefix("sha256:")


def _digest_form(field: str, form: str) -> InvalidArgumentError:
    return invalid_field(field, f"must be {form}")
