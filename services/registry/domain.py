"""What the registry keeps of models: trunks, adapters, versions. Pure values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.common.errors import InvalidArgumentError, invalid_field
from services.registry.naming import line_id, version_id

_HEX = re.compile(r"[0-9a-f]{64}")


class ModelType(StrEnum):
    """What a model predicts; the value begins the names of its versions."""

    NER = "ner"
    CLASSIFICATION = "classification"
    ASSERTION = "assertion"


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


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """A registered trunk.

    Attributes:
        digest: ``sha256:<hex>`` of `manifest`.
        manifest: The manifest's canonical JSON, as it was registered.
        files: Digest of each file by its name; all were uploaded.
        create_time: When it was registered, microseconds UTC.
        actor: Who registered it; empty where an earlier release did.
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
    actor: str = ""


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
    actor: str = ""


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
    """Where a version comes from: resource names and hashes, empty where unknown.

    Attributes:
        snapshot, snapshot_content_hash, training_job, code_version: Names and hashes.
        parameters: What it was trained with, canonical JSON.
        base_model_versions: Names of the versions that it was made from.
    """

    snapshot: str = ""
    snapshot_content_hash: str = ""
    training_job: str = ""
    code_version: str = ""
    parameters: str = ""
    base_model_versions: tuple[str, ...] = ()


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
class Baseline:
    """What another version, by its name, reached on the same examples."""

    model_version: str
    evaluation: SplitEvaluation


@dataclass(frozen=True, kw_only=True)
class VersionDraft:
    """A model version as its maker describes it, before it has a number.

    Attributes:
        control: For a classification the name of its `Choices` control, else empty.
        adapters: Digest of the adapter by label value, control, or ``assertion``.
        evaluation: At most one entry per split.
        baseline: What the version served at the time reached, if it was measured.
    """

    project: str
    model_type: ModelType
    control: str = ""
    adapters: Mapping[str, str]
    evaluation: tuple[SplitEvaluation, ...] = ()
    lineage: Lineage = Lineage()
    baseline: Baseline | None = None


@dataclass(frozen=True, kw_only=True)
class ModelVersion(VersionDraft):
    """A registered model version.

    Attributes:
        number: Counts from 1 per project, type and control.
        replacement: Counts the versions that took the place of the first with this number; 0: it.
        replaced_by: Id of the version that took its place, or empty.
        etag: Changes with every change of the state.
        create_time: Microseconds UTC; grows with `number`.
        actor: Who registered it; empty where an earlier release did.
        purge_time: When its artifacts were given up; None: they are kept.
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
    actor: str = ""
    purge_time: int | None = None

    @property
    def id(self) -> str:
        """The last part of `name`."""
        return self.id_of(self.number, self.replacement)

    def id_of(self, number: int, replacement: int) -> str:
        """Return the id of another version of the same project, type and control."""
        return version_id(self.model_type, self.control, self.project, number, replacement)

    @property
    def line(self) -> str:
        """What it is numbered in."""
        return line_id(self.model_type, self.control)

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


def version_name(project: str, version: str) -> str:
    """Return the resource name of a model version."""
    return f"projects/{project}/modelVersions/{version}"


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
