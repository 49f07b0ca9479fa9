"""Resource names such as ``projects/contracts/tasks/01h…``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache

from services.common.errors import invalid_field

MAX_ID = 200
WILDCARD = "-"

_VARIABLE = re.compile(r"\{([a-z_]+)\}")
# What stands for one variable: no slash, no blank, nothing that a shell or a URL would change.
_ID = rf"[A-Za-z0-9_][A-Za-z0-9_.:\-]{{0,{MAX_ID - 1}}}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = []
    for segment in pattern.split("/"):
        variable = _VARIABLE.fullmatch(segment)
        if variable:
            parts.append(f"(?P<{variable[1]}>{_ID}|{WILDCARD})")
        else:
            parts.append(re.escape(segment))
    return re.compile("/".join(parts), re.ASCII)


def parse_name(
    pattern: str, name: str, field: str = "name", *, wildcard: Collection[str] = ()
) -> dict[str, str]:
    """Take a resource name apart.

    Args:
        pattern: E.g. ``projects/{project}/tasks/{task}``; each variable is one whole segment.
        name: What the caller sent.
        field: The request's field that holds it, for the refusal.
        wildcard: Variables that may also be ``-``, for "all".

    Returns:
        The value of each variable.

    Raises:
        InvalidArgumentError: The name is empty or has another form.
    """
    found = _compiled(pattern).fullmatch(name)
    if found is None or any(
        value == WILDCARD and variable not in wildcard
        for variable, value in found.groupdict().items()
    ):
        raise invalid_field(field, f"must have the form {pattern}." if name else "is required.")
    return found.groupdict()


def format_name(pattern: str, values: Mapping[str, str] | None = None, **variables: str) -> str:
    """Put a resource name together; the opposite of `parse_name`."""
    return pattern.format_map({**(values or {}), **variables})
