"""The engines that are installed: built in, and by entry points. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from services.trainer.engines.built_in import BUILT_IN
from services.trainer.engines.description import EngineInfo

GROUP = "spanloop.engines"
"""Entry points of this group name an `EngineInfo`."""

DEFAULT_ENGINE = "ladder"


@dataclass(frozen=True, kw_only=True)
class EngineCatalog:
    """What can train here.

    Attributes:
        engines: By name.
        broken: By the entry point's name: why it offers none.
    """

    engines: Mapping[str, EngineInfo]
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The engines' names, sorted."""
        return sorted(self.engines)


def installed_engines(found: Iterable[EntryPoint] | None = None) -> EngineCatalog:
    """Return the built-in engines and those of other packages.

    The built-in ones need no entry point: a checkout whose metadata is older than its code has
    them too. An entry point that cannot be used takes no other engine down.

    Args:
        found: The entry points; None: those of this environment.
    """
    engines = {engine.name: engine for engine in BUILT_IN}
    broken: dict[str, str] = {}
    for point in entry_points(group=GROUP) if found is None else found:
        try:
            engine = point.load()
        except Exception as error:  # noqa: BLE001 - whatever a stranger's module raises
            broken[point.name] = f"{point.value} cannot be imported: {error}"
            continue
        if not isinstance(engine, EngineInfo) or engine.name != point.name:
            broken[point.name] = f"{point.value} is no EngineInfo with the name {point.name!r}"
        elif engines.setdefault(engine.name, engine) != engine:
            broken[point.name] = f"{point.value} has the name of another engine"
    return EngineCatalog(engines=engines, broken=broken)
