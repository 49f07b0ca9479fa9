"""The rules that training and serving share, copied so that they run beside an exported model."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

_COPIED = ("services.common.modeling", "services.inference.engine.standalone")
_IMPORT = re.compile(r"^from (services\.[\w.]+) import", re.MULTILINE)


def carried(programs: Mapping[str, str], *, package: bool) -> dict[str, bytes]:
    """Return modules by file name with all that they import of ours, as ``spanloop_<name>.py``.

    Args:
        programs: Names of modules by the name, without suffix, that their copies have.
        package: Whether they import each other as parts of one package, or as modules of a folder.
    """
    names = {module: name for name, module in programs.items()}
    files: dict[str, bytes] = {}
    waiting = list(names)
    dot = "." if package else ""

    def imported(found: re.Match[str]) -> str:
        module = found[1]
        if module not in names:
            folder, _, name = module.rpartition(".")
            if folder not in _COPIED:
                raise RuntimeError(f"{module} cannot be carried by an export")
            names[module] = f"spanloop_{name}"
            waiting.append(module)
        return f"from {dot}{names[module]} import"

    while waiting:
        module = waiting.pop()
        files[f"{names[module]}.py"] = _IMPORT.sub(imported, _source(module)).encode()
    return files


def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the source of {module} is not there")
    return Path(spec.origin).read_text(encoding="utf-8")
