"""Per-request version pins: other adapters than the deployed ones, for this one answer."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from services.common.call import detached_call
from services.common.clock import Clock
from services.common.errors import (
    FailedPreconditionError,
    NotFoundError,
    Reason,
    SpanloopError,
    UnavailableError,
    invalid_field,
)
from services.common.version_names import parse_version_name, split_alias
from services.inference.domain import AdapterKind, AdapterRef, AdapterSet, ModelVersion
from services.inference.engine.model import Model
from services.inference.manager import Loader
from services.inference.ports import Registry

ALIAS_SECONDS = 2.0

_KEPT_VERSIONS = 1024
_KEPT_MODELS = 16

_Key: TypeAlias = frozenset[tuple[AdapterKind, str, str]]


@dataclass(frozen=True, kw_only=True)
class _Meaning:
    """The version that an alias means, and until when that is believed."""

    version: ModelVersion
    until: float


class PinResolver:
    """Finds the adapters that pins name. Versions that can be served never change, so they stay.

    What an alias means can change: it is asked for again after `alias_seconds`. While the registry
    is away it means what it meant last.
    """

    def __init__(
        self, registry: Registry, clock: Clock, *, alias_seconds: float = ALIAS_SECONDS
    ) -> None:
        """Know no version yet."""
        self._registry = registry
        self._clock = clock
        self._alias_seconds = alias_seconds
        self._versions: OrderedDict[str, ModelVersion] = OrderedDict()
        self._aliases: OrderedDict[str, _Meaning] = OrderedDict()

    async def resolve(self, project: str, pins: Mapping[str, str]) -> dict[str, AdapterRef]:
        """Return the adapter of each pinned label.

        Args:
            project: Id of the project that asks.
            pins: By label value: id or resource name of a model version, or an alias of one.

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
            adapter = version.adapters.labels.get(label)
            if adapter is None:
                raise invalid_field(
                    field,
                    f"{version.name} has no adapter for this label, only for: "
                    f"{', '.join(sorted(version.adapters.labels)) or 'none'}.",
                    reason=Reason.LABEL_UNKNOWN,
                )
            adapters[label] = adapter
        return adapters

    async def _version(self, project: str, pin: str, field: str) -> ModelVersion:
        name = pin if "/" in pin else f"projects/{project}/modelVersions/{pin}"
        owner, version = parse_version_name(name, field)
        # The same answer as for a version that does not exist: what another project has is
        # none of this one's business.
        if owner != project:
            raise _unknown(project, pin)
        if split_alias(version) is not None:
            return await self._aliased(project, version, pin)
        found = self._versions.get(name)
        return found if found is not None else await self._read(project, version, pin)

    async def _aliased(self, project: str, alias: str, pin: str) -> ModelVersion:
        key = f"{project}/{alias}"
        known, now = self._aliases.get(key), self._clock.monotonic()
        if known is not None and now < known.until:
            return known.version
        try:
            version = await self._read(project, alias, pin)
        except UnavailableError:
            if known is None:
                raise
            return known.version
        self._aliases[key] = _Meaning(version=version, until=now + self._alias_seconds)
        _bound(self._aliases)
        return version

    async def _read(self, project: str, version: str, pin: str) -> ModelVersion:
        try:
            found = await self._registry.model_version(project, version)
        except NotFoundError as error:
            raise _unknown(project, pin) from error
        if not found.servable:
            state = "purged" if found.purged else found.state
            raise FailedPreconditionError(
                Reason.MODEL_VERSION_NOT_READY,
                f"{found.name} is {state}; a pin may name a READY or RETIRED version whose "
                "artifacts are kept.",
                metadata={"model_version": found.name, "state": found.state.value},
            )
        self._versions[found.name] = found
        _bound(self._versions)
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


def _bound(known: OrderedDict[str, Any]) -> None:
    """Forget what was learned first where there is too much."""
    while len(known) > _KEPT_VERSIONS:
        known.popitem(last=False)


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
