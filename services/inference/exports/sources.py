"""The rules that training and serving share, copied so that they run beside an exported model."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

_RULES = "services.common.modeling"
_COPIED = (
    "decoding",
    "documents",
    "tokenisation",
    "windows",
    "word_features",
    "word_feeds",
    "words",
)
_IMPORT = re.compile(rf"^from {re.escape(_RULES)}\.(\w+) import", re.MULTILINE)


def rule_files(*, package: bool) -> dict[str, bytes]:
    """Return the modules of the rules as ``spanloop_<name>.py``.

    Args:
        package: Whether they import each other as parts of one package, or as modules of a folder.
    """
    return {
        f"spanloop_{name}.py": rewritten(f"{_RULES}.{name}", package=package) for name in _COPIED
    }


def rewritten(module: str, *, package: bool, siblings: str = "") -> bytes:
    """Return a module's source that imports the copied rules instead of ours.

    Args:
        module: Its name.
        package: As for ``rule_files``.
        siblings: Package of modules that are copied along under their own names.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the source of {module} is not there")
    source = Path(spec.origin).read_text(encoding="utf-8")
    dot = "." if package else ""
    if siblings:
        source = source.replace(f"from {siblings}.", f"from {dot}")
    return _IMPORT.sub(rf"from {dot}spanloop_\1 import", source).encode()
