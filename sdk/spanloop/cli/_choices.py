"""Options whose values are the names of an enum."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import typer

_UNSPECIFIED = "unspecified"


def names_of(kind: type[StrEnum]) -> list[str]:
    """Return the values that a user may name: all but the one that stands for none of them."""
    return [entry.value for entry in kind if entry.value != _UNSPECIFIED]


def one_of(kind: type[StrEnum], *names: str, help: str) -> Any:
    """Return an option that takes a value of `kind`, in any case, with hyphens or underscores."""
    return typer.Option(
        *names, help=help, parser=_parser(kind), metavar=f"<{'|'.join(names_of(kind))}>"
    )


def _parser(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def parse(given: str) -> StrEnum:
        wanted = given.lower().replace("-", "_")
        for entry in kind:
            if entry.value == wanted and wanted != _UNSPECIFIED:
                return entry
        raise ValueError(f"{given!r} is none of {', '.join(names_of(kind))}.")

    return parse
