"""Options whose values are the names of an enum."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import typer

from spanloop._types.choice import named, words_of


def one_of(kind: type[StrEnum], *names: str, help: str) -> Any:
    """Return an option that takes a value of `kind`, in any case, with hyphens or underscores."""
    return typer.Option(
        *names, help=help, parser=_parser(kind), metavar=f"<{'|'.join(words_of(kind))}>"
    )


def _parser(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def parse(given: str) -> StrEnum:
        found = named(kind, given)
        if found is None or found.value not in words_of(kind):
            raise ValueError(f"{given!r} is none of {', '.join(words_of(kind))}.")
        return found

    return parse
