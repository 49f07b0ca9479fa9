"""What an engine says about itself before anything of it is loaded. Free of torch."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, cast

from services.trainer.engines.params import LadderParams

if TYPE_CHECKING:
    from services.trainer.engines.interface import OnEvent, ShouldStop, TrainRequest, TrainResult

    Train: TypeAlias = Callable[[TrainRequest, OnEvent, ShouldStop], TrainResult]

OptionValue: TypeAlias = int | float | str | bool

_FALSE, _TRUE = ("false", "0", "no"), ("true", "1", "yes")


class OptionError(ValueError):
    """An engine option has no usable value; the message says what it must be."""


class Kind(StrEnum):
    """Type of a parameter, in the contract's words."""

    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"


@dataclass(frozen=True, kw_only=True)
class EngineOption:
    """A knob that only this engine has.

    Attributes:
        name: Key in the contract's ``engine_options``.
        kind: Its type.
        default: What holds when it is absent.
        minimum: Least value of a number.
        maximum: Largest value of a number.
        choices: The only values of a string; empty: any of at most 500 printable characters.
        description: What it does.
    """

    name: str
    kind: Kind
    default: OptionValue
    description: str
    minimum: float = 0.0
    maximum: float = 0.0
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> OptionValue:
        """Return the value that a caller wrote.

        Raises:
            OptionError: It is none; the message begins with ``must``.
        """
        match self.kind:
            case Kind.STRING:
                return self._text(text)
            case Kind.BOOLEAN:
                if text.lower() not in (*_TRUE, *_FALSE):
                    raise OptionError("must be true or false")
                return text.lower() in _TRUE
            case Kind.INTEGER | Kind.NUMBER:
                return self._number(text)

    def _text(self, text: str) -> str:
        if self.choices and text not in self.choices:
            raise OptionError(f"must be one of: {', '.join(self.choices)}")
        if len(text) > 500 or not text.isprintable():
            raise OptionError("must have at most 500 printable characters")
        return text

    def _number(self, text: str) -> int | float:
        whole = self.kind is Kind.INTEGER
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        # The comparison is false for NaN too.
        if not self.minimum <= value <= self.maximum:
            what = "a whole number" if whole else "a number"
            raise OptionError(f"must be {what} from {self.minimum:,g} to {self.maximum:,g}")
        return value


@dataclass(frozen=True, kw_only=True)
class EngineResources:
    """What a job of an engine takes of a worker unless it says otherwise."""

    cpu: int = 1
    gpu: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """An engine as the server process knows it.

    Third parties offer one as an entry point of the group ``spanloop.engines``.

    Attributes:
        name: What a job names it by.
        description: What it does, for people.
        model_types: ``ner``, ``classification``, ``assertion``: those that it trains.
        entry: ``module:function`` of its `train`, imported in child processes only.
        defaults: By model type: the parameters that hold where a job gives none.
        options: Its own knobs.
        resources: What a job takes of a worker by default.
        transfer: Whether it starts from another version's weights.
        own_trunk: Whether it changes the trunk, so that its adapters fit no others' version.
        needs_script: Whether a job must name a training script.
    """

    name: str
    description: str
    model_types: tuple[str, ...]
    entry: str
    defaults: Mapping[str, LadderParams] = field(default_factory=dict)
    options: tuple[EngineOption, ...] = ()
    resources: EngineResources = field(default_factory=EngineResources)
    transfer: bool = False
    own_trunk: bool = False
    needs_script: bool = False

    def load(self) -> Train:
        """Import the engine and return its `train`; for child processes.

        Raises:
            ImportError: It is not installed as it should be.
        """
        module, _, function = self.entry.partition(":")
        try:
            # By name: the server process must not reach torch through this module.
            return cast("Train", getattr(importlib.import_module(module), function))
        except AttributeError as error:
            raise ImportError(f"{module} has no {function}") from error

    def default_params(self, model_type: str) -> LadderParams:
        """Return the parameters that hold where a job of this type gives none."""
        return self.defaults.get(model_type) or LadderParams()

    def option(self, name: str) -> EngineOption | None:
        """Return an option by its name."""
        return next((option for option in self.options if option.name == name), None)

    def option_values(self, given: Mapping[str, str]) -> dict[str, OptionValue]:
        """Return all options: those given, and the defaults of the others.

        Raises:
            OptionError: One is unknown or has no usable value; the message names it.
        """
        values = {option.name: option.default for option in self.options}
        for name, text in given.items():
            option = self.option(name)
            if option is None:
                known = ", ".join(sorted(values)) or "none"
                raise OptionError(f"{name} is no option of the engine {self.name}; known: {known}")
            try:
                values[name] = option.parse(text)
            except OptionError as error:
                raise OptionError(f"{name} {error}") from None
        return values
