"""From what a caller asks for to a job that can be queued: data, model type, control, trunk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.common.errors import (
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    Reason,
    SpanloopError,
    invalid_field,
)
from services.common.names import parse_name
from services.trainer.domain import ModelType, TrainingJob
from services.trainer.engine_choice import check_engine, check_model_type
from services.trainer.engines.catalog import EngineCatalog
from services.trainer.engines.trunk_names import asked_precision, split_precision
from services.trainer.ports import (
    AnnotationPeer,
    ChoiceControl,
    RegisteredVersion,
    RegistryPeer,
    Snapshot,
)
from services.trainer.resources.admission import Admission
from services.trainer.scripts.handlers import SCRIPT
from services.trainer.scripts.repository import ScriptRepository
from services.trainer.validation import (
    check_labels,
    check_parameters,
    check_trunk_source,
    example_warnings,
)

SNAPSHOT = "projects/{project}/snapshots/{snapshot}"
VERSION = "projects/{project}/modelVersions/{version}"
_FIELDS_OF_DATA = ("selection", "split_policy")


@dataclass(frozen=True, kw_only=True)
class Controls:
    """The `Choices` controls of a project, and where that is known from."""

    known: tuple[ChoiceControl, ...]
    source: str

    def default(self) -> ChoiceControl | None:
        """Return the one that is trained when nobody says which."""
        marked = [control for control in self.known if control.train]
        return min(marked or self.known, key=lambda control: control.name, default=None)

    def find(self, name: str, field: str) -> ChoiceControl:
        """Return the control of this name.

        Raises:
            InvalidArgumentError: There is none; lists those that there are.
        """
        for control in self.known:
            if control.name == name:
                return control
        names = ", ".join(sorted(control.name for control in self.known)) or "none"
        raise invalid_field(
            field, f"{name[:100]!r} is no choice of {self.source}; there are: {names}."
        )


class Planner:
    """Checks what is asked for, and fills in what follows from project, snapshot and registry."""

    def __init__(
        self,
        annotation: AnnotationPeer,
        registry: RegistryPeer,
        admission: Admission,
        engines: EngineCatalog,
        scripts: ScriptRepository,
        *,
        default_trunk_source: str,
    ) -> None:
        """Ask these services; `admission` says what a job takes of a worker."""
        self._annotation = annotation
        self._registry = registry
        self._admission = admission
        self._engines = engines
        self._scripts = scripts
        self._default_trunk_source = default_trunk_source

    def check(self, wanted: TrainingJob, field: str = "training_job") -> None:
        """Return when a job could be created, as far as it alone tells.

        Raises:
            InvalidArgumentError: Names the field.
        """
        check_parameters(wanted.parameters)
        check_engine(wanted, self._engines, field)
        check_trunk_source(wanted.trunk_source)
        if bool(wanted.snapshot) == (wanted.data is not None):
            what = "must be set, or" if not wanted.snapshot else "must not be set together with"
            raise InvalidArgumentError(
                Reason.FIELD_INVALID,
                f"{field}.snapshot {what} {field}.data.",
                metadata={"field": f"{field}.snapshot"},
                violations=[
                    FieldViolation(field=f"{field}.{name}", description="set exactly one of both.")
                    for name in ("snapshot", "data")
                ],
            )
        if wanted.model_type is not ModelType.NER and wanted.labels:
            raise invalid_field(f"{field}.labels", "can be chosen for MODEL_TYPE_NER only.")
        if wanted.model_type is not ModelType.CLASSIFICATION and wanted.control:
            raise invalid_field(f"{field}.control", "belongs to MODEL_TYPE_CLASSIFICATION only.")

    async def snapshot(
        self, project: str, wanted: TrainingJob, request_key: str, field: str = "training_job"
    ) -> Snapshot:
        """Return the snapshot that a job names, or take the one that its data asks for.

        Args:
            project: The project's id.
            wanted: The job.
            request_key: Identifies the request, so that a repeat finds the snapshot of the first.
            field: Path of the job in the request.

        Raises:
            SpanloopError: The annotation service's refusal, with the fields of the request here.
        """
        if wanted.data is None:
            return await self._named_snapshot(project, wanted.snapshot, f"{field}.snapshot")
        digest = hashlib.sha256(request_key.encode()).hexdigest()[:40]
        try:
            return await self._annotation.create_snapshot(
                project, wanted.data, f"training-{digest}"
            )
        except SpanloopError as error:
            raise _about_data(error, f"{field}.data") from None

    async def plan(
        self, project: str, wanted: TrainingJob, snapshot: Snapshot, field: str = "training_job"
    ) -> TrainingJob:
        """Return the job with everything but id, time and what made it.

        Raises:
            InvalidArgumentError: Names the field.
            FailedPreconditionError: RESOURCES_INSUFFICIENT: no worker is large enough.
        """
        check_model_type(wanted, self._engines, field)
        if wanted.script:
            await self._check_script(project, wanted.script, f"{field}.script")
        job = replace(
            wanted,
            project=project,
            snapshot=snapshot.name,
            resources=await self._admission.admit(wanted.resources, wanted.engine),
            example_counts=dict(snapshot.example_counts),
        )
        job = await self._typed(job, snapshot, field)
        return replace(job, trunk_source=await self._trunk_source(project, job, field))

    async def _check_script(self, project: str, name: str, field: str) -> None:
        found = parse_name(SCRIPT, name, field)
        if found["project"] != project:
            raise invalid_field(field, "must be a training script of the same project.")
        try:
            await self._scripts.get(project, found["script"])
        except NotFoundError:
            raise invalid_field(field, f"{name} does not exist.") from None

    async def _typed(self, job: TrainingJob, snapshot: Snapshot, field: str) -> TrainingJob:
        """Return the job with what its type needs: control, and warnings by name."""
        match job.model_type:
            case ModelType.NER:
                check_labels(job.labels, snapshot)
                counts = {
                    label: snapshot.span_counts.get(label, 0)
                    for label in (job.labels or snapshot.labels)
                }
                return replace(job, warnings=example_warnings("Label", counts))
            case ModelType.CLASSIFICATION:
                return await self._classification(job, snapshot, field)
            case ModelType.ASSERTION:
                if not snapshot.assertion_counts:
                    raise invalid_field(
                        f"{field}.model_type",
                        "the snapshot has no span with an assertion status to train on.",
                    )
                warnings = example_warnings("Assertion status", snapshot.assertion_counts)
                return replace(job, warnings=warnings)

    async def controls(self, project: str, snapshot: Snapshot) -> Controls:
        """Return the controls of the project's labelling config, without one the snapshot's."""
        known = await self._annotation.choice_controls(project)
        if known:
            return Controls(known=known, source="the project's labelling config")
        return Controls(
            known=tuple(ChoiceControl(name=name) for name in snapshot.controls),
            source="the snapshot",
        )

    async def _classification(
        self, job: TrainingJob, snapshot: Snapshot, field: str
    ) -> TrainingJob:
        controls = await self.controls(job.project, snapshot)
        field = f"{field}.control"
        if job.control:
            control = controls.find(job.control, field)
        elif (found := controls.default()) is not None:
            control = found
        else:
            raise invalid_field(field, f"{controls.source} has no choices to train.")
        counts = {
            value: snapshot.choice_counts[control.name, value]
            for value in snapshot.values_of(control.name)
        }
        if not counts:
            raise invalid_field(
                field, f"the snapshot has no example with a choice of {control.name!r}."
            )
        return replace(
            job,
            control=control.name,
            multiple=control.multiple,
            warnings=example_warnings(f"{control.name}: value", counts),
        )

    async def _named_snapshot(self, project: str, name: str, field: str) -> Snapshot:
        if parse_name(SNAPSHOT, name, field)["project"] != project:
            raise invalid_field(field, "must be a snapshot of the same project.")
        try:
            return await self._annotation.get_snapshot(name)
        except NotFoundError:
            raise invalid_field(field, f"{name} does not exist.") from None

    async def _trunk_source(self, project: str, wanted: TrainingJob, field: str) -> str:
        """Return the trunk's source: all adapters of a version read one, and so do those kept."""
        source, reader = wanted.trunk_source, ""
        if wanted.base_model_version:
            place = f"{field}.base_model_version"
            base = await self._version(project, wanted.base_model_version, place)
            source = await self._same_trunk(base, source, reader, f"{field}.trunk_source")
            reader = base.name
        if wanted.transfer is not None:
            place = f"{field}.transfer.model_version"
            start = await self._version(project, wanted.transfer.model_version, place)
            if start.state not in ("READY", "RETIRED"):
                raise invalid_field(place, f"{start.name} is {start.state}, not READY or RETIRED.")
            if (start.model_type, start.control) != (wanted.model_type.value, wanted.control):
                what = f"{start.model_type} {start.control}".strip()
                raise invalid_field(place, f"{start.name} is of another type: {what}.")
            if wanted.transfer.include_base_labels and wanted.base_model_version not in (
                "",
                start.name,
            ):
                raise invalid_field(
                    f"{field}.base_model_version",
                    "must be empty when the labels of transfer.model_version are kept.",
                )
            source = await self._same_trunk(start, source, reader, place)
        return source or self._default_trunk_source

    async def _same_trunk(
        self, version: RegisteredVersion, source: str, reader: str, field: str
    ) -> str:
        trunk = await self._registry.get_trunk(version.trunk_digest)
        if source and not _may_be(source, trunk.source):
            raise invalid_field(
                field,
                f"{version.name} reads the trunk {trunk.source!r}, and "
                f"{reader or 'the job'} asks for {source!r}: weights and adapters fit one trunk "
                "only. Leave trunk_source empty, or train from nothing.",
            )
        return trunk.source

    async def _version(self, project: str, name: str, field: str) -> RegisteredVersion:
        if parse_name(VERSION, name, field)["project"] != project:
            raise invalid_field(field, "must be a model version of the same project.")
        try:
            version = await self._registry.get_version(name)
        except NotFoundError:
            raise invalid_field(field, f"{name} does not exist.") from None
        if version.state == "FAILED":
            raise invalid_field(field, f"{name} is FAILED: its adapters must not be served.")
        if version.purged:
            raise invalid_field(field, f"{name} has no artifacts any more: retention deleted them.")
        return version


def _may_be(asked: str, source: str) -> bool:
    """Return whether a trunk is what a job asks for: without a precision any will do."""
    plain, precision = asked_precision(asked)
    return (plain, precision or split_precision(source)[1]) == split_precision(source)


def group_types(snapshot: Snapshot) -> Sequence[ModelType]:
    """Return the model types that the annotations of a snapshot allow."""
    types = []
    if any(snapshot.span_counts.values()):
        types.append(ModelType.NER)
    if snapshot.choice_counts:
        types.append(ModelType.CLASSIFICATION)
    if snapshot.assertion_counts:
        types.append(ModelType.ASSERTION)
    return types


def _about_data(error: SpanloopError, field: str) -> SpanloopError:
    """Return a refusal of CreateSnapshot as one of the field that asked for the snapshot."""

    def renamed(name: str) -> str:
        return f"{field}.{name}" if name.partition(".")[0] in _FIELDS_OF_DATA else name

    metadata = {key: value for key, value in error.metadata.items() if key != "request_id"}
    if "field" in metadata:
        metadata["field"] = renamed(metadata["field"])
    begins = error.message.startswith(_FIELDS_OF_DATA)
    return type(error)(
        error.reason,
        f"{field}.{error.message}" if begins else f"{field}: {error.message}",
        metadata=metadata,
        violations=[
            FieldViolation(field=renamed(one.field), description=one.description)
            for one in error.violations
        ],
        retry_after=error.retry_after,
    )
