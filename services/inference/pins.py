"""Per-request version pins: other adapters than the deployed ones, for this one answer."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeAlias

from services.common.call import detached_call
from services.common.errors import (
    FailedPreconditionError,
    NotFoundError,
    Reason,
    SpanloopError,
    invalid_field,
)
from services.common.names import parse_name
from services.inference.domain import AdapterKind, AdapterRef, AdapterSet, ModelVersion
from services.inference.engine.model import Model
from services.inference.manager import Loader
from services.inference.ports import Registry

_KEPT_VERSIONS = 1024
_KEPT_MODELS = 16

_Key: TypeAlias = frozenset[tuple[AdapterKind, str, str]]


class PinResolver:
    """Finds the adapters that pins name. Versions that can be served never change, so they stay."""

    def __init__(self, registry: Registry) -> None:
        """Know no version yet."""
        self._registry = registry
        self._versions: OrderedDict[str, ModelVersion] = OrderedDict()

    async def resolve(self, project: str, pins: Mapping[str, str]) -> dict[str, AdapterRef]:
        """Return the adapter of each pinned label.

        Args:
            project: Id of the project that asks.
            pins: By label value: id or resource name of a model version.

        Raises:
            NotFoundError: The project has no such version (MODEL_VERSION_UNKNOWN).
            FailedPreconditionError: The version must not be served (MODEL_VERSION_NOT_READY).
            InvalidArgumentError: The version has no adapter for the label.
            UnavailableError: The registry is away and the version was not seen before.
        """
        adapters = {}
        for label, pin in sorted(pins.items()):
            field = f'pins["{label}"]'
            version = await self._version(project, pin, field)
            adapter = version.adapters.get(label)
            if adapter is None:
                raise invalid_field(
                    field,
                    f"{version.name} has no adapter for this label, only for: "
                    f"{', '.join(sorted(version.adapters)) or 'none'}.",
                    reason=Reason.LABEL_UNKNOWN,
                )
            adapters[label] = adapter
        return adapters

    async def _version(self, project: str, pin: str, field: str) -> ModelVersion:
        version = pin
        if "/" in pin:
            parts = parse_name("projects/{project}/modelVersions/{version}", pin, field)
            # The same answer as for a version that does not exist: what another project has is
            # none of this one's business.
            if parts["project"] != project:
                raise _unknown(project, pin)
            version = parts["version"]
        name = f"projects/{project}/modelVersions/{version}"
        parse_name("projects/{project}/modelVersions/{version}", name, field)
        found = self._versions.get(name)
        if found is None:
            try:
                found = await self._registry.model_version(project, version)
            except NotFoundError as error:
                raise _unknown(project, pin) from error
            if not found.state.servable:
                raise FailedPreconditionError(
                    Reason.MODEL_VERSION_NOT_READY,
                    f"{name} is {found.state}; a pin may name a READY or RETIRED version.",
                    metadata={"model_version": name, "state": found.state.value},
                )
            self._versions[name] = found
            while len(self._versions) > _KEPT_VERSIONS:
                self._versions.popitem(last=False)
        return found


class PinnedModels:
    """Models for combinations of adapters that no deployment holds; the last used are kept."""

    def __init__(self, loader: Loader) -> None:
        """Hold none yet."""
        self._loader = loader
        self._models: OrderedDict[_Key, asyncio.Task[Model]] = OrderedDict()

    async def get(self, adapters: AdapterSet) -> Model:
        """Return the model of these adapters.

        Raises:
            SpanloopError: As ``ModelLoader.load``; the next call tries again.
        """
        key = frozenset((kind, name, ref.digest) for kind, name, ref in adapters.items())
        task = self._models.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            # Not tied to the call that came first: others may wait for the same model.
            with detached_call():
                task = asyncio.create_task(self._loader.load(adapters), name="load pinned")
            task.add_done_callback(_take_note)
            self._models[key] = task
            while len(self._models) > _KEPT_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(key)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop loading and forget all models."""
        tasks = list(self._models.values())
        self._models.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _take_note(task: asyncio.Task[Model]) -> None:
    """Look at a failure that nobody may be waiting for any more."""
    if not task.cancelled():
        task.exception()


def _unknown(project: str, pin: str) -> SpanloopError:
    return NotFoundError(
        Reason.MODEL_VERSION_UNKNOWN,
        f"projects/{project} has no model version {pin[:200]!r}.",
        metadata={"project": f"projects/{project}", "model_version": pin[:200]},
    )
