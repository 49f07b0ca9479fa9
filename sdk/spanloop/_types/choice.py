"""What the SDK's enumerations have in common."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

E = TypeVar("E", bound=StrEnum)

_UNSPECIFIED = "unspecified"


def words_of(kind: type[StrEnum]) -> list[str]:
    """Return the words that a user may choose: all but the one that stands for none of them."""
    return [one.value for one in kind if one.value != _UNSPECIFIED]


def named(kind: type[E], word: str) -> E | None:
    """Return what a word names; case, and hyphens for underscores, make no difference."""
    found = word.lower().replace("-", "_")
    return next((one for one in kind if one.value == found), None)


class Choice(StrEnum):
    """Words of which one is chosen, as `named` reads them."""

    @classmethod
    def _missing_(cls, value: object) -> Choice | None:
        found = named(cls, str(value).strip())
        if found is None:
            words = ", ".join(words_of(cls))
            raise ValueError(f"{value!r} is no {cls.__name__}: choose one of {words}.")
        return found
