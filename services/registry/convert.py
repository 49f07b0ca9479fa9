"""Messages ↔ domain values, and the checks that need nothing but the message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from services.common.errors import Reason, invalid_field
from services.common.modeling.heads import ASSERTION
from services.common.names import parse_name
from services.common.times import to_timestamp
from services.common.validate import check_count, check_id, check_line, check_range, check_text
from services.common.version_names import VERSION_NAME, parse_version_name
from services.registry.domain import (
    Adapter,
    Baseline,
    Lineage,
    ModelType,
    ModelVersion,
    ParityReport,
    Trunk,
    VersionDraft,
    VersionFilter,
    VersionState,
    check_digest,
    digest_from_id,
    hex_of,
    version_name,
)
from services.registry.evaluation_convert import (
    evaluation_message,
    evaluation_of,
    split_message,
    split_of,
)
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import (
    adapter_pb2,
    model_version_pb2,
    registry_service_pb2,
    trunk_pb2,
)

MAX_CHUNK_BYTES = 1024 * 1024
MAX_LABELS = 1000
MAX_BASES = 10
MAX_PARAMETERS = 20_000

MODEL_TYPES = {
    evaluation_pb2.MODEL_TYPE_NER: ModelType.NER,
    evaluation_pb2.MODEL_TYPE_CLASSIFICATION: ModelType.CLASSIFICATION,
    evaluation_pb2.MODEL_TYPE_ASSERTION: ModelType.ASSERTION,
}
MODEL_TYPE_VALUES = {value: key for key, value in MODEL_TYPES.items()}
_STATES = {
    model_version_pb2.MODEL_VERSION_STATE_REGISTERED: VersionState.REGISTERED,
    model_version_pb2.MODEL_VERSION_STATE_READY: VersionState.READY,
    model_version_pb2.MODEL_VERSION_STATE_RETIRED: VersionState.RETIRED,
    model_version_pb2.MODEL_VERSION_STATE_FAILED: VersionState.FAILED,
}
_STATE_VALUES = {value: key for key, value in _STATES.items()}


async def upload_of(
    requests: AsyncIterator[registry_service_pb2.UploadArtifactRequest],
) -> tuple[str, AsyncIterator[bytes]]:
    """Return the announced digest and the chunks that follow it.

    Raises:
        InvalidArgumentError: The stream does not begin with a digest. The chunks raise it for a
            message that carries none, or one that is too large.
    """
    first = await anext(requests, None)
    if first is None or first.WhichOneof("payload") != "digest":
        raise invalid_field("digest", "must be the first message of the stream.")
    return check_digest(first.digest, "digest"), _chunks(requests)


async def _chunks(
    requests: AsyncIterator[registry_service_pb2.UploadArtifactRequest],
) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("payload") != "chunk":
            raise invalid_field("chunk", "must be set in every message but the first.")
        if len(request.chunk) > MAX_CHUNK_BYTES:
            raise invalid_field(
                "chunk",
                f"has at most {MAX_CHUNK_BYTES} bytes.",
                reason=Reason.REQUEST_TOO_LARGE,
            )
        yield request.chunk


def project_of(parent: str) -> str:
    """Return the project of a ``parent`` field."""
    return check_id(parse_name("projects/{project}", parent, "parent")["project"], "parent")


def version_of_name(name: str, field: str) -> tuple[str, str]:
    """Return project and version id of a model version's name."""
    parts = parse_name(VERSION_NAME, name, field)
    return check_id(parts["project"], field), parts["version"]


def version_or_alias(name: str, field: str) -> tuple[str, str]:
    """Return project and what stands behind it in the name of a version or an alias."""
    project, version = parse_version_name(name, field)
    return check_id(project, field), version


def trunk_digest_of(name: str) -> str:
    """Return the digest in a trunk's name."""
    return digest_from_id(parse_name("trunks/{digest}", name)["digest"], "name", "trunks")


def adapter_digest_of(name: str) -> str:
    """Return the digest in an adapter's name."""
    return digest_from_id(parse_name("adapters/{digest}", name)["digest"], "name", "adapters")


def draft_of(request: registry_service_pb2.CreateModelVersionRequest) -> VersionDraft:
    """Return the version that a request describes."""
    project = project_of(request.parent)
    message = request.model_version
    model_type = MODEL_TYPES.get(message.model_type)
    if model_type is None:
        raise invalid_field("model_version.model_type", "is required and must be a known type.")
    check_count(message.adapters, "model_version.adapters", 1, MAX_LABELS)
    for label, digest in message.adapters.items():
        check_line(label, "model_version.adapters", 1, 100)
        check_digest(digest, f"model_version.adapters[{label}]")
    return VersionDraft(
        project=project,
        model_type=model_type,
        control=_control_of(message, model_type),
        adapters=dict(message.adapters),
        evaluation=evaluation_of(message.evaluation, "model_version.evaluation"),
        lineage=_lineage_of(message.lineage, project),
        baseline=_baseline_of(message.baseline, project) if message.HasField("baseline") else None,
    )


def _control_of(message: model_version_pb2.ModelVersion, model_type: ModelType) -> str:
    """Return a version's control; refuses adapters that do not stand where its type has them."""
    field, control = "model_version.control", message.control
    if model_type is ModelType.CLASSIFICATION:
        check_line(control, field, 1, 100)
    elif control:
        raise invalid_field(field, "belongs to MODEL_TYPE_CLASSIFICATION only.")
    only = control if model_type is ModelType.CLASSIFICATION else ASSERTION
    if model_type is not ModelType.NER and set(message.adapters) != {only}:
        raise invalid_field(
            "model_version.adapters", f"must have exactly one key for this type: {only!r}."
        )
    return control


def filter_of(request: registry_service_pb2.ListModelVersionsRequest) -> VersionFilter:
    """Return which versions a list is to hold."""
    kind = request.model_type
    if kind and kind not in MODEL_TYPES:
        raise invalid_field("model_type", "must be a known type.")
    return VersionFilter(
        states=tuple(sorted(set(states_of(request.states)))),
        model_type=MODEL_TYPES[kind] if kind else None,
        control=request.control,
        replaced=request.show_replaced,
    )


def states_of(states: Sequence[model_version_pb2.ModelVersionState]) -> list[VersionState]:
    """Return the states of a filter."""
    if any(state not in _STATES for state in states):
        raise invalid_field("states", "must hold known states only.")
    return [_STATES[state] for state in states]


def parity_of(request: registry_service_pb2.VerifyModelVersionRequest) -> ParityReport:
    """Return a parity report. A difference that is NaN or infinite is a finding, not a mistake."""
    if not request.HasField("parity"):
        raise invalid_field("parity", "is required.")
    message = request.parity
    if message.max_abs_diff < 0:
        raise invalid_field("parity.max_abs_diff", "must not be negative.")
    check_range(message.texts, "parity.texts", 0)
    check_range(message.span_mismatches, "parity.span_mismatches", 0, message.texts)
    return ParityReport(
        max_abs_diff=message.max_abs_diff,
        texts=message.texts,
        span_mismatches=message.span_mismatches,
    )


def trunk_message(trunk: Trunk) -> trunk_pb2.Trunk:
    """Return the message of a trunk."""
    return trunk_pb2.Trunk(
        name=f"trunks/{hex_of(trunk.digest)}",
        digest=trunk.digest,
        manifest=trunk.manifest,
        source=trunk.source,
        precision=trunk.precision,
        hidden_size=trunk.hidden_size,
        taps=trunk.taps,
        files=trunk.files,
        create_time=to_timestamp(trunk.create_time),
    )


def adapter_message(adapter: Adapter) -> adapter_pb2.Adapter:
    """Return the message of an adapter."""
    return adapter_pb2.Adapter(
        name=f"adapters/{hex_of(adapter.digest)}",
        digest=adapter.digest,
        manifest=adapter.manifest,
        label=adapter.label,
        trunk_digest=adapter.trunk_digest,
        files=adapter.files,
        create_time=to_timestamp(adapter.create_time),
    )


def version_message(version: ModelVersion) -> model_version_pb2.ModelVersion:
    """Return the message of a model version."""
    parity = version.parity
    return model_version_pb2.ModelVersion(
        name=version.name,
        number=version.number,
        model_type=MODEL_TYPE_VALUES[version.model_type],
        adapters=version.adapters,
        trunk_digest=version.trunk_digest,
        evaluation=evaluation_message(version.evaluation),
        lineage=lineage_message(version.lineage),
        baseline=None
        if version.baseline is None
        else model_version_pb2.Baseline(
            model_version=version.baseline.model_version,
            evaluation=split_message(version.baseline.evaluation),
        ),
        control=version.control,
        state=_STATE_VALUES[version.state],
        failure_message=version.failure_message,
        parity=None
        if parity is None
        else model_version_pb2.ParityReport(
            max_abs_diff=parity.max_abs_diff,
            texts=parity.texts,
            span_mismatches=parity.span_mismatches,
        ),
        etag=version.etag,
        create_time=to_timestamp(version.create_time),
        replacement=version.replacement,
        replaced_by=version_name(version.project, version.replaced_by)
        if version.replaced_by
        else "",
        purge_time=None if version.purge_time is None else to_timestamp(version.purge_time),
    )


def lineage_message(lineage: Lineage) -> model_version_pb2.Lineage:
    """Return the message of where a version comes from."""
    return model_version_pb2.Lineage(
        snapshot=lineage.snapshot,
        snapshot_content_hash=lineage.snapshot_content_hash,
        training_job=lineage.training_job,
        code_version=lineage.code_version,
        parameters=lineage.parameters,
        base_model_versions=lineage.base_model_versions,
    )


def _baseline_of(message: model_version_pb2.Baseline, project: str) -> Baseline:
    field = "model_version.baseline"
    _own_version(message.model_version, project, f"{field}.model_version")
    return Baseline(
        model_version=message.model_version,
        evaluation=split_of(message.evaluation, f"{field}.evaluation"),
    )


def _own_version(name: str, project: str, field: str) -> None:
    if version_of_name(name, field)[0] != project:
        raise invalid_field(field, "must be a model version of the same project.")


def _lineage_of(message: model_version_pb2.Lineage, project: str) -> Lineage:
    field = "model_version.lineage"
    check_count(message.base_model_versions, f"{field}.base_model_versions", 0, MAX_BASES)
    for place, name in enumerate(message.base_model_versions):
        _own_version(name, project, f"{field}.base_model_versions[{place}]")
    return Lineage(
        snapshot=check_line(message.snapshot, f"{field}.snapshot"),
        snapshot_content_hash=check_line(
            message.snapshot_content_hash, f"{field}.snapshot_content_hash"
        ),
        training_job=check_line(message.training_job, f"{field}.training_job"),
        code_version=check_line(message.code_version, f"{field}.code_version"),
        parameters=check_text(message.parameters, f"{field}.parameters", 0, MAX_PARAMETERS),
        base_model_versions=tuple(dict.fromkeys(message.base_model_versions)),
    )
