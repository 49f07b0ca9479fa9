"""Names of model versions, and of aliases, which stand in their place.

A version is ``projects/{project}/modelVersions/{version}``, an alias
``projects/{project}/modelVersions/{line}@{alias}``: no version's id holds an ``@``.
"""

from __future__ import annotations

import re

from services.common.errors import invalid_field
from services.common.names import parse_name

VERSION_NAME = "projects/{project}/modelVersions/{version}"

_ALIAS = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)


def parse_version_name(name: str, field: str) -> tuple[str, str]:
    """Return project and id of the version or alias that a name stands for.

    Raises:
        InvalidArgumentError: It has another form.
    """
    version, at, alias = name.partition("@")
    parts = parse_name(VERSION_NAME, version, field)
    if at:
        check_alias(alias, field)
    return parts["project"], parts["version"] + at + alias


def split_alias(version: str) -> tuple[str, str] | None:
    """Return line and alias of what stands behind ``modelVersions/``; None for a version's id."""
    line, at, alias = version.partition("@")
    return (line, alias) if at else None


def check_alias(alias: str, field: str) -> str:
    """Return what stands behind the ``@`` of an alias, or raise FIELD_INVALID."""
    if not _ALIAS.fullmatch(alias):
        raise invalid_field(
            field,
            "must end with an alias behind the '@': 1 to 63 of a-z, 0-9 and -, first a letter.",
        )
    return alias
