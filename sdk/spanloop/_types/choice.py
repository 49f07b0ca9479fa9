"""What the SDK's enumerations have in common."""

from __future__ import annotations

from enum import StrEnum


class Choice(StrEnum):
    """Words of which one is chosen; case, and hyphens for underscores, make no difference."""

    @classmethod
    def _missing_(cls, value: object) -> Choice | None:
        found = str(value).strip().lower().replace("-", "_")
        for one in cls:
            if one.value == found:
                return one
        words = ", ".join(one.value for one in cls if one.name != "UNSPECIFIED")
        raise ValueError(f"{value!r} is no {cls.__name__}: choose one of {words}.")
