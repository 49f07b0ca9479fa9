"""Naming the models that serve a project in its labelling config, once they do.

The last step of a swap: whoever reads the config then knows which versions pre-annotate. The
annotation service changes nothing when the config names them already, so every server of a project
may say it, as often as it likes.
"""

from __future__ import annotations

from services.common.errors import SpanloopError, UnavailableError
from services.common.logs import get_logger
from services.inference.domain import AdapterRef, DeploymentRevision
from services.inference.generation import Generation, GenerationState
from services.inference.manager import GenerationManager
from services.inference.ports import Annotation

_POLL_SECONDS = 5.0

_log = get_logger(__name__)


class ConfigNaming:
    """Tells the annotation service of each generation that serves, until it has heard of it."""

    def __init__(self, manager: GenerationManager, annotation: Annotation) -> None:
        """Watch the generations of a manager."""
        self._manager = manager
        self._annotation = annotation
        # By project: what the annotation service has heard of.
        self._told: dict[str, DeploymentRevision] = {}

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self.sweep()
            await self._manager.changed(_POLL_SECONDS)

    async def sweep(self) -> None:
        """Tell of every generation that serves and was not told of."""
        for generation in self._manager.generations():
            deployment = generation.deployment
            project = deployment.project
            if (
                generation.state is not GenerationState.READY
                or self._told.get(project) == deployment
            ):
                continue
            labels, controls = _models(generation)
            try:
                changed = await self._annotation.assign_models(project, labels, controls)
            except UnavailableError:
                return  # with the next look, which is soon
            except SpanloopError as error:
                # A project that is served but not annotated here, for instance.
                _log.warning("config_not_named", project=project, reason=error.reason.value)
            else:
                if changed:
                    _log.info("config_named", project=project, revision=deployment.revision)
            self._told[project] = deployment


def _models(generation: Generation) -> tuple[dict[str, str], dict[str, str]]:
    """Return which model versions serve labels and statuses, and which serve controls."""
    adapters = generation.deployment.adapters
    labels: dict[str, str] = {}
    if adapters.assertion is not None:
        # A config names the statuses among its labels; a label of the same name is a label first.
        labels = dict.fromkeys(generation.statuses, _version(adapters.assertion))
    labels |= {label: _version(ref) for label, ref in adapters.labels.items()}
    return labels, {control: _version(ref) for control, ref in adapters.controls.items()}


def _version(ref: AdapterRef) -> str:
    return ref.model_version.rpartition("/")[2]
