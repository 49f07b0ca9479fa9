"""Ids of model versions: what stands behind ``modelVersions/``."""

from __future__ import annotations

import hashlib
import re

_SAFE = re.compile(r"[a-z0-9][a-z0-9_-]*")
_MAX_CONTROL = 60
_HASH_DIGITS = 12
_LINE = rf"(?:ner|assertion|classification_{_SAFE.pattern})"
_HASHED = re.compile(rf".*-[0-9a-f]{{{_HASH_DIGITS}}}", re.DOTALL)


def version_id(
    model_type: str, control: str, project: str, number: int, replacement: int = 0
) -> str:
    """Return the id of a model version.

    ``<type>_<project>_v<n>``, for a classification ``classification_<control>_<project>_v<n>``, of
    a replacement with ``_r<k>`` behind it. Different arguments give different ids.
    """
    suffix = f"_r{replacement}" if replacement else ""
    return f"{line_id(model_type, control)}_{project}_v{number}{suffix}"


def line_id(model_type: str, control: str) -> str:
    """Return what versions are numbered in: how the ids of one type and control begin."""
    return f"{model_type}_{control_id(control)}" if control else model_type


def control_id(control: str) -> str:
    """Return a control's name in a form that ids may hold.

    A short name of a-z, 0-9, ``-`` and ``_`` stays as it is. Of any other name what can stay does,
    and a hash of the whole name behind it keeps names apart that would become equal.
    """
    safe = _SAFE.fullmatch(control) and len(control) <= _MAX_CONTROL
    if safe and not _HASHED.fullmatch(control):
        return control
    kept = re.sub(r"[^a-z0-9]+", "-", control.lower()).strip("-")[:_MAX_CONTROL].strip("-")
    digest = hashlib.sha256(control.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{kept or 'choices'}-{digest}"


def is_line_id(line: str) -> bool:
    """Return whether versions could be numbered in this line."""
    return re.fullmatch(_LINE, line) is not None


def is_version_id(project: str, version: str) -> bool:
    """Return whether a model version of the project could have this id."""
    count = r"[1-9][0-9]{0,8}"
    pattern = rf"{_LINE}_{re.escape(project)}_v{count}(?:_r{count})?"
    return re.fullmatch(pattern, version) is not None
