"""From what a job gives to what an engine uses. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.common.modeling.documents import canonical_json
from services.trainer.engines.contract import CONTRACT_FIELDS, CONTRACT_PARAMETERS
from services.trainer.engines.description import EngineInfo, OptionError, OptionValue
from services.trainer.engines.params import LadderParams, ParamsError

_OWN_FIELDS = {parameter.name: parameter.field for parameter in CONTRACT_PARAMETERS}


@dataclass(frozen=True, kw_only=True)
class Effective:
    """Everything that decides how a job trains.

    Attributes:
        params: What all engines have.
        options: The engine's own knobs that are no field of `params`.
    """

    params: LadderParams
    options: Mapping[str, OptionValue]

    def to_document(
        self, engine: str, model_type: str, trunk_digest: str, trunk_precision: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the JSON form, in the contract's names.

        Args:
            engine: What trained.
            model_type: What was trained.
            trunk_digest: Of the trunk that was given.
            trunk_precision: Its ``precision``, and the ``reason`` why it was that.
        """
        values = self.params.to_document()
        own = {name: value for name, value in values.items() if name not in CONTRACT_FIELDS}
        return {
            "engine": engine,
            "model_type": model_type,
            "trunk_digest": trunk_digest,
            "trunk_precision": dict(trunk_precision),
            "parameters": {name: values[field] for name, field in _OWN_FIELDS.items()},
            "engine_options": {**own, **self.options},
        }

    def to_text(
        self, engine: str, model_type: str, trunk_digest: str, trunk_precision: Mapping[str, str]
    ) -> str:
        """Return the canonical JSON; as `to_document`."""
        document = self.to_document(engine, model_type, trunk_digest, trunk_precision)
        return canonical_json(document).decode()


def effective(
    engine: EngineInfo,
    model_type: str,
    parameters: Mapping[str, Any],
    engine_options: Mapping[str, str],
    trunk_length: int,
) -> Effective:
    """Fill in the defaults.

    Args:
        engine: Whose.
        model_type: What is trained.
        parameters: Those that were given, by their names in the contract.
        engine_options: Those that were given, as they were written. Those that are fields of
            `LadderParams` go there.
        trunk_length: Longest window of the trunk.

    Raises:
        ParamsError: One is unknown, unusable, or does not fit the others or the trunk.
    """
    try:
        options = engine.option_values(engine_options)
    except OptionError as error:
        raise ParamsError(f"the engine option {error}") from None
    defaults = engine.default_params(model_type)
    values = defaults.to_document()
    given = {_OWN_FIELDS.get(name, name): value for name, value in parameters.items()}
    given |= {name: options[name] for name in engine_options if name in values}
    values |= given
    if "max_length" not in given:
        values["max_length"] = min(defaults.max_length, trunk_length)
    length = int(values["max_length"])
    if length > trunk_length:
        raise ParamsError(f"max_length must be at most {trunk_length}, the limit of this trunk")
    if "stride" not in given:
        values["stride"] = min(defaults.stride, length // 4)
    return Effective(
        params=LadderParams.from_document(values),
        options={name: value for name, value in options.items() if name not in values},
    )
