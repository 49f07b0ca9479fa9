"""Collects what is wrong with a rule set, so that its author reads all of it at once."""

from __future__ import annotations

from services.common.errors import FieldViolation, InvalidArgumentError, Reason

_REPORTED = 50


class Problems:
    """The bad fields found so far."""

    def __init__(self) -> None:
        """Begin with none."""
        self._violations: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        """Note that a field is bad and what to do about it; beyond 50 only the fact is kept."""
        if len(self._violations) < _REPORTED:
            self._violations.append(FieldViolation(field=field, description=description))

    def refuse(self) -> None:
        """Do nothing if there are none.

        Raises:
            InvalidArgumentError: FIELD_INVALID with all of them; the message tells the first.
        """
        if not self._violations:
            return
        first = self._violations[0]
        more = len(self._violations) - 1
        raise InvalidArgumentError(
            Reason.FIELD_INVALID,
            f"{first.field}: {first.description}" + (f" ({more} more problems.)" if more else ""),
            metadata={"field": first.field},
            violations=self._violations,
        )


def is_text(value: str) -> bool:
    """Return whether a string can be written as UTF-8, which one with a lone surrogate cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
