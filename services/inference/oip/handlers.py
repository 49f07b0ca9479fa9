"""Models of the protocol: one per project, its versions the deployment revisions held here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.common.errors import (
    FailedPreconditionError,
    NotFoundError,
    Reason,
    UnavailableError,
    invalid_field,
)
from services.common.logs import get_logger
from services.common.names import parse_name
from services.inference.generation import Generation, GenerationHandle, GenerationState
from services.inference.handlers.predict import PredictCommand, Predictor, PredictResult
from services.inference.manager import GenerationManager
from services.inference.oip.request import InferRequest, question_of
from services.inference.ports import Registry

_log = get_logger(__name__)

# Changes are told at once; a look in between costs nothing.
_LOOK_SECONDS = 1.0


class ModelState(StrEnum):
    """Where a version stands, as the protocol writes it."""

    READY = "READY"
    LOADING = "LOADING"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"


# Total: UNLOADED ones are gone before anybody can ask, and would be the last of unloading.
_STATES = {
    GenerationState.NEW: ModelState.LOADING,
    GenerationState.LOADING: ModelState.LOADING,
    GenerationState.READY: ModelState.READY,
    GenerationState.DRAINING: ModelState.UNLOADING,
    GenerationState.UNLOADED: ModelState.UNLOADING,
    GenerationState.ERROR: ModelState.UNAVAILABLE,
}


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """A version in the index; `version` is empty when none is held, `reason` says why not READY."""

    name: str
    version: str
    state: ModelState
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class InferAnswer:
    """What was predicted, and the names of the tensors wanted of it."""

    result: PredictResult
    outputs: Sequence[str]
    revision: int
    generation: str


class OpenInference:
    """Answers the protocol's calls with the generations and the queue of the service."""

    def __init__(
        self, manager: GenerationManager, predictor: Predictor, registry: Registry
    ) -> None:
        """Use the service's one manager and predictor."""
        self._manager = manager
        self._predictor = predictor
        self._registry = registry
        self._stopping = False

    @property
    def ready(self) -> bool:
        """Whether new requests should come here."""
        return not self._stopping

    def stopping(self) -> None:
        """Be ready no more: the server stops."""
        self._stopping = True

    async def infer(self, request: InferRequest, deadline: float | None) -> InferAnswer:
        """Answer a request with the generation that serves when it arrives.

        Raises:
            SpanloopError: As docs/open-inference-protocol.md tells.
        """
        question = question_of(request)
        with self._acquire(request.model, request.version) as handle:
            result = await self._predictor.predict_with(
                handle,
                PredictCommand(
                    project=request.model,
                    texts=question.texts,
                    wish=question.wish,
                    labels=question.labels,
                    controls=question.controls,
                    deadline=deadline,
                ),
            )
            return InferAnswer(
                result=result,
                outputs=question.outputs,
                revision=handle.deployment.revision,
                generation=handle.deployment.generation,
            )

    def model_ready(self, model: str, version: str) -> bool:
        """Whether a model, or this version of it, answers requests."""
        serving = self._manager.serving(model)
        wanted = _revision(version)
        return serving is not None and wanted in (None, serving.revision)

    def versions(self, model: str, version: str) -> list[int]:
        """Return the versions of a model that are held, in order; only the one that is named.

        Raises:
            NotFoundError: There is no such model, or no such version of it.
        """
        wanted = _revision(version)
        held = sorted(
            {
                generation.deployment.revision
                for generation in self._known(model)
                if _STATES[generation.state] in (ModelState.READY, ModelState.UNLOADING)
            }
        )
        if wanted is None:
            return held
        if wanted not in held:
            raise _no_version(model, wanted, held)
        return [wanted]

    def index(self, repository: str, *, ready: bool) -> list[ModelRow]:
        """Return all versions held by name, the newest first; with `ready` those that answer."""
        _check_repository(repository)
        rows = [
            ModelRow(
                name=generation.deployment.project,
                version=str(generation.deployment.revision),
                state=_STATES[generation.state],
                reason=_why_not(generation),
            )
            for generation in self._manager.generations()
        ]
        held = {row.name for row in rows}
        rows += [
            ModelRow(name=name, version="", state=ModelState.UNAVAILABLE, reason="unloaded")
            for name in self._manager.stopped()
            if name not in held
        ]
        rows.sort(key=lambda row: row.name)  # stable: versions stay in their order
        return [row for row in rows if not ready or row.state is ModelState.READY]

    async def load(self, model: str, repository: str, parameters: Sequence[str]) -> None:
        """Serve what a project's deployment is now; return when it answers requests.

        While the registry is away, the deployment that was told last is meant.

        Raises:
            FailedPreconditionError: Nothing is deployed, or it cannot be loaded
                (NOTHING_DEPLOYED); what served goes on.
            UnavailableError: The registry is away, and no deployment is known.
        """
        _check_repository(repository)
        if parameters:
            raise invalid_field(
                "parameters",
                f"{parameters[0][:100]!r} is not taken: what is served is what the registry's "
                "deployment says; deploy a model version.",
            )
        project = parse_name("projects/{project}", f"projects/{model}", "model_name")["project"]
        known = self._manager.aspired(project)
        try:
            current = await self._registry.deployment(project)
        except UnavailableError:
            if known is None:
                raise
            _log.warning("loading_last_known_deployment", project=project)
        else:
            # The stream of deployments may have told of a newer one meanwhile; a registry that was
            # set back tells so there, too.
            known = self._manager.aspired(project)
            if known is None or known.revision < current.revision:
                self._manager.aspire(current)
        self._manager.resume(project)
        while self._manager.serving(project) != self._manager.aspired(project):
            self._check_loading(project)
            await self._manager.changed(_LOOK_SECONDS)

    def unload(self, model: str, repository: str, parameters: Sequence[str]) -> None:
        """Serve a project no more until it is loaded or another revision is deployed.

        Raises:
            NotFoundError: There is no such model.
        """
        _check_repository(repository)
        # Clients send it always; nothing depends on a model here.
        if unknown := [name for name in parameters if name != "unload_dependents"]:
            raise invalid_field("parameters", f"{unknown[0][:100]!r} is not taken; leave it out.")
        self._known(model)
        self._manager.stop(model)

    def _check_loading(self, project: str) -> None:
        """Return while what is aspired to may yet be loaded."""
        aspired = self._manager.aspired(project)
        if project in self._manager.stopped():
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT, f"Model {project} was unloaded while it was loaded."
            )
        for generation in self._manager.generations(project):
            failed = generation.state is GenerationState.ERROR
            if failed and generation.deployment == aspired:
                raise FailedPreconditionError(
                    Reason.NOTHING_DEPLOYED,
                    f"{generation.deployment.generation} cannot be loaded: "
                    f"{generation.error_message} It is tried again with growing pauses.",
                    metadata={"model": project},
                )

    def _known(self, model: str) -> list[Generation]:
        if self._manager.aspired(model) is None:
            raise NotFoundError(
                Reason.RESOURCE_NOT_FOUND,
                f"Model {model[:200]!r} does not exist: models are projects with a deployment; "
                "see RepositoryIndex.",
                metadata={"model": model[:200]},
            )
        return self._manager.generations(model)

    def _acquire(self, model: str, version: str) -> GenerationHandle:
        wanted = _revision(version)
        held = self._known(model)
        handle = self._manager.acquire(model)
        serving = handle.deployment.revision
        if wanted in (None, serving):
            return handle
        handle.release()
        for generation in held:
            if generation.deployment.revision == wanted:
                raise FailedPreconditionError(
                    Reason.STATE_CONFLICT,
                    f"Model {model} answers with version {serving} only; version {wanted} is "
                    f"{_STATES[generation.state]}: leave model_version empty or name {serving}.",
                    metadata={"model": model, "version": str(wanted)},
                )
        raise _no_version(model, wanted, [serving])


def _revision(version: str) -> int | None:
    if not version:
        return None
    if not (version.isascii() and version.isdigit() and len(version) <= 18):
        raise invalid_field(
            "model_version",
            f"{version[:50]!r} is no version: name a revision of the deployment, or leave it empty "
            "for the one that answers.",
        )
    return int(version)


def _no_version(model: str, version: int | None, held: Sequence[int]) -> NotFoundError:
    there = ", ".join(map(str, held)) or "none"
    return NotFoundError(
        Reason.RESOURCE_NOT_FOUND,
        f"Model {model} has no version {version} on this server; there are: {there}.",
        metadata={"model": model, "version": str(version)},
    )


def _check_repository(repository: str) -> None:
    if repository:
        raise invalid_field("repository_name", "must be empty: there is one repository.")


def _why_not(generation: Generation) -> str:
    match generation.state:
        case GenerationState.DRAINING | GenerationState.UNLOADED:
            return "requests under way finish"
        case GenerationState.ERROR:
            return generation.error_message
        case _:
            return ""
