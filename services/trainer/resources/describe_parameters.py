"""Which engines are installed, and which parameters they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from services.common.errors import invalid_field
from services.trainer.domain import ModelType, Resources
from services.trainer.engines.catalog import EngineCatalog
from services.trainer.engines.contract import CONTRACT_PARAMETERS
from services.trainer.engines.description import EngineInfo, OptionValue


@dataclass(frozen=True, kw_only=True)
class ParameterDescription:
    """A parameter or engine option; `default` is empty where it is derived from the data."""

    name: str
    engine_option: bool
    kind: str
    default: str
    minimum: float
    maximum: float
    description: str


@dataclass(frozen=True, kw_only=True)
class EngineDescription:
    """An engine with its parameters for one model type."""

    engine: str
    description: str
    model_types: Sequence[ModelType]
    parameters: Sequence[ParameterDescription]
    resources: Resources
    transfer: bool


class DescribeParameters:
    """Answers from the catalog of engines."""

    def __init__(self, catalog: EngineCatalog) -> None:
        """Describe these engines."""
        self._catalog = catalog

    def __call__(self, engine: str, model_type: ModelType) -> list[EngineDescription]:
        """Return all engines, or one, by name.

        Raises:
            InvalidArgumentError: There is no such engine.
        """
        engines = self._catalog.engines
        if engine and engine not in engines:
            raise invalid_field(
                "engine",
                f"{engine[:100]!r} is not installed; there are: {', '.join(self._catalog.names)}.",
            )
        names = [engine] if engine else self._catalog.names
        return [_describe(engines[name], model_type) for name in names]


def _describe(engine: EngineInfo, model_type: ModelType) -> EngineDescription:
    defaults = engine.default_params(model_type.value).to_document()
    common = [
        ParameterDescription(
            name=parameter.name,
            engine_option=False,
            kind=parameter.kind.value,
            default=_text(defaults[parameter.field])
            if defaults[parameter.field] or not parameter.derived
            else "",
            minimum=parameter.minimum,
            maximum=parameter.maximum,
            description=parameter.description,
        )
        for parameter in CONTRACT_PARAMETERS
    ]
    own = [
        ParameterDescription(
            name=option.name,
            engine_option=True,
            kind=option.kind.value,
            # A field of the parameters has its default from them.
            default=_text(defaults.get(option.name, option.default)),
            minimum=option.minimum,
            maximum=option.maximum,
            description=option.description,
        )
        for option in engine.options
    ]
    return EngineDescription(
        engine=engine.name,
        description=engine.description,
        model_types=[ModelType(name) for name in engine.model_types],
        parameters=[*common, *own],
        resources=Resources(**asdict(engine.resources)),
        transfer=engine.transfer,
    )


def _text(value: OptionValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
